-- Accept a run a second time: it waits, is at an end that is not the last, or was lost.
-- KEYS: run, runs of the thread
-- ARGV: time to live in ms, attempts begun so far, answers, number of statuses,
--       statuses from which it may be taken up...
-- Replies 1, or 0 when it is in another status or was taken up since.
local found = redis.call('HMGET', KEYS[1], 'status', 'attempt')
if found[2] ~= ARGV[2] then return 0 end
local allowed = false
for i = 5, #ARGV do allowed = allowed or ARGV[i] == found[1] end
if not allowed then return 0 end
redis.call('HSET', KEYS[1], 'status', 'pending', 'answers', ARGV[3], 'ended', 'null', 'error', '')
for i = 1, 2 do redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
return 1
