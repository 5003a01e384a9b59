-- KEYS: the record. Ends an id that a newer one replaces, though it leads nowhere; shows what its
-- session held if it was written since it was known.
local key, digest, revision = KEYS[1], ARGV[3], ARGV[4]

local header = redis.call('HMGET', key, '~r', '~s', '~k')
if header[2] then return {'already'} end
local late = header[1] and header[1] ~= revision and redis.call('HGETALL', key)
mark(digest, 'superseded')
if not header[1] then return {'already'} end
if header[3] then redis.call('ZREM', index(header[3]), digest) end
return {late and 'late' or 'ok', late}
