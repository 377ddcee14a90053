-- ARGV: 'after' or 'before', the place read from or '', how many, how many bytes at most.
-- Replies with the number of messages, the place of the first one read, and those read.
local order, from, limit, room = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local length = redis.call('LLEN', said)
local first, last
if order == 'after' then
  first = math.max((from or -1) + 1, 0)
  last = math.min(first + limit, length) - 1
else
  last = math.min(from or length, length) - 1
  first = math.max(last - limit + 1, 0)
end
if last < first then return {length, first} end

local found = redis.call('LRANGE', said, first, last)
-- A page is cut where it grows too large, but holds one message at least.
local low, high, step = 1, #found, 1
local at = low
if order == 'before' then at, step = high, -1 end
while at >= low and at <= high do
  room = room - #found[at]
  if room < 0 and at ~= 1 and step == 1 then high = at - 1 break end
  if room < 0 and at ~= #found and step == -1 then low = at + 1 break end
  at = at + step
end
local answer = {length, first + low - 1}
for index = low, high do answer[#answer + 1] = found[index] end
return answer
