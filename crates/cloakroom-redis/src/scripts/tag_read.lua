-- KEYS: the tag. Its version, and the number of the message that it came with; one that has none gets
-- ARGV[4], and may have changed at the latest message.
local key, digest, drawn, lasts = KEYS[1], ARGV[3], ARGV[4], ARGV[5]
local held = redis.call('GET', key)
if not held then
  -- A server that was emptied knows of no message, though there were some: it begins to count anew.
  held = drawn .. ' ' .. (redis.call('GET', prefix .. 'seq') or announce(digest, '-'))
  redis.call('SET', key, held)
end
-- A write, so that a master that was replaced refuses it.
redis.call('PEXPIRE', key, lasts)
return {'ok', held}
