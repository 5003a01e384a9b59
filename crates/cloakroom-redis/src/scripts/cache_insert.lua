-- KEYS: the entry. Puts a value in place of all that is there, but not while a mark stands.
local key, digest, schema = KEYS[1], ARGV[3], ARGV[4] .. ':'
local held = redis.call('HMGET', key, 'm', schema .. 'r')
if held[1] and tonumber(held[1]) > now then return unwritten({'refused'}) end
-- What a full server refuses comes first.
local revision = keep(key, schema, ARGV[5], held[2], ARGV[6], ARGV[7])
for _, field in ipairs(redis.call('HKEYS', key)) do
  if string.sub(field, 1, #schema) ~= schema then redis.call('HDEL', key, field) end
end
redis.call('HDEL', key, schema .. 'l', schema .. 'x', schema .. 'w')
announce(digest, revision)
return {'ok', revision}
