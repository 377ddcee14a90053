-- A run came to its end: it leaves the queue, and the next of its thread is handed over.
-- KEYS: base, and the run, where it is to be seen that it did
-- ARGV: run, claim, or '' for one that is not at work, statuses of an end...
-- Replies 1, 2 where another run is ready for a worker now, or 0 where it stays.
local run, claim = ARGV[1], ARGV[2]
if KEYS[2] then
  local status, is_ended = redis.call('HGET', KEYS[2], 'status'), false
  for i = 3, #ARGV do is_ended = is_ended or ARGV[i] == status end
  if not is_ended then return 0 end
end
local job = redis.call('HMGET', job_of(run), 'thread', 'queue', 'state')
if not job[1] then return 0 end
if claim == '' then
  if job[3] == 'running' then return 0 end
elseif not is_held(run, claim) then
  return 0
end
local is_more = goes_on(run, job[2]) or drop(run, job[1], job[2])
return is_more and 2 or 1
