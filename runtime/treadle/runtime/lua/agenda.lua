-- Tell which tenants are to be looked at now.
-- KEYS: tenants, that somebody looked
-- ARGV: how many of them are known, how many are told at most, ms for which somebody is there
-- Replies {ms until another one is, or -1; the tenants' prefixes}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
local text = string.format('%.0f', now)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text, 'LIMIT', ARGV[1], ARGV[2])
local first = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. text, '+inf', 'WITHSCORES',
  'LIMIT', 0, 1)[2]
return { first and math.ceil(first - now) or -1, due }
