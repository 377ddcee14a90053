-- Note what came of an attempt to send a message.
-- KEYS: due, dead, the message, tenants
-- ARGV: id, state (sent, ready or dead), ms to wait, why, ttl in ms, the tenant's prefix
redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HINCRBY', KEYS[3], 'tries', 1)
redis.call('HSET', KEYS[3], 'state', ARGV[2], 'why', ARGV[4])
redis.call('PEXPIRE', KEYS[3], ARGV[5])
if ARGV[2] == 'ready' then
  local due = string.format('%.0f', now + ARGV[3])
  redis.call('ZADD', KEYS[1], due, ARGV[1])
  redis.call('ZADD', KEYS[4], 'LT', due, ARGV[6])
elseif ARGV[2] == 'dead' then
  redis.call('ZADD', KEYS[2], string.format('%.0f', now), ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - ARGV[5]))
else
  redis.call('HDEL', KEYS[3], 'body')
end
return 1
