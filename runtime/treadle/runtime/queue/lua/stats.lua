-- Count. KEYS: base. ARGV: ms after which a worker counts as gone, queue...
-- Replies {delayed, dead, announced, (ready, running, workers)... of each queue}.
local now = now_ms()
local reply = { redis.call('ZCARD', DELAYED), redis.call('ZCARD', DEAD), redis.call('ZCARD', ANNOUNCED) }
for i = 2, #ARGV do
  reply[#reply + 1] = redis.call('LLEN', ready_of(ARGV[i]))
  reply[#reply + 1] = redis.call('ZCARD', leases_of(ARGV[i]))
  reply[#reply + 1] = redis.call('ZCOUNT', base .. ':served:' .. ARGV[i], now - tonumber(ARGV[1]), '+inf')
end
return reply
