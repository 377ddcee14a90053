-- Make the way to a run: when it was accepted, and on which thread.
-- KEYS: runs by when they were accepted, threads by run
-- ARGV: time to live in ms, id, milliseconds, thread
-- Replies the run's thread: the one that was noted first.
redis.call('ZADD', KEYS[1], 'NX', ARGV[3], ARGV[2])
redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[4])
for i = 1, 2 do redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
return redis.call('HGET', KEYS[2], ARGV[2])
