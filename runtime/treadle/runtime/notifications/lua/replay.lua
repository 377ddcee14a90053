-- Let a message that was given up be sent again, under the same id.
-- KEYS: due, dead, bell, the message, tenants
-- ARGV: id, ttl in ms, the tenant's prefix
-- Replies 1, or 0 when there is no such message.
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('HGET', KEYS[4], 'state') ~= 'dead' then return 0 end
local time = redis.call('TIME')
redis.call('HSET', KEYS[4], 'state', 'ready', 'tries', 0)
redis.call('PEXPIRE', KEYS[4], ARGV[2])
redis.call('ZADD', KEYS[1], string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)), ARGV[1])
redis.call('ZADD', KEYS[5], 0, ARGV[3])
redis.call('XADD', KEYS[3], 'MAXLEN', 1, '*', 'ready', ARGV[1])
return 1
