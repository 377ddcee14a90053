-- Take back what was announced. KEYS: base. ARGV: run
return redis.call('ZREM', ANNOUNCED, ARGV[1])
