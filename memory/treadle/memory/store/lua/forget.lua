-- Remove items at or under the path ARGV[1], at most ARGV[2] of them.
-- Replies {items removed, vectors removed, namespaces emptied, namespaces left}.
local budget = tonumber(ARGV[2])
local items, vectors, namespaces = 0, 0, 0
local paths = paths_under(ARGV[1])
for _, path in ipairs(paths) do
  if items < budget then
    for _, key in ipairs(redis.call('ZRANGE', keys_of(path), 0, budget - items - 1)) do
      vectors = vectors + redis.call('EXISTS', vec_of(path, key))
      remove(path, key)
      items = items + 1
    end
    settle(path)
    if redis.call('EXISTS', keys_of(path)) == 0 then namespaces = namespaces + 1 end
  end
end
settle_group()
return { items, vectors, namespaces, #paths - namespaces }
