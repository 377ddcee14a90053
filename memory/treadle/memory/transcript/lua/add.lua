-- ARGV: ttl in milliseconds or 0, the length of a stamp, the mark that the transcript must have or
-- '', a fresh mark, then (id, stamp, body) for each message.
-- The mark is another one after anything but appending; it is kept among the places, whose other
-- names are longer.
-- Replies with the mark, and the stamp each message has by now; with nothing where the mark is not
-- the one that was given. What was struck out stays so.
local ttl, width, given, fresh = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local mark, length = redis.call('HGET', places, 'mark'), redis.call('LLEN', said)
if given ~= '' and (given ~= mark or length == 0) then return {} end
local stamps, is_changed = { '' }, not mark
for at = 5, #ARGV, 3 do
  local id, stamp, body = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local place = redis.call('HGET', places, id)
  -- Counted from the end, so that finding a recent message takes no longer in a long thread.
  local known = place and redis.call('LINDEX', said, tonumber(place) - length)
  if known then
    stamp = string.sub(known, 1, width)
    if #known ~= width and string.sub(known, width + 1) ~= body then
      redis.call('LSET', said, tonumber(place) - length, stamp .. body)
      is_changed = true
    end
  else
    length = redis.call('RPUSH', said, stamp .. body)
    redis.call('HSET', places, id, length - 1)
  end
  stamps[#stamps + 1] = stamp
end
if is_changed and length > 0 then
  mark = fresh
  redis.call('HSET', places, 'mark', mark)
end
stamps[1] = mark or ''
if ttl > 0 then
  redis.call('PEXPIRE', said, ttl)
  redis.call('PEXPIRE', places, ttl)
end
return stamps
