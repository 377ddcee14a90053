-- Store one batch of pending writes of a checkpoint.
-- ARGV: fence token ('' for none), ttl in ms, field of the checkpoint, batch
-- Replies {'ok'}, or {'fenced', token} when another attempt has taken the thread over.
local ttl_ms, field, batch = tonumber(ARGV[2]), ARGV[3], ARGV[4]
local holder = fenced_by(ARGV[1])
if holder then return { 'fenced', holder } end
if redis.call('HSETNX', WRITES, field .. '/0', batch) == 0 then
  local n = redis.call('HINCRBY', WRITES, field, 1)
  redis.call('HSET', WRITES, field .. '/' .. string.format('%d', n), batch)
end
refresh(ttl_ms)
return { 'ok' }
