-- Read bodies of the log.
-- ARGV: known epoch, lo, hi (bodies lo <= i < hi are held), interval list
-- Replies {log id, epoch, {{first position, {body...}}...}}
local known, lo, hi = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local log = read_log()
if not log or log.epoch ~= known then lo, hi = 0, 0 end
local named = log_reply(log)
return { named[1], named[2], read_bodies(log, { ARGV[4] }, lo, hi) }
