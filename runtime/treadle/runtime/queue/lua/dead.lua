-- List the runs that were given up, the latest first. KEYS: base. ARGV: how many
-- Replies {run, reason}...
local reply = {}
for _, run in ipairs(redis.call('ZREVRANGE', DEAD, 0, tonumber(ARGV[1]) - 1)) do
  reply[#reply + 1] = run
  reply[#reply + 1] = redis.call('HGET', job_of(run), 'reason') or ''
end
return reply
