"""The Lua scripts: every change of an index is one of them, and so is every read of its postings.

Keys of all but ``GET``: the index's ``meta``, ``ids`` and ``docs``, then ``length``, ``postings``
and ``vectors`` of each segment from the first to one past the last. The caller says which segments
it believes in; when there are others by now, a script does nothing and answers with the right ones.

The index's *epoch* is another whenever something other than its end has changed: what a reader
knows of an epoch stays as it is, and only what came behind it has to be read.

Answers begin with one of:

- ``ok``: done; what follows is said at the script.
- ``segments first last``: call again with the keys of these.
- ``analysis name``: the index was made by this other analyzer.
- ``changed``: an id no longer holds what the caller expected; nothing was done.
"""

SEGMENT_SIZE = 65_536
"""Texts in a segment: as many as two bytes can number."""

_OPEN = """
local state = redis.call('HMGET', KEYS[1], 'first', 'last', 'analysis', 'space', 'epoch')
local first, last = tonumber(state[1] or 0), tonumber(state[2] or 0)
if first ~= tonumber(ARGV[1]) or last ~= tonumber(ARGV[2]) then
  return {'segments', first, last}
end
if state[3] and state[3] ~= ARGV[3] then return {'analysis', state[3]} end

local function length_key(segment) return KEYS[4 + 3 * (segment - first)] end
local function postings_key(segment) return KEYS[5 + 3 * (segment - first)] end
local function vectors_key(segment) return KEYS[6 + 3 * (segment - first)] end
"""

READ = (
    _OPEN
    + """
-- ARGV: first, last, analysis, the space of the vectors to read or '', the epoch of what the
-- caller knows or '', the number of terms, the terms; then for each segment that the caller knows
-- something of its number and how many bytes it knows: of the lengths, of the vectors, and of each
-- term's postings.
-- ok: the epoch, then for each segment its lengths, the list of the terms' postings, and its
-- vectors, if they are of that space; without what the caller knows, if the epoch is the same.
local space, n_terms = ARGV[4], tonumber(ARGV[6])
local terms = {unpack(ARGV, 7, 6 + n_terms)}
local known = {}
if state[5] and state[5] == ARGV[5] then
  for at = 7 + n_terms, #ARGV, n_terms + 3 do known[tonumber(ARGV[at])] = at end
end
local function known_of(segment, part)
  return known[segment] and tonumber(ARGV[known[segment] + part]) or 0
end
local answer = {'ok', state[5] or ''}
for segment = first, last do
  table.insert(answer, redis.call('GETRANGE', length_key(segment), known_of(segment, 1), -1))
  local found = {}
  if n_terms > 0 then found = redis.call('HMGET', postings_key(segment), unpack(terms)) end
  for at, postings in ipairs(found) do
    if postings then found[at] = string.sub(postings, known_of(segment, 2 + at) + 1) end
  end
  table.insert(answer, found)
  local vectors = ''
  if space ~= '' and space == state[4] then
    vectors = redis.call('GETRANGE', vectors_key(segment), known_of(segment, 2), -1)
  end
  table.insert(answer, vectors)
end
return answer
"""
)

