-- Accept a run, once.
-- KEYS: run, runs of the thread
-- ARGV: time to live in ms, id, milliseconds, (field, value)...
-- Replies 1, or 0 when there is such a run already.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
for i = 1, 2 do redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
return 1
