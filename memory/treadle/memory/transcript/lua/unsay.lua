-- Take back the latest messages, as far back as all of them are among the given.
-- ARGV: id...
-- Replies how many were taken back.
local given, taken = {}, 0
for _, id in ipairs(ARGV) do
  local place = redis.call('HGET', places, id)
  if place then given[tonumber(place)] = id end
end
local last = redis.call('LLEN', said) - 1
while given[last] do
  redis.call('RPOP', said)
  redis.call('HDEL', places, given[last])
  taken, last = taken + 1, last - 1
end
if taken > 0 then redis.call('HDEL', places, 'mark') end
return taken
