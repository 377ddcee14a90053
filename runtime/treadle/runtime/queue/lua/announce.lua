-- Say that a run is about to be submitted: what is said and does not follow is found again.
-- KEYS: base. ARGV: run
redis.call('ZADD', ANNOUNCED, 'NX', now_ms(), ARGV[1])
return 1
