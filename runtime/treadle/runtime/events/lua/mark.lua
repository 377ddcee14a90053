-- Note a place in a run's events, unless the run is gone.
-- KEYS: run, places
-- ARGV: number, place, time to live in ms, the most places kept
-- Replies 1, or 0 where the run is gone.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -tonumber(ARGV[4]) - 1)
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
