-- Use an approval for one call, or note that a rejection was told; the same call finds it again.
-- KEYS: approval
-- ARGV: call id, digest of what is to be done, digest of the changed arguments or ''
-- Replies {'ok'}, {'missing'}, {'expired'}, {'changed'}, {'used', call id} or {'open', status}.
local found = redis.call('HMGET', KEYS[1], 'status', 'digest', 'edited_digest', 'expires_ms',
  'used_by')
if not found[1] then return { 'missing' } end
if found[2] ~= ARGV[2] or (found[3] or '') ~= ARGV[3] then return { 'changed' } end
if found[1] == 'used' then
  return found[5] == ARGV[1] and { 'ok' } or { 'used', found[5] or '' }
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if found[1] == 'rejected' then
  redis.call('HSET', KEYS[1], 'used_ms', string.format('%.0f', now))
  return { 'ok' }
end
if found[1] ~= 'approved' and found[1] ~= 'edited' then return { 'open', found[1] } end
if now >= tonumber(found[4]) then return { 'expired' } end
redis.call('HSET', KEYS[1], 'status', 'used', 'used_by', ARGV[1],
  'used_ms', string.format('%.0f', now))
return { 'ok' }
