-- Read a run's events after an id, and how the run stands at the same moment.
-- KEYS: run, stream of events
-- ARGV: id, the most events, the bytes after which no more are read
-- Replies the status ('' where there is no such run), 1 where there is more, (id, event, data)...
local PIECE = 16
local reply = { redis.call('HGET', KEYS[1], 'status') or '', 0 }
local after, most, bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
while most > 0 and bytes > 0 do
  local wanted = math.min(most, PIECE)
  local found = redis.call('XRANGE', KEYS[2], '(' .. after, '+', 'COUNT', wanted)
  for _, entry in ipairs(found) do
    local event, data = entry[2][2], entry[2][4]
    reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = entry[1], event, data
    after, bytes = entry[1], bytes - #data
  end
  if #found < wanted then return reply end
  most = most - wanted
end
reply[2] = 1
return reply
