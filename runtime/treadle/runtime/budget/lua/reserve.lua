-- ARGV: ttl in milliseconds, the call, the limits or '' for those kept, what is wanted beside the
-- answer, the answer's tokens at most and at least, the price of one in 10^-12 US dollars.
-- Replies with a status, the tokens granted to the answer or the unit that is short, and the
-- account's limits and sums.
local OUTPUT, TOKENS, MONEY = 4, 5, 6
local call, wanted = ARGV[2], numbers(ARGV[4])
local most, least, price = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
if ARGV[3] ~= '' then limits = numbers(ARGV[3]) end
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
