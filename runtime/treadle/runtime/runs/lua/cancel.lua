-- Stop a run that no attempt is at work on.
-- KEYS: run, stream of entries, runs of the thread, stream of events
-- ARGV: time to live in ms, attempts begun so far, type, data, number of statuses,
--       statuses from which it may be stopped..., (field, value)...
-- Replies 1, or 0 when it is in another status, was taken up since, or is gone.
local found = redis.call('HMGET', KEYS[1], 'status', 'attempt')
if found[2] ~= ARGV[2] then return 0 end
local first = 6 + tonumber(ARGV[5])
local allowed = false
for i = 6, first - 1 do allowed = allowed or ARGV[i] == found[1] end
if not allowed then return 0 end
redis.call('XADD', KEYS[2], '*', 'version', '1',
  'type', ARGV[3], 'attempt', ARGV[2], 'data', ARGV[4])
redis.call('HSET', KEYS[1], unpack(ARGV, first))
if redis.call('EXISTS', KEYS[4]) == 1 then
  redis.call('XADD', KEYS[4], '*', 'event', 'end', 'data', '{"status":"cancelled"}')
end
redis.pcall('PUBLISH', KEYS[1], 'cancelled')
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
return 1
