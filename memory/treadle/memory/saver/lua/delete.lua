-- Remove the thread. Replies the number of keys removed.
return redis.call('UNLINK', unpack(KEYS))
