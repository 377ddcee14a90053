-- Append events of a run, if the writer still holds the thread.
-- KEYS: fence of the thread, stream of events
-- ARGV: token, time to live in ms, the most events kept, (event, data)...
-- Replies the events' ids; none where another attempt holds the thread.
local ids = {}
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return ids end
for i = 4, #ARGV, 2 do
  ids[#ids + 1] = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'event', ARGV[i], 'data', ARGV[i + 1])
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.pcall('PUBLISH', KEYS[2], 'events')
return ids
