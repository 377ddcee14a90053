-- The keys of one group of namespaces. KEYS[1] is '<root>:meta', KEYS[2] '<root>:ns'; the others
-- are named after them, so that all carry the hash tag of the root.
--   meta         hash: clock (the last moment given, microseconds), immortal (items without a
--                time to live), until (when the last of the others is gone, milliseconds)
--   ns           sorted set: the paths of the namespaces that hold items, all with score 0
--   keys:<path>  sorted set: the keys of a namespace by the moment they were last written
--   exp:<path>   sorted set: those that have a time to live, by the millisecond they are gone
--   item:<path><key>, vec:<path><key>  strings: the record, and the vectors of its texts
local META, NS = KEYS[1], KEYS[2]
local ROOT = string.sub(META, 1, -5)

local function keys_of(path) return ROOT .. 'keys:' .. path end
local function exp_of(path) return ROOT .. 'exp:' .. path end
local function item_of(path, key) return ROOT .. 'item:' .. path .. key end
local function vec_of(path, key) return ROOT .. 'vec:' .. path .. key end
local function integer(number) return string.format('%.0f', number) end

local TIME = redis.call('TIME')
local NOW_US = tonumber(TIME[1]) * 1000000 + tonumber(TIME[2])
local NOW_MS = math.floor(NOW_US / 1000)

-- A record is "<created> <updated> <ttl> <value>": moments in microseconds, the time to live in
-- milliseconds, 0 for ever.
local function header_of(record)
  if type(record) ~= 'string' then return nil end
  local created, updated, ttl_ms = string.match(record, '^(%d+) (%d+) (%d+) ')
  if not created or #created > 16 then return nil end
  return created, updated, ttl_ms
end

-- Drops what has expired from the lists of a namespace.
local function purge(path)
  local keys, exp = keys_of(path), exp_of(path)
  local gone = redis.call('ZRANGEBYSCORE', exp, '-inf', NOW_MS, 'LIMIT', 0, 1000)
  while #gone > 0 do
    for _, key in ipairs(gone) do redis.call('UNLINK', item_of(path, key), vec_of(path, key)) end
    redis.call('ZREM', keys, unpack(gone))
    redis.call('ZREM', exp, unpack(gone))
    gone = redis.call('ZRANGEBYSCORE', exp, '-inf', NOW_MS, 'LIMIT', 0, 1000)
  end
end

-- Lets the lists of a namespace live exactly as long as something they name.
local function settle(path)
  local keys, exp = keys_of(path), exp_of(path)
  local n = redis.call('ZCARD', keys)
  if n == 0 then
    redis.call('ZREM', NS, path)
  elseif redis.call('ZCARD', exp) == n then
    local last = redis.call('ZREVRANGE', exp, 0, 0, 'WITHSCORES')[2]
    redis.call('PEXPIREAT', keys, last)
    redis.call('PEXPIREAT', exp, last)
  else
    redis.call('PERSIST', keys)
    redis.call('PERSIST', exp)
  end
end

-- The same for the lists of the group.
local function settle_group()
  if redis.call('EXISTS', NS) == 0 then
    redis.call('DEL', META)
  elseif tonumber(redis.call('HGET', META, 'immortal') or 0) > 0 then
    redis.call('PERSIST', META)
    redis.call('PERSIST', NS)
  else
    local last = redis.call('HGET', META, 'until') or NOW_MS
    redis.call('PEXPIREAT', META, last)
    redis.call('PEXPIREAT', NS, last)
  end
end

-- Gives an item of a namespace its time to live anew, unless Redis takes no writes now: reading
-- works on a replica and when memory is full.
local function give_time(path, key, ttl_ms)
  local at = NOW_MS + ttl_ms
  if type(redis.pcall('ZADD', exp_of(path), integer(at), key)) == 'table' then return end
  redis.call('PEXPIREAT', item_of(path, key), integer(at))
  redis.call('PEXPIREAT', vec_of(path, key), integer(at))
  if at > tonumber(redis.call('HGET', META, 'until') or 0) then
    redis.call('HSET', META, 'until', integer(at))
  end
  return true
end

-- Removes an item and what is derived from it. Returns whether it was there.
local function remove(path, key)
  redis.call('UNLINK', item_of(path, key), vec_of(path, key))
  if redis.call('ZREM', keys_of(path), key) == 0 then return false end
  if redis.call('ZREM', exp_of(path), key) == 0 then
    redis.call('HINCRBY', META, 'immortal', -1)
  end
  return true
end

-- The paths of the namespaces at or under a prefix that hold something.
local function paths_under(prefix)
  local found = redis.call('ZRANGEBYLEX', NS, '[' .. prefix, '(' .. prefix .. '\255')
  local alive = {}
  for _, path in ipairs(found) do
    purge(path)
    if redis.call('EXISTS', keys_of(path)) == 1 then
      alive[#alive + 1] = path
    else
      redis.call('ZREM', NS, path)
    end
  end
  if #alive < #found then settle_group() end
  return alive
end
