-- Begin an attempt of a run, and take the thread's fence for it: whoever held it writes no more.
-- KEYS: fence of the thread, run, runs of the thread
-- ARGV: time to live in ms, id, statuses from which an attempt may begin...
-- Replies {'ok', attempt}, {'refused', status} or {'missing'}.
local status = redis.call('HGET', KEYS[2], 'status')
if not status then return { 'missing' } end
local allowed = false
for i = 3, #ARGV do allowed = allowed or ARGV[i] == status end
if not allowed then return { 'refused', status } end
local attempt = redis.call('HINCRBY', KEYS[2], 'attempt', 1)
redis.call('HSET', KEYS[2], 'status', 'running', 'error', '', 'ended', 'null')
redis.call('SET', KEYS[1], ARGV[2] .. '/' .. attempt)
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
return { 'ok', attempt }
