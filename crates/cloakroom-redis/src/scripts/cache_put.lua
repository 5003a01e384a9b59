-- KEYS: the entry. Puts a value in place if the load lease is still this one's, and gives it back.
local key, digest, schema, lease = KEYS[1], ARGV[3], ARGV[4] .. ':', ARGV[5]
local held = redis.call('HMGET', key, schema .. 'l', schema .. 'r', schema .. 'w')
if held[1] ~= lease then return unwritten({'refused'}) end
local revision = keep(key, schema, ARGV[6], held[2], ARGV[7], ARGV[8])
redis.call('HDEL', key, schema .. 'l', schema .. 'x', schema .. 'w')
if held[3] then announce(digest, revision) end
return {'ok', revision}
