-- KEYS: the entry. Drops its values and leases. ARGV[4] is a mark to lift, or ''; ARGV[5] one to set,
-- for ARGV[6] milliseconds, or ''. Marks keep values out.
local key, digest, lift, mark, lasts = KEYS[1], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])

-- Marks that stand are kept. Of the others, and of values, nothing is.
local last, marks = 0, {}
for _, field in ipairs(redis.call('HKEYS', key)) do
  local name = string.match(field, '^m:(.*)')
  if name and name ~= lift then
    local ends = tonumber(redis.call('HGET', key, field))
    if ends > now then
      marks[#marks + 1] = field
      marks[#marks + 1] = text(ends)
      last = math.max(last, ends)
    end
  end
end
redis.call('DEL', key)
if mark ~= '' then
  marks[#marks + 1] = 'm:' .. mark
  marks[#marks + 1] = text(now + lasts)
  last = math.max(last, now + lasts)
end
if #marks > 0 then
  redis.call('HSET', key, 'm', text(last))
  hset(key, marks)
  redis.call('PEXPIRE', key, text(last - now))
end
announce(digest, '-')
return {'ok'}
