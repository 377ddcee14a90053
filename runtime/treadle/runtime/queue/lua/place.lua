-- Say where a run stands. KEYS: base. ARGV: run, ms after which a worker counts as gone
-- Replies {state, queue, workers of the queue, ms until it is due, runs before it in its line,
--          reason}, or {} where it is not in the queue.
local run, now = ARGV[1], now_ms()
local job = redis.call('HMGET', job_of(run), 'state', 'queue', 'thread', 'reason')
if not job[1] then return {} end
local served = base .. ':served:' .. job[2]
local workers = redis.call('ZCOUNT', served, now - tonumber(ARGV[2]), '+inf')
local due = redis.call('ZSCORE', DELAYED, run)
local before = redis.call('LPOS', line_of(job[3]), run) or 0
return { job[1], job[2], workers, due and math.max(0, due - now) or 0, before, job[4] or '' }
