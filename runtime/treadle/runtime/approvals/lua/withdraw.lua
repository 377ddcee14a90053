-- Withdraw an answer that was given for something else than what is asked by now.
-- KEYS: approval
-- Replies 1, or 0 when there is none that could be used.
local status = redis.call('HGET', KEYS[1], 'status')
if status ~= 'approved' and status ~= 'edited' then return 0 end
redis.call('HSET', KEYS[1], 'status', 'withdrawn')
return 1
