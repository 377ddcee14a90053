-- Store checkpoints and pending writes in the order they came: append the new bodies to the log,
-- place the references to them, and write the values, the records and the batches, all or nothing.
-- ARGV: fence token ('' for none), known epoch ('' when nothing stored is referenced), fresh id,
--       ttl in ms, index of the first body, items..., bodies...
-- An item is 'checkpoint', field, record, number of values, (field, value)...
-- or 'writes', field of the checkpoint they belong to, batch.
-- A reference to the n-th new body is written "+n:m" and is shifted to where the bodies land.
-- Replies {'ok', log id, epoch, first position of the new bodies},
--      {'stale'} when the positions the caller knows are no longer valid,
--      or {'fenced', token} when another attempt has taken the thread over.
local known, fresh, ttl_ms, first_body = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])

local holder = fenced_by(ARGV[1])
if holder then return { 'fenced', holder } end

local log = read_log()
if not log and redis.call('EXISTS', LOG) == 1 then
  return redis.error_reply('DAMAGED the log of the thread has no readable first entry')
end
if known ~= '' and (not log or known ~= log.epoch) then return { 'stale' } end

local start = 0
if log then start = log.base + redis.call('LLEN', LOG) - 1 end
if first_body <= #ARGV then
  if not log then
    log = { id = fresh, epoch = fresh, base = 0 }
    redis.call('RPUSH', LOG, fresh .. ' ' .. fresh .. ' 0')
  end
  for i = first_body, #ARGV, CHUNK do
    redis.call('RPUSH', LOG, unpack(ARGV, i, math.min(i + CHUNK - 1, #ARGV)))
  end
end

local function placed(value)
  local kind, refs = string.match(value, '^(@log[^\n]*)\n(.*)$')
  if not kind then return value end
  local spans = {}
  for plus, first, stop in string.gmatch(refs, '(%+?)(%d+):(%d+)') do
    first, stop = tonumber(first), tonumber(stop)
    if plus == '+' then first, stop = first + start, stop + start end
    local last = spans[#spans]
    if last and last[2] == first then last[2] = stop else spans[#spans + 1] = { first, stop } end
  end
  local text = {}
  for _, span in ipairs(spans) do
    text[#text + 1] = string.format('%d:%d', span[1], span[2])
  end
  return kind .. '\n' .. log.id .. ' ' .. table.concat(text, ' ')
end

-- Each stores the item whose first part is ARGV[at], and returns where the next one begins.
local store = {}

function store.checkpoint(at)
  local field, n_values = ARGV[at + 1], tonumber(ARGV[at + 3])
  local following = at + 4 + 2 * n_values
  for i = at + 4, following - 1, 2 do
    redis.call('HSET', VAL, ARGV[i], placed(ARGV[i + 1]))
  end
  redis.call('HSET', CP, field, ARGV[at + 2])
  redis.call('ZADD', IDX, 0, field)
  return following
end

function store.writes(at)
  local field, batch = ARGV[at + 1], ARGV[at + 2]
  if redis.call('HSETNX', WRITES, field .. '/0', batch) == 0 then
    local n = redis.call('HINCRBY', WRITES, field, 1)
    redis.call('HSET', WRITES, field .. '/' .. string.format('%d', n), batch)
  end
  return at + 3
end

local at = 6
while at < first_body do at = store[ARGV[at]](at) end
refresh(ttl_ms)
local named = log_reply(log)
return { 'ok', named[1], named[2], start }
