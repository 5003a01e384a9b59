-- KEYS: the entry. Reads one schema's value, and takes its load lease if that is wanted and free.
local key, schema, want, lease, lasts = KEYS[1], ARGV[3] .. ':', ARGV[4], ARGV[5], tonumber(ARGV[6])

local held = redis.call('HMGET', key, schema .. 'v', schema .. 'r', schema .. 'f', schema .. 'u',
  schema .. 'l', schema .. 'x', 'm')
local value, revision, fresh, usable = held[1], held[2], tonumber(held[3]), tonumber(held[4])
if held[7] and tonumber(held[7]) > now then return unwritten({'marked'}) end
if not value or usable <= now then value, fresh, usable = false, now, now end
local found = {value, revision or '0', text(math.max(fresh - now, 0)), text(usable - now)}

if value and fresh > now and want ~= revision then return unwritten({'fresh', found}) end
if want == 'look' then return unwritten({'absent', found}) end
local until_ms = tonumber(held[6] or '0')
if held[5] and until_ms > now then
  redis.call('HSET', key, schema .. 'w', '1')
  return {'held', found, text(until_ms - now)}
end
redis.call('HSET', key, schema .. 'l', lease, schema .. 'x', text(now + lasts))
redis.call('HDEL', key, schema .. 'w')
outlive(key, lasts)
return {'leased', found}
