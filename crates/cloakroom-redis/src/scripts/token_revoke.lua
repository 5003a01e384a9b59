-- KEYS: what is revoked in the bucket. Remembers one thing more.
local digest, lasts = ARGV[3], ARGV[4]
-- Refused by no server that is full: it lets a script go on that has written.
redis.call('ZREM', KEYS[1], '-')
revoke_for(digest, lasts)
return {'ok'}
