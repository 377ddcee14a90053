-- ARGV: ttl in milliseconds or 0, the length of a stamp, then (id, stamp, body) for each message.
-- Replies with the stamp each message has by now.
local ttl, width = tonumber(ARGV[1]), tonumber(ARGV[2])
local stamps, length = {}, redis.call('LLEN', said)
for at = 3, #ARGV, 3 do
  local id, stamp, body = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local place = redis.call('HGET', places, id)
  -- Counted from the end, so that finding a recent message takes no longer in a long thread.
  local known = place and redis.call('LINDEX', said, tonumber(place) - length)
  if known then
    stamp = string.sub(known, 1, width)
    if string.sub(known, width + 1) ~= body then
      redis.call('LSET', said, tonumber(place) - length, stamp .. body)
    end
  else
    length = redis.call('RPUSH', said, stamp .. body)
    redis.call('HSET', places, id, length - 1)
  end
  stamps[#stamps + 1] = stamp
end
if ttl > 0 then
  redis.call('PEXPIRE', said, ttl)
  redis.call('PEXPIRE', places, ttl)
end
return stamps
