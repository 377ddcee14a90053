-- A thread was forgotten. KEYS: base. ARGV: thread
return redis.call('ZREM', LEAVING, ARGV[1])
