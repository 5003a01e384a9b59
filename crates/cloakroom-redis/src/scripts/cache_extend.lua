-- KEYS: the entry. Keeps a load lease, if it still is this one's.
local key, schema, lease, lasts = KEYS[1], ARGV[3] .. ':', ARGV[4], tonumber(ARGV[5])
if redis.call('HGET', key, schema .. 'l') ~= lease then return unwritten({'lost'}) end
redis.call('HSET', key, schema .. 'x', text(now + lasts))
outlive(key, lasts)
return {'ok'}
