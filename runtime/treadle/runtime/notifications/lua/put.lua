-- Keep a message to be sent, once.
-- KEYS: due, bell, the message, tenants
-- ARGV: id, target, body, state (prepared or ready), ms to wait, ttl in ms, run, status, attempt,
-- the tenant's prefix
-- Replies 1, or 0 when it was sent or given up already.
local state = redis.call('HGET', KEYS[3], 'state')
if state and state ~= 'prepared' then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[3], 'target', ARGV[2], 'body', ARGV[3], 'state', ARGV[4], 'run', ARGV[7],
  'status', ARGV[8], 'attempt', ARGV[9], 'tries', 0, 'made_ms', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[3], ARGV[6])
local due = string.format('%.0f', now + ARGV[5])
redis.call('ZADD', KEYS[1], due, ARGV[1])
redis.call('ZADD', KEYS[4], 'LT', due, ARGV[10])
if ARGV[4] == 'ready' then redis.call('XADD', KEYS[2], 'MAXLEN', 1, '*', 'ready', ARGV[1]) end
return 1
