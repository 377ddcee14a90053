-- Write and remove items of one group, all or nothing.
-- ARGV: '1' when the group is in the directory, else '0'; then the path, the key and the expected
--       moment of an item that must not have changed ('' expects no item; path '' expects
--       nothing); then (path, key, ttl in ms, value, vectors) of each item, where '-' as the ttl
--       removes it.
-- Replies 'ok', 'unlisted' when the group is new and not in the directory, or 'changed'.
if ARGV[1] == '0' and redis.call('EXISTS', NS) == 0 then return 'unlisted' end
if ARGV[2] ~= '' then
  local _, updated = header_of(redis.pcall('GET', item_of(ARGV[2], ARGV[3])))
  if (updated or '') ~= ARGV[4] then return 'changed' end
end

local clock = math.max(NOW_US, tonumber(redis.call('HGET', META, 'clock') or 0) + 1)
local touched = {}

local function put(path, key, ttl_ms, value, vectors)
  local keys, exp, item, vec = keys_of(path), exp_of(path), item_of(path, key), vec_of(path, key)
  local created = header_of(redis.pcall('GETRANGE', item, 0, 63)) or integer(clock)
  redis.call('SET', item, created .. ' ' .. integer(clock) .. ' ' .. ttl_ms .. ' ' .. value)
  if vectors == '' then redis.call('UNLINK', vec) else redis.call('SET', vec, vectors) end
  local is_new = redis.call('ZADD', keys, integer(clock), key) == 1
  local was_mortal = redis.call('ZREM', exp, key) == 1
  redis.call('ZADD', NS, 0, path)
  if tonumber(ttl_ms) > 0 then
    give_time(path, key, tonumber(ttl_ms))
    if not is_new and not was_mortal then redis.call('HINCRBY', META, 'immortal', -1) end
  elseif is_new or was_mortal then
    redis.call('HINCRBY', META, 'immortal', 1)
  end
  clock = clock + 1
end

for i = 5, #ARGV, 5 do
  local path = ARGV[i]
  if not touched[path] then
    purge(path)
    touched[path] = true
  end
  if ARGV[i + 2] == '-' then
    remove(path, ARGV[i + 1])
  else
    put(path, ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
  end
end
redis.call('HSET', META, 'clock', integer(clock - 1))
for path in pairs(touched) do settle(path) end
settle_group()
return 'ok'
