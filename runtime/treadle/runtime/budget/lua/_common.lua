-- KEYS of every script: the account's hash, the hash of its open reservations by call, and the
-- sorted set of the calls settled lately, by when.
-- Amounts are whole numbers in the order of Amounts, written with spaces between; '-' is none.
local account, open, settled = KEYS[1], KEYS[2], KEYS[3]
local UNITS = 6

local function numbers(text)
  local found = {}
  for word in string.gmatch(text or '', '%S+') do found[#found + 1] = tonumber(word) or false end
  return found
end

local function written(amounts)
  local words = {}
  for unit, amount in ipairs(amounts) do
    words[unit] = amount and string.format('%.0f', amount) or '-'
  end
  return table.concat(words, ' ')
end

local kept = redis.call('HMGET', account, 'limits', 'spent', 'reserved')
local limits = numbers(kept[1])
local spent, reserved = numbers(kept[2] or '0 0 0 0 0 0'), numbers(kept[3] or '0 0 0 0 0 0')

local function refresh(ttl)
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ttl) end
end

local function answer(status, number)
  return {status, number, written(limits), written(spent), written(reserved)}
end
