-- Take back the latest messages, as far back as all of them are among the given.
-- ARGV: the length of a stamp, id...
-- Replies how many were taken back, those that had been struck out among them.
local width, given, taken, struck = tonumber(ARGV[1]), {}, 0, 0
for at = 2, #ARGV do
  local place = redis.call('HGET', places, ARGV[at])
  if place then given[tonumber(place)] = ARGV[at] end
end
local last = redis.call('LLEN', said) - 1
while given[last] do
  if #redis.call('RPOP', said) == width then struck = struck + 1 end
  redis.call('HDEL', places, given[last])
  taken, last = taken + 1, last - 1
end
if taken > 0 then redis.call('HDEL', places, 'mark') end
if struck > 0 then redis.call('HINCRBY', places, 'struck', -struck) end
return taken
