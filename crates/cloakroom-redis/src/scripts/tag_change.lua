-- KEYS: the tag. Gives it the version ARGV[4].
local key, digest, drawn, lasts = KEYS[1], ARGV[3], ARGV[4], ARGV[5]
-- First what a full server does not refuse: then it lets the rest go on.
redis.call('DEL', key)
local number = announce(digest, '-')
redis.call('SET', key, drawn .. ' ' .. number, 'PX', lasts)
return {'ok'}
