-- A run came to its end: it leaves the queue, and the next of its thread is handed over.
-- KEYS: base. ARGV: run, claim, or '' for one that is not at work
-- Replies 1, or 0 where somebody else has it.
local run, claim = ARGV[1], ARGV[2]
local job = redis.call('HMGET', job_of(run), 'thread', 'queue', 'state')
if not job[1] then return 0 end
if claim == '' then
  if job[3] == 'running' then return 0 end
elseif not is_held(run, claim) then
  return 0
end
if not goes_on(run, job[2]) then drop(run, job[1], job[2]) end
return 1
