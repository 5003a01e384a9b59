-- KEYS: the record. Ends an id that a newer one replaces, unless it was written meanwhile;
-- an empty revision retires it however it stands.
local key, digest, revision, mark = KEYS[1], ARGV[3], ARGV[4], ARGV[5]

local header = redis.call('HMGET', key, '~r', '~s', '~k')
if header[2] or not header[1] then return {'already'} end
if revision ~= '' and header[1] ~= revision then return {'changed', redis.call('HGETALL', key)} end
supersede(digest, mark)
if header[3] then redis.call('ZREM', index(header[3]), digest) end
return {'ok'}
