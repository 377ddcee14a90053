-- Read items of one group.
-- ARGV: (path, key, '1' to give it its time to live anew, else '0') of each item.
-- Replies the record of each, false where there is none, '' where the key holds something else.
local records, touched = {}, {}
for i = 1, #ARGV, 3 do
  local path, key = ARGV[i], ARGV[i + 1]
  local record = redis.pcall('GET', item_of(path, key))
  if type(record) == 'table' then record = '' end
  records[#records + 1] = record
  if record and ARGV[i + 2] == '1' then
    local _, _, ttl_ms = header_of(record)
    if tonumber(ttl_ms or 0) > 0 and give_time(path, key, tonumber(ttl_ms)) then
      touched[path] = true
    end
  end
end
for path in pairs(touched) do settle(path) end
if next(touched) then settle_group() end
return records
