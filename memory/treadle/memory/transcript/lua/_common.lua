-- KEYS of every script: the list of what was said, the hash of where each message stands in it.
local said, places = KEYS[1], KEYS[2]
