-- Note that the queue has a fire's run.
-- KEYS: fires, following, the fire's hash
-- ARGV: id, run, thread, lease until
redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
redis.call('HSET', KEYS[3], 'status', 'running', 'run_id', ARGV[2], 'thread_id', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
return 1
