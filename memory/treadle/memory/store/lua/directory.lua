-- The directory of groups, KEYS[1]: a sorted set of names, all with score 0.
-- ARGV: 'add' and names, 'remove' and names, or 'find', the first and the last name as
--       ZRANGEBYLEX takes them, and how many at most. Replies the names found.
if ARGV[1] == 'find' then
  return redis.call('ZRANGEBYLEX', META, ARGV[2], ARGV[3], 'LIMIT', 0, ARGV[4])
end
for i = 2, #ARGV do
  if ARGV[1] == 'add' then
    redis.call('ZADD', META, 0, ARGV[i])
  else
    redis.call('ZREM', META, ARGV[i])
  end
end
return {}
