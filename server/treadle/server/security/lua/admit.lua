-- Admits a request of a caller, or says how long to wait.
-- KEYS: the caller's recent requests (hash of counts by window); its requests that run something
-- (sorted set: id by when its lease ends).
-- ARGV: now, ms; requests a minute, 0 for any; requests that run something at once, 0 for any;
-- the id of this one if it runs something, '' otherwise; the lease, ms.
-- Returns 0 when admitted, else how many ms to wait; then whether it was for runs at once.
local now, rate, at_once = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local window = math.floor(now / 60000)
local count, before = 0, 0
if rate > 0 then
  count = tonumber(redis.call('HGET', KEYS[1], window) or '0')
  before = tonumber(redis.call('HGET', KEYS[1], window - 1) or '0')
  local passed = (now % 60000) / 60000
  if count + before * (1 - passed) >= rate then
    return {math.max(1000, math.floor(60000 * (1 - passed) / math.max(1, rate))), 0}
  end
end
if ARGV[4] ~= '' and at_once > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  if redis.call('ZCARD', KEYS[2]) >= at_once then return {1000, 1} end
end
if ARGV[4] ~= '' then
  redis.call('ZADD', KEYS[2], now + tonumber(ARGV[5]), ARGV[4])
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
if rate > 0 then
  redis.call('HINCRBY', KEYS[1], window, 1)
  redis.call('HDEL', KEYS[1], window - 2)
  redis.call('EXPIRE', KEYS[1], 180)
end
return {0, 0}
