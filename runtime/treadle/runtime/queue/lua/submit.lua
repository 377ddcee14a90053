-- Put a run into the queue, once.
-- KEYS: base
-- ARGV: run, thread, queue, delay in ms, multitask (enqueue, reject, interrupt, rollback), version,
--       ms its thread stays after it, or '' for ever, 1 for a run that is to go on after an end
-- Replies {'ok', cancelled run...}: the runs before it that are not at work and are to be stopped;
-- {'known'}; or {'busy', the run that has the thread}.
local run, thread, queue, delay, multitask = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
redis.call('ZREM', ANNOUNCED, run)
if redis.call('EXISTS', job_of(run)) == 1 and not redis.call('ZSCORE', DEAD, run) then
  -- Its worker may not have said yet that it came to the end it is to go on after.
  if ARGV[8] == '1' then redis.call('HSET', job_of(run), 'again', 1) end
  return { 'known' }
end
local first = redis.call('LINDEX', line_of(thread), 0)
if multitask == 'reject' and first then return { 'busy', first } end
local reply = { 'ok' }
if multitask == 'interrupt' or multitask == 'rollback' then
  for _, earlier in ipairs(redis.call('LRANGE', line_of(thread), 0, -1)) do
    local job = redis.call('HMGET', job_of(earlier), 'state', 'worker')
    redis.call('HSET', job_of(earlier), 'cancel', multitask)
    if job[1] == 'running' then
      ring(base .. ':worker:' .. job[2], earlier)
    else
      reply[#reply + 1] = earlier
    end
  end
end
redis.call('ZREM', DEAD, run)
redis.call('SADD', QUEUES, queue)
redis.call('DEL', job_of(run))
redis.call('HSET', job_of(run), 'thread', thread, 'queue', queue, 'claims', 0, 'version', ARGV[6])
if ARGV[7] ~= '' then redis.call('HSET', job_of(run), 'stay', ARGV[7]) end
if delay > 0 then
  redis.call('HSET', job_of(run), 'state', 'delayed')
  redis.call('ZADD', DELAYED, now_ms() + delay, run)
  ring(ready_of(queue), run)
else
  line_up(run)
end
return reply
