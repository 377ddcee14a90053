-- Keep a schedule, new or changed, and plan its next fire.
-- KEYS: schedule, names, due, tenants, bell, and where it is somebody's: the names of theirs
-- ARGV: name, expected revision (0 for a new one), next in ms or '', due in ms or '',
-- the tenant's prefix, (field, value)...
-- Replies the new revision, or -1 when the revision is another.
local revision = tonumber(redis.call('HGET', KEYS[1], 'revision') or 0)
if revision ~= tonumber(ARGV[2]) then return -1 end
redis.call('HSET', KEYS[1], 'revision', revision + 1, 'next_ms', ARGV[3], 'due_ms', ARGV[4],
  unpack(ARGV, 6))
redis.call('SADD', KEYS[2], ARGV[1])
if KEYS[6] then redis.call('SADD', KEYS[6], ARGV[1]) end
if ARGV[4] == '' then
  redis.call('ZREM', KEYS[3], ARGV[1])
else
  redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
end
redis.call('ZADD', KEYS[4], 0, ARGV[5])
redis.call('XADD', KEYS[5], 'MAXLEN', 1, '*', 'changed', ARGV[1])
return revision + 1
