-- Count. KEYS: base. ARGV: ms after which a worker counts as gone, queue...
-- Replies {delayed, dead, (queue, ready, running, workers)...}, for these queues and all others
-- that a run was put into.
local now = now_ms()
local reply, queues, told = { redis.call('ZCARD', DELAYED), redis.call('ZCARD', DEAD) }, {}, {}
for i = 2, #ARGV do queues[#queues + 1] = ARGV[i] end
for _, queue in ipairs(redis.call('SMEMBERS', QUEUES)) do queues[#queues + 1] = queue end
for _, queue in ipairs(queues) do
  if not told[queue] then
    told[queue] = true
    reply[#reply + 1] = queue
    reply[#reply + 1] = redis.call('LLEN', ready_of(queue))
    reply[#reply + 1] = redis.call('ZCARD', leases_of(queue))
    reply[#reply + 1] =
      redis.call('ZCOUNT', base .. ':served:' .. queue, now - tonumber(ARGV[1]), '+inf')
  end
end
return reply
