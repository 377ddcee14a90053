-- Read the header line of every checkpoint.
-- Replies {field, header, field, header, ...}
local reply = redis.call('HGETALL', CP)
for i = 2, #reply, 2 do
  reply[i] = string.match(reply[i], '^([^\n]*)') or ''
end
return reply
