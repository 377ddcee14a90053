-- Make what was collected under the second five keys the thread of the first five.
-- ARGV: ttl in ms
-- Replies 'ok', or 'occupied' when there is a thread already; what was collected is then removed.
local n = #KEYS / 2
local collected = { unpack(KEYS, n + 1) }
if redis.call('EXISTS', IDX) == 1 then
  redis.call('UNLINK', unpack(collected))
  return 'occupied'
end
redis.call('UNLINK', unpack(KEYS, 1, n))
for i, key in ipairs(collected) do
  if redis.call('EXISTS', key) == 1 then redis.call('RENAME', key, KEYS[i]) end
end
refresh(tonumber(ARGV[1]))
return 'ok'
