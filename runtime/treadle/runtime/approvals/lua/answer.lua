-- Answer a question that waits, once and in time.
-- KEYS: approval
-- ARGV: status, digest that was answered, (field, value)...
-- Replies {'ok'}, {'missing'}, {'expired'}, {'changed'} or {'answered', status, by whom}.
local found = redis.call('HMGET', KEYS[1], 'status', 'digest', 'expires_ms', 'by')
if not found[1] then return { 'missing' } end
if found[1] ~= 'pending' then return { 'answered', found[1], found[4] or '' } end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now >= tonumber(found[3]) then return { 'expired' } end
if found[2] ~= ARGV[2] then return { 'changed' } end
redis.call('HSET', KEYS[1], 'status', ARGV[1],
  'answered_ms', string.format('%.0f', now), unpack(ARGV, 3))
return { 'ok' }
