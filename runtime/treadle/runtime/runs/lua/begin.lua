-- Begin an attempt of a run, and take the thread's fence for it: whoever held it writes no more.
-- KEYS: fence of the thread, run, runs of the thread, stream of events, the thread's lock,
--       what exists while the thread has a checkpoint, the run's job in the queue
-- ARGV: time to live in ms, id, the attempt known last, a name of this very beginning,
--       ms for which events live, or '' where nobody watches, what its first event tells before
--       the attempt's number, and after it, whom the thread's lock is to be taken for, or '' where
--       it is held already, ms for which it holds, the worker that must have the job, or '' for
--       any, statuses from which an attempt may begin...
-- Sent again because its reply was lost, it replies the same again, without an event's id.
-- Replies {'ok', attempt, id of the first event or '', whether the thread has a checkpoint (1, 0)},
-- {'refused', status}, {'taken', attempt} when another one has begun meanwhile, {'missing'}, or
-- {'held'}: the lock or the job is another's. With any but 'ok' the lock is not taken.
local token = ARGV[8]
if ARGV[10] ~= '' and redis.call('HGET', KEYS[7], 'worker') ~= ARGV[10] then return { 'held' } end
if token ~= '' and not redis.call('SET', KEYS[5], token, 'NX', 'PX', ARGV[9])
    and redis.call('GET', KEYS[5]) ~= token then
  return { 'held' }
end
local function refuse(...)
  if token ~= '' then redis.call('DEL', KEYS[5]) end
  return { ... }
end
local status = redis.call('HGET', KEYS[2], 'status')
if not status then return refuse('missing') end
local attempt = tonumber(redis.call('HGET', KEYS[2], 'attempt'))
if redis.call('HGET', KEYS[2], 'begun_by') == ARGV[4] then
  return { 'ok', attempt, '', redis.call('EXISTS', KEYS[6]) }
end
if attempt ~= tonumber(ARGV[3]) then return refuse('taken', attempt) end
local allowed = false
for i = 11, #ARGV do allowed = allowed or ARGV[i] == status end
if not allowed then return refuse('refused', status) end
attempt = redis.call('HINCRBY', KEYS[2], 'attempt', 1)
redis.call('HSET', KEYS[2], 'status', 'running', 'error', '', 'ended', 'null', 'begun_by', ARGV[4])
redis.call('SET', KEYS[1], ARGV[2] .. '/' .. attempt)
redis.pcall('PUBLISH', KEYS[3], 'begun')
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
local id = ''
if ARGV[5] ~= '' then
  local told = ARGV[6] .. attempt .. ARGV[7]
  id = redis.call('XADD', KEYS[4], '*', 'event', 'metadata', 'data', told)
  redis.call('PEXPIRE', KEYS[4], ARGV[5])
  redis.pcall('PUBLISH', KEYS[4], 'events')
end
return { 'ok', attempt, id, redis.call('EXISTS', KEYS[6]) }
