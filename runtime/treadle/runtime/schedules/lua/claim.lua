-- Fire for planned moments, once, and plan the next.
-- KEYS: schedule, due, fires, history, the fires' hashes...
-- ARGV: name, revision, next as it was, new next or '', new due or '', now, lease until, ttl in ms,
-- how many are kept, and of each fire: id, planned, status, count.
-- Replies the ids that fire, or -1 when somebody else was first.
local found = redis.call('HMGET', KEYS[1], 'revision', 'next_ms')
if found[1] ~= ARGV[2] or found[2] ~= ARGV[3] then return -1 end
redis.call('HSET', KEYS[1], 'next_ms', ARGV[4], 'due_ms', ARGV[5])
if ARGV[5] == '' then
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  redis.call('ZADD', KEYS[2], ARGV[5], ARGV[1])
end
local fired = {}
for key = 5, #KEYS do
  local at = 10 + (key - 5) * 4
  local id, planned, status, count = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  if redis.call('EXISTS', KEYS[key]) == 0 then
    redis.call('HSET', KEYS[key], 'schedule', ARGV[1], 'planned_ms', planned, 'kind', 'planned',
      'status', status, 'count', count)
    redis.call('PEXPIRE', KEYS[key], ARGV[8])
    redis.call('ZADD', KEYS[4], planned, id)
    if status == 'open' then
      redis.call('HSET', KEYS[key], 'fired_ms', ARGV[6])
      redis.call('ZADD', KEYS[3], ARGV[7], id)
      fired[#fired + 1] = id
    end
  end
end
redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -1 - ARGV[9])
return fired
