-- Remove a schedule; what it fired goes on, and its fires are forgotten.
-- KEYS: schedule, names, due, history, waiting, fires, following, and where it is somebody's: the
-- names of theirs
-- ARGV: name
-- Replies the ids of its fires, or -1 when there is no such schedule.
if redis.call('UNLINK', KEYS[1]) == 0 then return -1 end
redis.call('SREM', KEYS[2], ARGV[1])
if KEYS[8] then redis.call('SREM', KEYS[8], ARGV[1]) end
redis.call('ZREM', KEYS[3], ARGV[1])
local ids = redis.call('ZRANGE', KEYS[4], 0, -1)
for _, id in ipairs(ids) do
  redis.call('ZREM', KEYS[6], id)
  redis.call('ZREM', KEYS[7], id)
end
redis.call('UNLINK', KEYS[4], KEYS[5])
return ids
