-- Write one part of an exported thread. The index comes last: until then nothing is seen.
-- ARGV: ttl in ms, part ('idx', 'cp', 'val', 'log', 'writes'), 'first' or 'more', entries...
-- Replies 'ok', or 'occupied' when the first part finds a thread there already.
local ttl_ms, part = tonumber(ARGV[1]), ARGV[2]
if ARGV[3] == 'first' then
  if redis.call('EXISTS', IDX) == 1 then return 'occupied' end
  redis.call('UNLINK', unpack(KEYS))
end
for i = 4, #ARGV, CHUNK do
  local entries = { unpack(ARGV, i, math.min(i + CHUNK - 1, #ARGV)) }
  if part == 'log' then
    redis.call('RPUSH', LOG, unpack(entries))
  elseif part == 'idx' then
    for _, field in ipairs(entries) do redis.call('ZADD', IDX, 0, field) end
  else
    local key = ({ cp = CP, val = VAL, writes = WRITES })[part]
    redis.call('HSET', key, unpack(entries))
  end
end
refresh(ttl_ms)
return 'ok'
