-- KEYS: the record. Ends an id that a newer one replaces, though it leads nowhere; shows what its
-- session held if it was written since it was known.
local key, digest, revision = KEYS[1], ARGV[3], ARGV[4]

local header = redis.call('HMGET', key, '~r', '~s', '~k', '~e')
if header[2] then return unwritten({'already'}) end
local alive = header[1] and lives(header[4])
local late = alive and header[1] ~= revision and redis.call('HGETALL', key)
mark(digest, 'superseded')
if header[3] then redis.call('ZREM', index(header[3]), digest) end
if not alive then return {'already'} end
return {late and 'late' or 'ok', late}
