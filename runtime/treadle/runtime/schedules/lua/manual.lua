-- Fire at once, because somebody asked for it.
-- KEYS: schedule, fires, history, tenants, bell, the fire's hash
-- ARGV: name, id, now in ms or '' for the server's, ttl in ms, how many are kept, the tenant's prefix
-- Replies 1, or 0 when there is no such schedule.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local now = ARGV[3]
if now == '' then
  local time = redis.call('TIME')
  now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end
redis.call('HSET', KEYS[6], 'schedule', ARGV[1], 'planned_ms', now, 'kind', 'manual',
  'status', 'open', 'fired_ms', now)
redis.call('PEXPIRE', KEYS[6], ARGV[4])
redis.call('ZADD', KEYS[3], now, ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - ARGV[5])
redis.call('ZADD', KEYS[2], now, ARGV[2])
redis.call('ZADD', KEYS[4], 0, ARGV[6])
redis.call('XADD', KEYS[5], 'MAXLEN', 1, '*', 'fire', ARGV[2])
return 1
