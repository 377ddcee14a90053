-- Replies with the number of messages that were removed.
local length, struck = redis.call('LLEN', said), redis.call('HGET', places, 'struck')
redis.call('UNLINK', said, places)
return length - tonumber(struck or 0)
