-- ARGV: ttl in milliseconds, the call, what it used, how long to remember that it is settled.
-- Settling again changes nothing. Replies as reserve does.
local call, used = ARGV[2], numbers(ARGV[3])
if redis.call('ZSCORE', settled, call) then return answer('settled', 0) end
local held = numbers(redis.call('HGET', open, call) or '0 0 0 0 0 0')
for unit = 1, UNITS do
  reserved[unit] = math.max(reserved[unit] - held[unit], 0)
  spent[unit] = spent[unit] + used[unit]
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HDEL', open, call)
redis.call('ZADD', settled, now, call)
redis.call('ZREMRANGEBYSCORE', settled, '-inf', now - ARGV[4])
redis.call('HSET', account, 'spent', written(spent), 'reserved', written(reserved))
refresh(ARGV[1])
return answer('settled', 0)
