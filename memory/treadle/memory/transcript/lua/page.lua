-- ARGV: 'after' or 'before', the place read from or '', how many, how many bytes at most, the length
-- of a stamp. What is a stamp alone was struck out, and is passed over.
-- Replies with the number of messages, the number of places, and (place, message) for those read.
local order, from, limit, room = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local width, length = tonumber(ARGV[5]), redis.call('LLEN', said)
local chunk = math.max(limit, 200)
local step, at = 1, math.max((from or -1) + 1, 0)
if order == 'before' then step, at = -1, math.min(from or length, length) - 1 end

local found, is_full = {}, false
while not is_full and at >= 0 and at < length do
  local low, high = at, math.min(at + chunk, length) - 1
  if step == -1 then low, high = math.max(at - chunk + 1, 0), at end
  local entries = redis.call('LRANGE', said, low, high)
  while not is_full and at >= low and at <= high do
    local entry = entries[at - low + 1]
    if #entry ~= width then
      room = room - #entry
      -- A page is cut where it grows too large, but holds one message at least.
      is_full = #found == limit or (room < 0 and #found > 0)
      if not is_full then found[#found + 1] = {at, entry} end
    end
    at = at + step
  end
end

local struck = tonumber(redis.call('HGET', places, 'struck') or 0)
local answer = {length - struck, length}
local first, last = 1, #found
if step == -1 then first, last = #found, 1 end
for index = first, last, step do
  answer[#answer + 1] = found[index][1]
  answer[#answer + 1] = found[index][2]
end
return answer
