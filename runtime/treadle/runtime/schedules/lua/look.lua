-- Hand out what is due, to one scheduler at a time: it is due again when the lease is over.
-- KEYS: due, fires, following, that somebody looked, tenants
-- ARGV: now in ms or '' for the server's, lease in ms, most of each, the tenant's prefix,
-- fires followed by the caller...
-- Replies {now, names due, fires to hand on, runs to follow, earliest moment of the rest or ''}.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
redis.call('SET', KEYS[4], '1', 'PX', ARGV[2])
local later = string.format('%.0f', now + ARGV[2])
for i = 5, #ARGV do redis.call('ZADD', KEYS[3], 'XX', later, ARGV[i]) end
local reply, earliest = { string.format('%.0f', now) }, ''
for i = 1, 3 do
  local found = redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', string.format('%.0f', now),
    'LIMIT', 0, ARGV[3])
  for _, member in ipairs(found) do redis.call('ZADD', KEYS[i], later, member) end
  reply[i + 1] = found
  local first = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2]
  if first and (earliest == '' or tonumber(first) < tonumber(earliest)) then earliest = first end
end
if earliest == '' then
  redis.call('ZREM', KEYS[5], ARGV[4])
else
  redis.call('ZADD', KEYS[5], earliest, ARGV[4])
end
reply[5] = earliest
return reply
