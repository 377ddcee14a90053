-- Let a fire begin, unless the run of the fire before it is not over.
-- KEYS: schedule, fires, waiting, the fire's hash
-- ARGV: id, overlap, the fire that may be replaced or '', how many may wait
-- Replies {'go'}, {'gone'}, {'waiting'}, {'full'} or {'busy', the fire before it}.
local status = redis.call('HGET', KEYS[4], 'status')
if redis.call('EXISTS', KEYS[1]) == 0 or (status ~= 'open' and status ~= 'waiting') then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return { 'gone' }
end
local active = redis.call('HGET', KEYS[1], 'active') or ''
if ARGV[2] == 'allow' then
  redis.call('HSET', KEYS[4], 'status', 'open')
  return { 'go' }
end
if active ~= '' and active ~= ARGV[1] and active ~= ARGV[3] then
  if ARGV[2] ~= 'queue' then return { 'busy', active } end
  redis.call('ZREM', KEYS[2], ARGV[1])
  if redis.call('LLEN', KEYS[3]) >= tonumber(ARGV[4]) then return { 'full' } end
  redis.call('HSET', KEYS[4], 'status', 'waiting')
  redis.call('RPUSH', KEYS[3], ARGV[1])
  return { 'waiting' }
end
redis.call('HSET', KEYS[1], 'active', ARGV[1])
redis.call('HSET', KEYS[4], 'status', 'open')
return { 'go' }
