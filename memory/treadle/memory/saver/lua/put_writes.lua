-- Store one batch of pending writes of a checkpoint.
-- ARGV: ttl in ms, field of the checkpoint, batch
local ttl_ms, field, batch = tonumber(ARGV[1]), ARGV[2], ARGV[3]
if redis.call('HSETNX', WRITES, field .. '/0', batch) == 0 then
  local n = redis.call('HINCRBY', WRITES, field, 1)
  redis.call('HSET', WRITES, field .. '/' .. string.format('%d', n), batch)
end
refresh(ttl_ms)
return 1
