-- Note what was spent on learning from a run, as long as its record stands.
-- KEYS: run
-- ARGV: what it cost, as JSON
-- Replies 1, or 0 when the record is gone.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'learning', ARGV[1])
return 1
