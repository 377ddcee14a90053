-- Append entries to a run's journal, all or none, if the writer still holds the thread.
-- KEYS: fence of the thread, run, stream of entries, blobs
-- ARGV: token, time to live in ms, number of entries, (type, attempt, data)..., (name, text)...
-- Replies {'ok', id...}, or {'fenced', the token that holds the thread now}.
local token, ttl_ms, count = ARGV[1], ARGV[2], tonumber(ARGV[3])
local holder = redis.call('GET', KEYS[1])
if holder ~= token then return { 'fenced', holder or '' } end
local reply = { 'ok' }
for i = 4, 3 + 3 * count, 3 do
  reply[#reply + 1] = redis.call('XADD', KEYS[3], '*', 'version', '1',
    'type', ARGV[i], 'attempt', ARGV[i + 1], 'data', ARGV[i + 2])
end
for i = 4 + 3 * count, #ARGV, 2 do
  redis.call('HSETNX', KEYS[4], ARGV[i], ARGV[i + 1])
end
for i = 2, 4 do redis.call('PEXPIRE', KEYS[i], ttl_ms) end
return reply
