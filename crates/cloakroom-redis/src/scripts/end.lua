-- KEYS: the record. Ends one session, as its client wished.
local digest = ARGV[3]

local header = redis.call('HMGET', KEYS[1], '~r', '~s', '~k', '~e')
if header[2] then return unwritten({header[2]}) end
if not header[1] or not lives(header[4]) then return unwritten({'absent'}) end
mark(digest, 'ended')
if header[3] then redis.call('ZREM', index(header[3]), digest) end
return {'ok'}