WRITE = (
    _OPEN
    + f"local SIZE = {SEGMENT_SIZE}"
    + r"""
-- ARGV: first, last, analysis, ttl in milliseconds or 0, the name of a new epoch, the segment to
-- write elsewhere or -1; the texts' vectors as one string, their space and the bytes of one; the
-- texts' lengths as one string; then counted lists: ids (id, expected entry or '', number of texts
-- or -1 to remove, note), texts, terms (term, postings numbered from 0).
-- ok: number of texts removed, first, last, the meta hash.
local ttl, epoch, avoided = tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local vectors, space, width, lengths, at = ARGV[7], ARGV[8], tonumber(ARGV[9]), ARGV[10], 11
local function take() at = at + 1; return ARGV[at - 1] end

local entries, added = {}, 0
for i = 1, tonumber(take()) do
  local id, expected, count, note = take(), take(), tonumber(take()), take()
  if expected ~= '' and redis.call('HGET', KEYS[2], id) ~= expected then return {'changed'} end
  entries[i] = {id, count, note}
  if count > 0 then added = added + count end
end

if not state[1] then
  -- A new index, or one whose parts were evicted one by one: what is left of it is of no use.
  redis.call('UNLINK', unpack(KEYS))
  redis.call('HSET', KEYS[1], 'first', 0, 'last', 0, 'analysis', ARGV[3])
end
if not state[1] or not state[5] then redis.call('HSET', KEYS[1], 'epoch', epoch) end

local used = tonumber(redis.call('HGET', KEYS[1], 'used:' .. last) or 0)
if added > 0 and (used + added > SIZE or last == avoided) then
  last, used = last + 1, 0
  redis.call('HSET', KEYS[1], 'last', last)
end

if vectors ~= '' and space ~= state[4] then
  -- Vectors of two spaces cannot be compared: those there are go.
  for segment = first, last do redis.call('UNLINK', vectors_key(segment)) end
  redis.call('HSET', KEYS[1], 'space', space, 'width', width, 'epoch', epoch)
end
if vectors == '' then width = tonumber(redis.call('HGET', KEYS[1], 'width') or 0) end

local function erase(key, from, count, size)
  if redis.call('STRLEN', key) > from * size then
    redis.call('SETRANGE', key, from * size, string.rep('\0', count * size))
  end
end

local function forget(id)
  local entry = redis.call('HGET', KEYS[2], id)
  if not entry then return 0 end
  local from, count = string.match(entry, '^(%d+) (%d+)')
  from, count = tonumber(from), tonumber(count)
  redis.call('HDEL', KEYS[2], id)
  if count == 0 then return 0 end
  local segment = math.floor(from / SIZE)
  redis.call('HSET', KEYS[1], 'epoch', epoch)
  erase(length_key(segment), from % SIZE, count, 2)
  erase(vectors_key(segment), from % SIZE, count, width)
  redis.call('HINCRBY', KEYS[1], 'live:' .. segment, -count)
  for number = from, from + count - 1 do redis.call('HDEL', KEYS[3], number) end
  return count
end

local base = last * SIZE + used
local number, removed = base, 0
for _, entry in ipairs(entries) do
  local id, count, note = unpack(entry)
  removed = removed + forget(id)
  if count >= 0 then
    redis.call('HSET', KEYS[2], id, number .. ' ' .. count .. ' ' .. note)
    number = number + count
  end
end

for i = 1, tonumber(take()) do redis.call('HSET', KEYS[3], base + i - 1, take()) end
if added > 0 then
  redis.call('SETRANGE', length_key(last), used * 2, lengths)
  if vectors ~= '' then redis.call('SETRANGE', vectors_key(last), used * width, vectors) end
  redis.call('HINCRBY', KEYS[1], 'live:' .. last, added)
  redis.call('HINCRBY', KEYS[1], 'used:' .. last, added)
end

local function renumbered(postings)
  if used == 0 then return postings end
  local records = {}
  for from = 1, #postings, 3 do
    local low, high, frequency = string.byte(postings, from, from + 2)
    local offset = high * 256 + low + used
    records[#records + 1] = string.char(offset % 256, math.floor(offset / 256), frequency)
  end
  return table.concat(records)
end
local key = postings_key(last)
for i = 1, tonumber(take()) do
  local term, postings = take(), renumbered(take())
  local before = redis.call('HGET', key, term)
  redis.call('HSET', key, term, before and before .. postings or postings)
end

-- A segment that nothing is left in goes. Its numbers are never used again, so that a reader who
-- still has one is not given another text for it.
local oldest
for segment = first, last do
  if tonumber(redis.call('HGET', KEYS[1], 'live:' .. segment) or 0) > 0 then
    oldest = oldest or segment
  else
    redis.call('UNLINK', length_key(segment), postings_key(segment), vectors_key(segment))
    local held = redis.call('HDEL', KEYS[1], 'used:' .. segment, 'live:' .. segment)
    if segment == last and held > 0 then last = last + 1 end
  end
end
oldest = oldest or last
redis.call('HSET', KEYS[1], 'first', oldest, 'last', last)

if ttl > 0 then
  for _, name in ipairs(KEYS) do redis.call('PEXPIRE', name, ttl) end
end
return {'ok', removed, oldest, last, redis.call('HGETALL', KEYS[1])}
"""
)

FILL = (
    _OPEN
    + f"local SIZE = {SEGMENT_SIZE}"
    + r"""
-- ARGV: first, last, analysis, ttl in milliseconds or 0, the name of a new epoch, the vectors'
-- space and the bytes of one, then pairs of a text's number and its vector.
-- ok: the number of texts that were given theirs; those that are gone are passed over.
local ttl, epoch, space, width = tonumber(ARGV[4]), ARGV[5], ARGV[6], tonumber(ARGV[7])
if not state[1] then return {'ok', 0} end
redis.call('HSET', KEYS[1], 'epoch', epoch)
if space ~= state[4] then
  for segment = first, last do redis.call('UNLINK', vectors_key(segment)) end
  redis.call('HSET', KEYS[1], 'space', space, 'width', width)
end
local filled = 0
for i = 8, #ARGV, 2 do
  local number = tonumber(ARGV[i])
  local segment, offset = math.floor(number / SIZE), number % SIZE
  if segment >= first and segment <= last then
    local length = redis.call('GETRANGE', length_key(segment), offset * 2, offset * 2 + 1)
    if length ~= '' and length ~= '\0\0' then
      redis.call('SETRANGE', vectors_key(segment), offset * width, ARGV[i + 1])
      filled = filled + 1
    end
  end
end
if ttl > 0 then
  for _, name in ipairs(KEYS) do redis.call('PEXPIRE', name, ttl) end
end
return {'ok', filled}
"""
)

GET = """
-- KEYS: ids, docs. ARGV: ids. Answers with a list of texts for each id.
local answer = {}
for i, id in ipairs(ARGV) do
  local texts = {}
  local entry = redis.call('HGET', KEYS[1], id)
  if entry then
    local from, count = string.match(entry, '^(%d+) (%d+)')
    for number = tonumber(from), from + count - 1 do
      table.insert(texts, redis.call('HGET', KEYS[2], number))
    end
  end
  answer[i] = texts
end
return answer
"""

ANNOTATE = """
-- KEYS: ids. ARGV: triples of an id, the beginning of its entry (first and count) and a note.
-- Answers with how many ids were given their note; those that were written again are passed over.
local noted = 0
for i = 1, #ARGV, 3 do
  local entry = redis.call('HGET', KEYS[1], ARGV[i])
  if entry and string.match(entry, '^%d+ %d+ ') == ARGV[i + 1] then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] .. ARGV[i + 2])
    noted = noted + 1
  end
end
return noted
"""
