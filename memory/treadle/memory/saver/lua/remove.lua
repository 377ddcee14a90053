-- Remove checkpoints with their writes, then every value and body that none of the rest uses.
-- ARGV: fresh id, fields...
-- Replies the number of checkpoints removed.
local fresh = ARGV[1]
local removed = 0
for i = 2, #ARGV do
  local field = ARGV[i]
  removed = removed + redis.call('HDEL', CP, field)
  redis.call('ZREM', IDX, field)
  local more = tonumber(redis.call('HGET', WRITES, field) or 0)
  redis.call('HDEL', WRITES, field)
  for n = 0, more do
    redis.call('HDEL', WRITES, field .. '/' .. string.format('%d', n))
  end
end
if removed == 0 then return 0 end

local kept, left = {}, 0
local records = redis.call('HGETALL', CP)
for i = 1, #records, 2 do
  local header = parse_header(records[i + 1])
  left = left + 1
  if header then
    for _, channel in ipairs(header.channels) do
      kept[value_field(namespace_of(records[i]), channel)] = true
    end
  end
end
if left == 0 then
  redis.call('UNLINK', unpack(KEYS))
  return removed
end

local log = read_log()
local length = 0
if log then length = redis.call('LLEN', LOG) - 1 end
local used = {}
for _, field in ipairs(redis.call('HKEYS', VAL)) do
  if kept[field] then
    local refs = log_refs(redis.call('HGET', VAL, field))
    if refs and log then
      each_interval(refs, function(first, stop)
        -- Bounded, as a forged interval may be of any length.
        for position = math.max(first, log.base), math.min(stop, log.base + length) - 1 do
          used[position] = true
        end
      end)
    end
  else
    redis.call('HDEL', VAL, field)
  end
end

if log then
  local trimmed = 0
  while trimmed < length and not used[log.base + trimmed] do trimmed = trimmed + 1 end
  -- A later position must never name another body, so the last one stays as a blank.
  if trimmed == length and trimmed > 0 then trimmed = trimmed - 1 end
  if trimmed > 0 then redis.call('LTRIM', LOG, trimmed, -1) end
  local base = log.base + trimmed
  -- A writer elsewhere may hold a position that is now blank: the new epoch tells it so.
  redis.call('LSET', LOG, 0, log.id .. ' ' .. fresh .. ' ' .. string.format('%d', base))
  for i = 1, length - trimmed do
    if not used[base + i - 1] then redis.call('LSET', LOG, i, '') end
  end
end
return removed
