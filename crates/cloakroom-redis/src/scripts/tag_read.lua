-- KEYS: the tag. Its version, and the number of the message that it came with; one that has none gets
-- ARGV[3], and may have changed at the latest message.
local key, drawn, lasts = KEYS[1], ARGV[3], ARGV[4]
local held = redis.call('GET', key)
if not held then
  held = drawn .. ' ' .. (redis.call('GET', prefix .. 'seq') or '0')
  redis.call('SET', key, held)
end
-- A write, so that a master that was replaced refuses it.
redis.call('PEXPIRE', key, lasts)
return {'ok', held}
