-- Hand out messages that are due; they are due again when the lease is over.
-- KEYS: due, tenants
-- ARGV: lease in ms, how many at most, the tenant's prefix
-- Replies {ms until the next or -1, ids}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now),
  'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[1]), id)
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
if first then
  redis.call('ZADD', KEYS[2], first, ARGV[3])
else
  redis.call('ZREM', KEYS[2], ARGV[3])
end
return { first and math.max(0, math.floor(first - now)) or -1, ids }
