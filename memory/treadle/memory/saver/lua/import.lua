-- Write one part of an exported thread to the keys it is collected under.
-- ARGV: ttl in ms, part ('idx', 'cp', 'val', 'log', 'writes'), entries...
local ttl_ms, part = tonumber(ARGV[1]), ARGV[2]
for i = 3, #ARGV, CHUNK do
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
