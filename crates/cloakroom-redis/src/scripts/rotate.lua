-- KEYS: the record, and where it shall lie. Copies, then retires; never RENAME.
local old, new = ARGV[3], ARGV[4]

local header = redis.call('HMGET', KEYS[1], '~r', '~s', '~k', '~i', '~x', '~e')
if header[2] == 'superseded' then return unwritten({'superseded'}) end
if not header[1] or not lives(header[6]) then return unwritten({'gone'}) end
local left = tonumber(header[5]) - now
if left <= 0 then return unwritten({'gone'}) end
if redis.call('EXISTS', KEYS[2]) == 1 then return unwritten({'collision'}) end

if header[3] then
  local order = redis.call('ZSCORE', index(header[3]), old)
  enter(header[3], order or text(time[1] * 1000000 + time[2]), new, left)
end
redis.call('COPY', KEYS[1], KEYS[2])
local revision = text(tonumber(header[1]) + 1)
redis.call('HSET', KEYS[2], '~d', new, '~r', revision, '~t', text(now))
redis.call('PEXPIRE', KEYS[2], text(math.min(tonumber(header[4]), left)))
mark(old, 'superseded')
if header[3] then redis.call('ZREM', index(header[3]), old) end
return {'ok', revision}
