-- Give a run up: it leaves its line, and is kept among the dead with the reason.
-- KEYS: base. ARGV: run, claim, reason, ms it is kept
-- Replies 1, or 0 where somebody else has it.
local run, claim = ARGV[1], ARGV[2]
if not is_held(run, claim) then return 0 end
local job = redis.call('HMGET', job_of(run), 'thread', 'queue')
if goes_on(run, job[2]) then return 1 end
redis.call('ZREM', leases_of(job[2]), run)
redis.call('HSET', job_of(run), 'state', 'dead', 'reason', ARGV[3])
redis.call('PEXPIRE', job_of(run), ARGV[4])
redis.call('ZADD', DEAD, now_ms(), run)
redis.call('ZREMRANGEBYSCORE', DEAD, '-inf', now_ms() - tonumber(ARGV[4]))
redis.call('PEXPIRE', DEAD, ARGV[4])
leave(run, job[1])
return 1
