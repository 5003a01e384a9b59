-- KEYS: the record. Slides the idle window to a use that was ARGV[3] milliseconds ago.
-- No revision changes and nothing is announced: what a copy holds stays true. Nor does it matter
-- whether the session is of an epoch that has ended: it stays so.
local key, ago = KEYS[1], tonumber(ARGV[3])

local header = redis.call('HMGET', key, '~r', '~t', '~i', '~x')
if not header[1] then return 0 end
local seen = now - ago
local left = math.min(seen + tonumber(header[3]), tonumber(header[4])) - now
if seen <= tonumber(header[2]) or left <= 0 then return 0 end
-- In this order, or a full server would let sessions end that are used.
redis.call('PEXPIRE', key, text(left))
redis.call('HSET', key, '~t', text(seen))
return 1
