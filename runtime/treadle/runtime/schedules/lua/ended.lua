-- Note how a fire ended, and let the one begin that waits for it.
-- KEYS: schedule, fires, following, waiting, tenants, bell, the fire's hash
-- ARGV: id, now in ms or '' for the server's, ttl in ms, the tenant's prefix, (field, value)...
-- Replies the id of the fire that begins, or ''.
local now = ARGV[2]
if now == '' then
  local time = redis.call('TIME')
  now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('EXISTS', KEYS[7]) == 1 then
  redis.call('HSET', KEYS[7], 'ended_ms', now, unpack(ARGV, 5))
  redis.call('PEXPIRE', KEYS[7], ARGV[3])
end
if redis.call('HGET', KEYS[1], 'active') ~= ARGV[1] then return '' end
redis.call('HDEL', KEYS[1], 'active')
local following = redis.call('LPOP', KEYS[4])
if not following then return '' end
redis.call('ZADD', KEYS[2], now, following)
redis.call('ZADD', KEYS[5], 0, ARGV[4])
redis.call('XADD', KEYS[6], 'MAXLEN', 1, '*', 'fire', following)
return following
