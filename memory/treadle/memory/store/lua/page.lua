-- Read items at or under a path, those written last first.
-- ARGV: path, the moment all must precede ('+inf' or '(<moment>'), how many to skip, how many to
--       read, '1' to send the records, '1' to send the vectors.
-- Replies {number of items passed, moment of the last, {{path, key, record, vectors}...}}.
local before, skip, count = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local paths = paths_under(ARGV[1])

local function names_of(path, first, n)
  local flat = redis.call(
    'ZREVRANGEBYSCORE', keys_of(path), before, '-inf', 'WITHSCORES', 'LIMIT', first, n)
  local names = {}
  for i = 1, #flat, 2 do names[#names + 1] = { path, flat[i], flat[i + 1] } end
  return names
end

local names = {}
if #paths == 1 then
  names = names_of(paths[1], skip, count)
else
  local all = {}
  for _, path in ipairs(paths) do
    for _, name in ipairs(names_of(path, 0, skip + count)) do
      name[4] = tonumber(name[3])
      all[#all + 1] = name
    end
  end
  table.sort(all, function(a, b) return a[4] > b[4] end)
  for i = skip + 1, math.min(skip + count, #all) do names[#names + 1] = all[i] end
end

local function read(wanted, key)
  if wanted ~= '1' then return '' end
  local value = redis.pcall('GET', key)
  if type(value) == 'table' then return '' end
  return value
end

local rows = {}
for _, name in ipairs(names) do
  local record = read(ARGV[5], item_of(name[1], name[2]))
  if record then
    local vectors = read(ARGV[6], vec_of(name[1], name[2])) or ''
    rows[#rows + 1] = { name[1], name[2], record, vectors }
  end
end
local last = names[#names]
return { #names, last and last[3] or '', rows }
