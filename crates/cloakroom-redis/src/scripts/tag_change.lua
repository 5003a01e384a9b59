-- KEYS: the tag. Gives it the version ARGV[4].
local key, digest, drawn, lasts = KEYS[1], ARGV[3], ARGV[4], ARGV[5]
-- What a full server refuses comes first: should it end there, the tag has changed and can't be told.
local number = announce(digest, '-')
redis.call('SET', key, drawn .. ' ' .. number, 'PX', lasts)
return {'ok'}
