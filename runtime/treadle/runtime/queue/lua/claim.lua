-- Take runs to work on: those that are due join their lines, those whose worker died come first.
-- KEYS: base
-- ARGV: worker, lease in ms, how many, version, ms until an announcement counts as lost,
--       (queue, the most of its runs at once or 0)...
-- Replies {ms until there is something to do again or -1: until the next run is due, a lease
--          lapses, or more threads can be told of; number of claimed, number of lost announcements,
--          (run, thread, queue, claims, cancel, reason, version)..., (lost run, its age in ms)...,
--          thread to be forgotten...}.
-- So many threads are told of in one look; where there may be more, the next follows at once.
local AT_ONCE = 250
local worker, lease, wanted = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now = now_ms()
for _, run in ipairs(redis.call('ZRANGEBYSCORE', DELAYED, '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', DELAYED, run)
  local job = redis.call('HMGET', job_of(run), 'state', 'queue')
  if job[1] == 'delayed' then line_up(run) end
  if job[1] == 'paused' then make_ready(run, job[2], true) end
end
local reply, claimed = {}, 0
local next_due
local function due_at(zset)
  local first = tonumber(redis.call('ZRANGE', zset, 0, 0, 'WITHSCORES')[2])
  if first and (not next_due or first < next_due) then next_due = first end
end
due_at(DELAYED)
for i = 6, #ARGV, 2 do
  local queue, most = ARGV[i], tonumber(ARGV[i + 1])
  local leases = leases_of(queue)
  for _, run in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 100)) do
    redis.call('ZREM', leases, run)
    redis.call('HSET', job_of(run), 'reason', 'its worker died')
    make_ready(run, queue, true)
  end
  while claimed < wanted and has_room(queue, most) do
    local run = redis.call('LPOP', ready_of(queue))
    if not run then break end
    -- A run that was dropped meanwhile is passed over.
    if redis.call('HGET', job_of(run), 'state') == 'ready' then
      take(run, queue, worker, lease)
      local job = redis.call('HMGET', job_of(run), 'thread', 'claims', 'cancel', 'reason', 'version')
      for _, part in ipairs({ run, job[1], queue, job[2], job[3] or '', job[4] or '', job[5] }) do
        reply[#reply + 1] = part
      end
      claimed = claimed + 1
    end
  end
  redis.call('ZADD', base .. ':served:' .. queue, now, worker)
  redis.call('ZREMRANGEBYSCORE', base .. ':served:' .. queue, '-inf', now - 86400000)
  redis.call('PEXPIRE', base .. ':served:' .. queue, 86400000)
  due_at(leases)
end
local lost = redis.call('ZRANGEBYSCORE', ANNOUNCED, '-inf', now - tonumber(ARGV[5]),
  'WITHSCORES', 'LIMIT', 0, 10)
for i = 1, #lost, 2 do
  reply[#reply + 1] = lost[i]
  reply[#reply + 1] = now - tonumber(lost[i + 1])
end
-- Whoever is told to forget a thread and dies has it told again a minute later.
local leaving = redis.call('ZRANGEBYSCORE', LEAVING, '-inf', now, 'LIMIT', 0, AT_ONCE)
for _, thread in ipairs(leaving) do
  redis.call('ZADD', LEAVING, now + 60000, thread)
  reply[#reply + 1] = thread
end
local wait = next_due and math.max(0, next_due - now) or -1
if #leaving == AT_ONCE then wait = 0 end
table.insert(reply, 1, #lost / 2)
table.insert(reply, 1, claimed)
table.insert(reply, 1, wait)
return reply
