-- Put a run into the queue, once.
-- KEYS: base
-- ARGV: run, thread, queue, delay in ms, multitask (enqueue, reject, interrupt, rollback), version,
--       ms its thread stays after it, or '' for ever, 1 for a run that is to go on after an end,
--       a worker that offers to take it at once, or '', its lease in ms, the most runs of the queue
-- Replies {'ok', cancelled run...}: the runs before it that are not at work and are to be stopped;
-- {'taken'}: the worker has it, and nothing waited before it; {'known'}; or {'busy', the run that
-- has the thread}.
local run, thread, queue, delay, multitask = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local worker, lease, most = ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[11])
redis.call('ZREM', ANNOUNCED, run)
if redis.call('EXISTS', job_of(run)) == 1 and not redis.call('ZSCORE', DEAD, run) then
  -- Its worker may not have said yet that it came to the end it is to go on after.
  if ARGV[8] == '1' then redis.call('HSET', job_of(run), 'again', 1) end
  -- Sent again because its reply was lost, it replies the same again.
  if worker ~= '' and redis.call('HGET', job_of(run), 'worker') == worker then return { 'taken' } end
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
elseif worker ~= '' and redis.call('LLEN', ready_of(queue)) == 0 and has_room(queue, most)
    and redis.call('EXISTS', line_of(thread)) == 0 then
  redis.call('RPUSH', line_of(thread), run)
  take(run, queue, worker, lease)
  return { 'taken' }
else
  line_up(run)
end
return reply
