-- Read everything stored for a thread, for copying it.
-- Replies {{index fields}, {record fields and values}, {value ...}, {log entries}, {writes ...}}
return {
  redis.call('ZRANGE', IDX, 0, -1), redis.call('HGETALL', CP), redis.call('HGETALL', VAL),
  redis.call('LRANGE', LOG, 0, -1), redis.call('HGETALL', WRITES),
}
