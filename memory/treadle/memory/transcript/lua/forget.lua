-- Replies with the number of messages that were removed.
local length = redis.call('LLEN', said)
redis.call('UNLINK', said, places)
return length
