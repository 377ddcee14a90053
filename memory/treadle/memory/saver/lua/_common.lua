-- The keys of one thread, in the order of ThreadKeys. All carry the same hash tag.
local IDX, CP, VAL, LOG, WRITES = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

-- Lua passes at most some 8,000 arguments on its stack.
local CHUNK = 1000

-- The last writer's time to live holds for every key of the thread, to the same millisecond:
-- before 7.0 Redis's clock goes on while a script runs.
local function refresh(ttl_ms)
  local time = redis.call('TIME')
  local ends = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000) + ttl_ms)
  for _, key in ipairs({ IDX, CP, VAL, LOG, WRITES }) do
    if ttl_ms > 0 then
      redis.call('PEXPIREAT', key, ends)
    elseif redis.call('PTTL', key) >= 0 then
      redis.call('PERSIST', key)
    end
  end
end

-- The token of the attempt that has taken the thread over from the one with 'token', or nil.
-- Only the scripts that a token is given to have the key of the fence.
local function fenced_by(token)
  if token == '' then return nil end
  local current = redis.call('GET', KEYS[6])
  if current and current ~= token then return current end
end

-- The first entry of the log names it: "<log id> <epoch> <number of bodies trimmed off>".
local function read_log()
  local head = redis.call('LINDEX', LOG, 0)
  if not head then return nil end
  local id, epoch, base = string.match(head, '^(%S+) (%S+) (%d+)$')
  if not id then return nil end
  return { id = id, epoch = epoch, base = tonumber(base) }
end

-- Calls visit(first, stop) for each "first:stop" of an interval list.
local function each_interval(text, visit)
  for first, stop in string.gmatch(text, '(%d+):(%d+)') do
    visit(tonumber(first), tonumber(stop))
  end
end

-- The interval list of a stored value that lives in the log, or nil.
local function log_refs(value)
  if not value or string.sub(value, 1, 4) ~= '@log' then return nil end
  return string.match(value, '^@log[^\n]*\n%S+ (.*)$')
end

-- The header of a checkpoint record: parent, run, and {name, mark, version} of each channel.
local function parse_header(record)
  local line = string.match(record, '^([^\n]*)\n')
  if not line then return nil end
  local parent, run, rest = string.match(line, '^(%S+) (%S+)(.*)$')
  if not parent then return nil end
  local channels = {}
  for name, mark, version in string.gmatch(rest, '([^%s=!]+)([=!])(%S+)') do
    channels[#channels + 1] = { name, mark, version }
  end
  return { parent = parent, run = run, channels = channels, line = line }
end

local function namespace_of(field)
  return string.match(field, '^([^/]*)/')
end

local function value_field(ns, channel)
  return ns .. '/' .. channel[1] .. '/' .. channel[3]
end

local function read_values(ns, header)
  local values = {}
  for i = 1, #header.channels, CHUNK do
    local fields = {}
    for j = i, math.min(i + CHUNK - 1, #header.channels) do
      fields[#fields + 1] = value_field(ns, header.channels[j])
    end
    for _, value in ipairs(redis.call('HMGET', VAL, unpack(fields))) do
      values[#values + 1] = value
    end
  end
  return values
end

-- The batches of pending writes of a checkpoint, in the order they came.
local function read_batches(field)
  local first = redis.call('HGET', WRITES, field .. '/0')
  if not first then return {} end
  local batches = { first }
  local more = tonumber(redis.call('HGET', WRITES, field) or 0)
  for i = 1, more do
    batches[#batches + 1] = redis.call('HGET', WRITES, field .. '/' .. i) or ''
  end
  return batches
end

local function latest_field(ns)
  return redis.call('ZREVRANGEBYLEX', IDX, '[' .. ns .. '/\255', '[' .. ns .. '/', 'LIMIT', 0, 1)[1]
end

-- The bodies that the values refer to and the caller does not hold (it holds lo <= i < hi),
-- each once, as {first position, {body, ...}} runs.
local function read_bodies(log, refs, lo, hi)
  local wanted = {}
  local function want(first, stop)
    if first < stop then wanted[#wanted + 1] = { first, stop } end
  end
  for _, text in ipairs(refs) do
    each_interval(text, function(first, stop)
      if lo >= hi then
        want(first, stop)
      else
        want(first, math.min(stop, lo))
        want(math.max(first, hi), stop)
      end
    end)
  end
  table.sort(wanted, function(a, b) return a[1] < b[1] end)
  local runs, done = {}, -1
  for _, span in ipairs(wanted) do
    local first = math.max(span[1], done)
    if first < span[2] and log and first >= log.base then
      local offset = 1 - log.base
      local bodies = redis.call('LRANGE', LOG, first + offset, span[2] - 1 + offset)
      runs[#runs + 1] = { first, bodies }
      done = span[2]
    end
  end
  return runs
end

local function log_reply(log)
  if not log then return { '', '' } end
  return { log.id, log.epoch }
end
