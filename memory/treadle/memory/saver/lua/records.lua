-- Read the records of checkpoints, without their values.
-- ARGV: fields...
-- Replies {record or nil, ...}
local records = {}
for i, field in ipairs(ARGV) do
  records[i] = redis.call('HGET', CP, field)
end
return records
