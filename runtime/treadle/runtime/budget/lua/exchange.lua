-- Settles calls, and then reserves for another one, if any.
-- ARGV: ttl in milliseconds, how long to remember that a call is settled, how many are, and of
-- each: the call, what it used. Settling again changes nothing.
-- Then of the call to reserve for: the call, the limits or '' for those kept, what is wanted
-- beside the answer, the answer's tokens at most and at least, the price of one in 10^-12 US
-- dollars. Replies with a status, the tokens granted to the answer or the unit that is short, and
-- the account's limits and sums.
local function settle(call, used)
  if redis.call('ZSCORE', settled, call) then return end
  local held = numbers(redis.call('HGET', open, call) or '0 0 0 0 0 0')
  for unit = 1, UNITS do
    reserved[unit] = math.max(reserved[unit] - held[unit], 0)
    spent[unit] = spent[unit] + used[unit]
  end
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HDEL', open, call)
  redis.call('ZADD', settled, now, call)
  redis.call('ZREMRANGEBYSCORE', settled, '-inf', now - ARGV[2])
end

if tonumber(ARGV[3]) > 0 then
  for place = 4, 2 + 2 * ARGV[3], 2 do settle(ARGV[place], numbers(ARGV[place + 1])) end
  redis.call('HSET', account, 'spent', written(spent), 'reserved', written(reserved))
  refresh(ARGV[1])
end

local OUTPUT, TOKENS, MONEY = 4, 5, 6
local at = 4 + 2 * ARGV[3]
local call, wanted = ARGV[at], numbers(ARGV[at + 2])
local most, least, price = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
if ARGV[at + 1] ~= '' then limits = numbers(ARGV[at + 1]) end
if #limits == 0 then return answer('missing', 0) end
if redis.call('ZSCORE', settled, call) then return answer('settled', 0) end
local held = redis.call('HGET', open, call)
if held then return answer('reserved', numbers(held)[UNITS + 1]) end

local function cost(tokens) return math.ceil(tokens * price / 1000) end

local function affordable(room)
  if cost(most) <= room then return most end
  local tokens = math.floor(room * 1000 / price)
  while tokens > 0 and cost(tokens) > room do tokens = tokens - 1 end
  return tokens
end

local granted = most
for unit = 1, UNITS do
  if limits[unit] then
    if not wanted[unit] then return answer('unbounded', unit) end
    local room = limits[unit] - spent[unit] - reserved[unit] - wanted[unit]
    if room < 0 then return answer('short', unit) end
    local fits = most
    if unit == OUTPUT or unit == TOKENS then fits = math.min(most, room) end
    if unit == MONEY then fits = affordable(room) end
    if fits < least then return answer('short', unit) end
    granted = math.min(granted, fits)
  end
end

local holding = {}
for unit = 1, UNITS do holding[unit] = wanted[unit] or 0 end
holding[OUTPUT] = holding[OUTPUT] + granted
holding[TOKENS] = holding[TOKENS] + granted
holding[MONEY] = holding[MONEY] + cost(granted)
for unit = 1, UNITS do reserved[unit] = reserved[unit] + holding[unit] end
holding[UNITS + 1] = granted
redis.call('HSET', open, call, written(holding))
redis.call('HSET', account, 'limits', written(limits), 'spent', written(spent),
  'reserved', written(reserved))
refresh(ARGV[1])
return answer('reserved', granted)
