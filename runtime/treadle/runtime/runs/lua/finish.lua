-- End an attempt: its last entries and events and the run's status change together, if it still
-- holds the fence.
-- KEYS: fence of the thread, run, stream of entries, blobs, runs of the thread, stream of events,
--       the thread's lock
-- ARGV: token, time to live in ms, attempt, ms for which events live, number of blobs, of entries,
--       of events, whom the lock is given back of, or '' where it stays, (name, text)...,
--       (type, data)..., (event, data)..., 'status', status, (field, value)...
-- Replies {'ok', id of each event, and of the end that is told where there are any},
-- {'fenced', the token that holds the thread now} or {'missing'}; only with 'ok' is the lock given
-- back.
local holder = redis.call('GET', KEYS[1])
if holder ~= ARGV[1] then return { 'fenced', holder or '' } end
if redis.call('HGET', KEYS[2], 'status') ~= 'running' then return { 'missing' } end
local place = 9
local function pairs_of(count)
  local first = place
  place = place + 2 * tonumber(count)
  return first, place - 1
end
local first, last = pairs_of(ARGV[5])
for i = first, last, 2 do redis.call('HSETNX', KEYS[4], ARGV[i], ARGV[i + 1]) end
local kind
local reply = { 'ok' }
first, last = pairs_of(ARGV[6])
for i = first, last, 2 do
  kind = ARGV[i]
  redis.call('XADD', KEYS[3], '*', 'version', '1',
    'type', kind, 'attempt', ARGV[3], 'data', ARGV[i + 1])
end
first, last = pairs_of(ARGV[7])
for i = first, last, 2 do
  reply[#reply + 1] = redis.call('XADD', KEYS[6], '*', 'event', ARGV[i], 'data', ARGV[i + 1])
end
local status = ARGV[place + 1]
redis.call('HSET', KEYS[2], unpack(ARGV, place))
if kind == 'run.finished' then redis.call('HDEL', KEYS[2], 'input', 'request', 'answers') end
if kind ~= 'run.paused' then
  if redis.call('EXISTS', KEYS[6]) == 1 then
    local told = '{"status":"' .. status .. '"}'
    reply[#reply + 1] = redis.call('XADD', KEYS[6], '*', 'event', 'end', 'data', told)
    redis.call('PEXPIRE', KEYS[6], ARGV[4])
  end
  redis.pcall('PUBLISH', KEYS[2], status)
end
for i = 1, 5 do redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
if ARGV[8] ~= '' and redis.call('GET', KEYS[7]) == ARGV[8] then redis.call('DEL', KEYS[7]) end
return reply
