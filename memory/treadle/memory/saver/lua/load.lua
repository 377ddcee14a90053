-- Read checkpoints with their values and pending writes; write nothing.
-- ARGV: namespace, known epoch, lo, hi (bodies lo <= i < hi are held), fields...
--       (no field: the latest checkpoint of the namespace)
-- Replies {log id, epoch, {{field, record, {value or nil...}, {batch...}}...},
--          {{first position, {body...}}...}}
local ns, known, lo, hi = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local fields = { unpack(ARGV, 5) }
if #fields == 0 then fields = { latest_field(ns) } end

local log = read_log()
if not log or log.epoch ~= known then lo, hi = 0, 0 end

local found, refs = {}, {}
for _, field in ipairs(fields) do
  local record = redis.call('HGET', CP, field)
  if record then
    local header = parse_header(record)
    local values = {}
    if header then values = read_values(namespace_of(field), header) end
    for _, value in ipairs(values) do
      refs[#refs + 1] = log_refs(value)
    end
    found[#found + 1] = { field, record, values, read_batches(field) }
  end
end
local named = log_reply(log)
return { named[1], named[2], found, read_bodies(log, refs, lo, hi) }
