-- Remove a schedule; what it fired goes on, and its fires are forgotten.
-- KEYS: schedule, names, due, history, waiting, bell, fires, following
-- ARGV: name
-- Replies the ids of its fires, or -1 when there is no such schedule.
if redis.call('UNLINK', KEYS[1]) == 0 then return -1 end
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
local ids = redis.call('ZRANGE', KEYS[4], 0, -1)
for _, id in ipairs(ids) do
  redis.call('ZREM', KEYS[7], id)
  redis.call('ZREM', KEYS[8], id)
end
redis.call('UNLINK', KEYS[4], KEYS[5])
redis.call('XADD', KEYS[6], 'MAXLEN', 1, '*', 'changed', ARGV[1])
return ids
