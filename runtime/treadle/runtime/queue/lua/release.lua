-- Give a run back: it stays the first of its thread, and is due again after a while.
-- KEYS: base. ARGV: run, claim, delay in ms, reason, 1 where the claim is not to count
-- Replies 1, or 0 where somebody else has it.
local run, claim, delay = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not is_held(run, claim) then return 0 end
local queue = redis.call('HGET', job_of(run), 'queue')
redis.call('ZREM', leases_of(queue), run)
redis.call('HSET', job_of(run), 'reason', ARGV[4])
if ARGV[5] == '1' then redis.call('HINCRBY', job_of(run), 'claims', -1) end
if delay > 0 then
  redis.call('HSET', job_of(run), 'state', 'paused')
  redis.call('ZADD', DELAYED, now_ms() + delay, run)
  ring(ready_of(queue), run)
else
  make_ready(run, queue, true)
end
return 1
