-- Name the checkpoints of a namespace, or of all; newest first within each.
-- ARGV: 'all', or namespace, checkpoint id that all must precede ('' for no bound),
--       greatest number (-1 for no limit)
if #ARGV == 1 then return redis.call('ZREVRANGEBYLEX', IDX, '+', '-') end
local ns, before, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local top = '[' .. ns .. '/\255'
if before ~= '' then top = '(' .. ns .. '/' .. before end
return redis.call('ZREVRANGEBYLEX', IDX, top, '[' .. ns .. '/', 'LIMIT', 0, limit)
