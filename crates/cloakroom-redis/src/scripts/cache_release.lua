-- KEYS: the entry. Gives a load lease back. Who waits for it is told to look again.
local key, digest, schema, lease = KEYS[1], ARGV[3], ARGV[4] .. ':', ARGV[5]
local held = redis.call('HMGET', key, schema .. 'l', schema .. 'w')
if held[1] ~= lease then return unwritten({'lost'}) end
redis.call('HDEL', key, schema .. 'l', schema .. 'x', schema .. 'w')
if held[2] then announce(digest, '0') end
return {'ok'}
