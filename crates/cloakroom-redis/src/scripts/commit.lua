-- KEYS: the record. Says gone and writes nothing when the session has ended.
local key, digest, max_size = KEYS[1], ARGV[3], tonumber(ARGV[4])
local expected, writes = tonumber(ARGV[5]), tonumber(ARGV[6])
-- Other limits of time, or '' for those that it has.
local idle, absolute, remembered = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]

local header = redis.call('HMGET', key, '~r', '~s', '~i', '~x', '~z', '~k', '~a', '~e')
if header[2] == 'superseded' then return unwritten({'superseded'}) end
if not header[1] or not lives(header[8]) then return unwritten({'gone'}) end
local left = tonumber(header[4]) - now
if left <= 0 then return unwritten({'gone'}) end

local at, conflict, current = 10, false, {}
for i = 1, expected do
  local held = redis.call('HGET', key, ARGV[at])
  local want = ARGV[at + 1] == '1' and ARGV[at + 2]
  if held ~= want then conflict = true end
  current[i] = held
  at = at + 3
end
if conflict then return unwritten({'conflict', header[1], current}) end

-- What an attribute's name counts: the field of one that begins with '~' bears another.
local function length(field) return #field - (string.byte(field) == 126 and 1 or 0) end

local size, sets, removes = tonumber(header[5]), {}, {}
for _ = 1, writes do
  local name, value = ARGV[at], ARGV[at + 1] == '1' and ARGV[at + 2]
  local old = redis.call('HSTRLEN', key, name)
  if old > 0 or redis.call('HEXISTS', key, name) == 1 then size = size - length(name) - old end
  if value then
    size = size + length(name) + #value
    sets[#sets + 1] = name
    sets[#sets + 1] = value
  else
    removes[#removes + 1] = name
  end
  at = at + 3
end
-- What is over a cap that was lowered may still shrink.
if size > max_size and size > tonumber(header[5]) then return unwritten({'too large', size}) end

if idle then
  left = absolute
  for _, f in ipairs({'~i', ARGV[7], '~x', text(now + absolute), '~m', remembered}) do
    sets[#sets + 1] = f
  end
end

-- An index that was lost is found again, one session at a time.
if header[6] then enter(header[6], header[7] .. '000', digest, left) end

local revision = text(tonumber(header[1]) + 1)
for _, f in ipairs({'~r', revision, '~t', text(now), '~z', text(size)}) do sets[#sets + 1] = f end
-- What a full server refuses comes first.
hset(key, sets)
for _, name in ipairs(removes) do redis.call('HDEL', key, name) end
redis.call('PEXPIRE', key, text(math.min(idle or tonumber(header[3]), left)))
announce(digest, revision)
return {'ok', revision}
