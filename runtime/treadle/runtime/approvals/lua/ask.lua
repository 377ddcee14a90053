-- Keep a question about a call, once, and return it as it stands.
-- KEYS: approval, approvals of the thread
-- ARGV: time to live in ms, id, ms to answer in, (field, value)...
-- Replies {now in ms, whether it is new, [field, value, ...]}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local is_new = redis.call('EXISTS', KEYS[1]) == 0
if is_new then
  redis.call('HSET', KEYS[1], 'status', 'pending', 'asked_ms', string.format('%.0f', now),
    'expires_ms', string.format('%.0f', now + ARGV[3]), unpack(ARGV, 4))
  redis.call('ZADD', KEYS[2], now, ARGV[2])
end
for i = 1, 2 do
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[1]) then
    redis.call('PEXPIRE', KEYS[i], ARGV[1])
  end
end
return { now, is_new and 1 or 0, redis.call('HGETALL', KEYS[1]) }
