-- The queue of a tenant: every key shares one hash tag, so a script may reach them all.
--   <base>:job:<run>       hash   thread, queue, state, claims, worker, cancel, reason, version,
--                                 stay (ms its thread stays after it; for ever without),
--                                 again (it is to go on after the end it comes to)
--   <base>:line:<thread>   list   the thread's runs in their order; only the first may be at work
--   <base>:ready:<queue>   list   runs that a worker may claim
--   <base>:delayed         zset   runs by when they are due
--   <base>:leases:<queue>  zset   runs at work by when their worker's lease lapses
--   <base>:dead            zset   runs that were given up, by when
--   <base>:announced       zset   runs that are about to be submitted, by when that was said
--   <base>:served:<queue>  zset   workers by when they were last heard of
--   <base>:leaving         zset   threads of one run alone by when they are to be forgotten
--   <base>:queues          set    the queues that runs were put into
-- A job's state: delayed (not in its line yet), waiting (behind others), ready, running, paused
-- (first of its line, due again later), dead.
local base = KEYS[1]
local DELAYED, DEAD, ANNOUNCED = base .. ':delayed', base .. ':dead', base .. ':announced'
local LEAVING = base .. ':leaving'
local QUEUES = base .. ':queues'

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function job_of(run) return base .. ':job:' .. run end
local function line_of(thread) return base .. ':line:' .. thread end
local function ready_of(queue) return base .. ':ready:' .. queue end
local function leases_of(queue) return base .. ':leases:' .. queue end

-- Whoever may not publish still works: everybody who listens looks by himself now and then.
local function ring(channel, text) redis.pcall('PUBLISH', channel, text) end

local function make_ready(run, queue, is_first)
  redis.call('HSET', job_of(run), 'state', 'ready')
  redis.call(is_first and 'LPUSH' or 'RPUSH', ready_of(queue), run)
  ring(ready_of(queue), run)
end

-- Put a run at the end of its thread's line.
local function line_up(run)
  local job = redis.call('HMGET', job_of(run), 'thread', 'queue')
  if redis.call('RPUSH', line_of(job[1]), run) == 1 then
    make_ready(run, job[2])
  else
    redis.call('HSET', job_of(run), 'state', 'waiting')
  end
end

-- Take a run out of its thread's line, and hand over to the next. Replies whether one is ready.
local function leave(run, thread)
  local line = line_of(thread)
  redis.call('LREM', line, 1, run)
  local head = redis.call('LINDEX', line, 0)
  if not head then return false end
  local job = redis.call('HMGET', job_of(head), 'state', 'queue')
  if job[1] == 'waiting' then make_ready(head, job[2]) end
  return job[1] == 'waiting'
end

local function drop(run, thread, queue)
  redis.call('ZREM', DELAYED, run)
  redis.call('ZREM', leases_of(queue), run)
  local stay = redis.call('HGET', job_of(run), 'stay')
  if stay then redis.call('ZADD', LEAVING, now_ms() + stay, thread) end
  redis.call('DEL', job_of(run))
  return leave(run, thread)
end

-- A run that is to go on after the end it came to: it is ready again. Replies whether it is.
local function goes_on(run, queue)
  if redis.call('HDEL', job_of(run), 'again') == 0 then return false end
  redis.call('ZREM', leases_of(queue), run)
  redis.call('HDEL', job_of(run), 'cancel', 'reason')
  redis.call('HSET', job_of(run), 'claims', 0)
  make_ready(run, queue, true)
  return true
end

-- Give a run that is ready to a worker.
local function take(run, queue, worker, lease_ms)
  redis.call('HSET', job_of(run), 'state', 'running', 'worker', worker)
  redis.call('HINCRBY', job_of(run), 'claims', 1)
  redis.call('ZADD', leases_of(queue), now_ms() + lease_ms, run)
end

-- Whether a queue may have one more run at work; 0 is for any number.
local function has_room(queue, most)
  return most == 0 or redis.call('ZCARD', leases_of(queue)) < most
end

local function is_held(run, claim)
  local job = redis.call('HMGET', job_of(run), 'state', 'claims')
  return job[1] == 'running' and job[2] == claim
end
