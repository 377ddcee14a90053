-- Store a checkpoint: append the new bodies to the log, place the references to them, and write
-- the values and the record, all or nothing.
-- ARGV: fence token ('' for none), known epoch ('' when nothing stored is referenced), fresh id,
--       ttl in ms, field, record, number of values, (field, value)..., bodies...
-- A reference to the n-th new body is written "+n:m" and is shifted to where the bodies land.
-- Replies {'ok', log id, epoch, first position of the new bodies},
--      {'stale'} when the positions the caller knows are no longer valid,
--      or {'fenced', token} when another attempt has taken the thread over.
local known, fresh, ttl_ms, field, record = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local n_values = tonumber(ARGV[7])
local first_value = 8
local first_body = first_value + 2 * n_values

local holder = fenced_by(ARGV[1])
if holder then return { 'fenced', holder } end

local log = read_log()
if not log and redis.call('EXISTS', LOG) == 1 then
  return redis.error_reply('DAMAGED the log of the thread has no readable first entry')
end
if known ~= '' and (not log or known ~= log.epoch) then return { 'stale' } end

local start = 0
if log then start = log.base + redis.call('LLEN', LOG) - 1 end
if first_body <= #ARGV then
  if not log then
    log = { id = fresh, epoch = fresh, base = 0 }
    redis.call('RPUSH', LOG, fresh .. ' ' .. fresh .. ' 0')
  end
  for i = first_body, #ARGV, CHUNK do
    redis.call('RPUSH', LOG, unpack(ARGV, i, math.min(i + CHUNK - 1, #ARGV)))
  end
end

local function placed(value)
  local kind, refs = string.match(value, '^(@log[^\n]*)\n(.*)$')
  if not kind then return value end
  local spans = {}
  for plus, first, stop in string.gmatch(refs, '(%+?)(%d+):(%d+)') do
    first, stop = tonumber(first), tonumber(stop)
    if plus == '+' then first, stop = first + start, stop + start end
    local last = spans[#spans]
    if last and last[2] == first then last[2] = stop else spans[#spans + 1] = { first, stop } end
  end
  local text = {}
  for _, span in ipairs(spans) do
    text[#text + 1] = string.format('%d:%d', span[1], span[2])
  end
  return kind .. '\n' .. log.id .. ' ' .. table.concat(text, ' ')
end

for i = first_value, first_body - 1, 2 do
  redis.call('HSET', VAL, ARGV[i], placed(ARGV[i + 1]))
end
redis.call('HSET', CP, field, record)
redis.call('ZADD', IDX, 0, field)
refresh(ttl_ms)
local named = log_reply(log)
return { 'ok', named[1], named[2], start }
