-- End an attempt: its last entry and the run's status change together, if it still holds the fence.
-- KEYS: fence of the thread, run, stream of entries, blobs, runs of the thread, stream of events
-- ARGV: token, time to live in ms, attempt, type, data, number of blobs, (name, text)...,
--       'status', status, (field, value)...
-- Replies {'ok', entry id}, {'fenced', the token that holds the thread now} or {'missing'}.
local holder = redis.call('GET', KEYS[1])
if holder ~= ARGV[1] then return { 'fenced', holder or '' } end
if redis.call('HGET', KEYS[2], 'status') ~= 'running' then return { 'missing' } end
local first = 7 + 2 * tonumber(ARGV[6])
for i = 7, first - 1, 2 do redis.call('HSETNX', KEYS[4], ARGV[i], ARGV[i + 1]) end
local id = redis.call('XADD', KEYS[3], '*', 'version', '1',
  'type', ARGV[4], 'attempt', ARGV[3], 'data', ARGV[5])
redis.call('HSET', KEYS[2], unpack(ARGV, first))
if ARGV[4] == 'run.finished' then redis.call('HDEL', KEYS[2], 'input', 'request', 'answers') end
if ARGV[4] ~= 'run.paused' then
  if redis.call('EXISTS', KEYS[6]) == 1 then
    redis.call('XADD', KEYS[6], '*', 'event', 'end', 'data', cjson.encode({ status = ARGV[first + 1] }))
  end
  redis.pcall('PUBLISH', KEYS[2], ARGV[first + 1])
end
for i = 1, 5 do redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
return { 'ok', id }
