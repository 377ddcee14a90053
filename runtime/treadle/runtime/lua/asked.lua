-- Record that a thread was asked something.
-- KEYS: information by thread, threads by when they were asked
-- ARGV: thread, seconds, title and beginning as JSON if it is new, agent, moment
local known = redis.call('HGET', KEYS[1], ARGV[1])
local info = cjson.decode(known or ARGV[3])
info.agent, info.updated, info.turns = ARGV[4], ARGV[5], (info.turns or 0) + 1
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(info))
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
return 1
