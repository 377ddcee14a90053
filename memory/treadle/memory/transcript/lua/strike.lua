-- Empty the places of messages, so that the numbers of the others stay.
-- ARGV: the length of a stamp, id...
-- Replies how many were struck out. How many are in all is kept among the places, as the mark is.
local width, struck = tonumber(ARGV[1]), 0
for at = 2, #ARGV do
  local place = redis.call('HGET', places, ARGV[at])
  local known = place and redis.call('LINDEX', said, place)
  if known and #known ~= width then
    redis.call('LSET', said, place, string.sub(known, 1, width))
    struck = struck + 1
  end
end
if struck > 0 then redis.call('HINCRBY', places, 'struck', struck) end
return struck
