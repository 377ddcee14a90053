-- Walk the ancestors of a checkpoint until each channel has a stored value.
-- ARGV: namespace, field ('' for the latest), channels...
-- Replies {log id, epoch, {{field, {batch...}, {channel, value, ...}}... nearest first},
--          {{first position, {body...}}...}}
local ns, field = ARGV[1], ARGV[2]
local wanted, remaining = {}, 0
for i = 3, #ARGV do
  if not wanted[ARGV[i]] then
    wanted[ARGV[i]] = true
    remaining = remaining + 1
  end
end

local function header_of(name)
  local record = name and redis.call('HGET', CP, name)
  return record and parse_header(record)
end

if field == '' then field = latest_field(ns) end
local steps, refs, visited = {}, {}, {}
local header = header_of(field)
while header and header.parent ~= '-' and remaining > 0 do
  field = ns .. '/' .. header.parent
  if visited[field] then break end
  visited[field] = true
  header = header_of(field)
  if header then
    local seeds = {}
    for _, channel in ipairs(header.channels) do
      if wanted[channel[1]] then
        local value = redis.call('HGET', VAL, value_field(ns, channel))
        if value then
          seeds[#seeds + 1] = channel[1]
          seeds[#seeds + 1] = value
          refs[#refs + 1] = log_refs(value)
          wanted[channel[1]] = nil
          remaining = remaining - 1
        end
      end
    end
    steps[#steps + 1] = { field, read_batches(field), seeds }
  end
end
local log = read_log()
local named = log_reply(log)
return { named[1], named[2], steps, read_bodies(log, refs, 0, 0) }
