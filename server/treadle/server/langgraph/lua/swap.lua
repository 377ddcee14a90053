-- Replaces a record if it still is what the caller read, so that no change overwrites another.
-- KEYS: the records by id (hash), their ids by age (sorted set).
-- ARGV: id; what was read, '' for nothing; what it is to be, '' to remove it; when it was made.
-- Returns 1 when replaced, 0 when it has changed in the meantime.
local current = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if current ~= ARGV[2] then return 0 end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  if current == '' then redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1]) end
end
return 1
