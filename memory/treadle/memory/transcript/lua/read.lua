-- ARGV: an id. Replies with the place and the message, or nothing.
local place = redis.call('HGET', places, ARGV[1])
if not place then return {} end
local found = redis.call('LINDEX', said, tonumber(place) - redis.call('LLEN', said))
return found and {tonumber(place), found} or {}
