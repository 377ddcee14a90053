-- Renew the leases of a worker's runs.
-- KEYS: base. ARGV: lease in ms, (run, queue, claim)...
-- Replies (cancel, or 'lost' where somebody else has the run, or '')... in their order.
local now, reply = now_ms(), {}
for i = 2, #ARGV, 3 do
  local run, queue, claim = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if is_held(run, claim) then
    redis.call('ZADD', leases_of(queue), now + tonumber(ARGV[1]), run)
    reply[#reply + 1] = redis.call('HGET', job_of(run), 'cancel') or ''
  else
    reply[#reply + 1] = 'lost'
  end
end
return reply
