-- Ask for a run to be stopped.
-- KEYS: base. ARGV: run, how (interrupt or rollback)
-- Replies its state, or '' where it is not in the queue.
local job = redis.call('HMGET', job_of(ARGV[1]), 'state', 'worker')
if not job[1] or job[1] == 'dead' then return '' end
redis.call('HSET', job_of(ARGV[1]), 'cancel', ARGV[2])
if job[1] == 'running' then ring(base .. ':worker:' .. job[2], ARGV[1]) end
return job[1]
