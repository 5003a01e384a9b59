-- KEYS: the record, and with a login the user's index.
local digest, handle, idle, absolute = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local remembered, revision, size = ARGV[7], ARGV[8], ARGV[9]
local user, name, device = ARGV[10], ARGV[11], ARGV[12]
local limit, refuse, replaces, replaced = tonumber(ARGV[13]), ARGV[14] == '1', ARGV[15], ARGV[16]
local key = KEYS[1]

if redis.call('EXISTS', key) == 1 then return unwritten({'collision'}) end

local evicted = {}
if user ~= '' then
  local held = {}
  if limit > 0 then
    for _, d in ipairs(sessions_of(user)) do
      if d ~= replaces then held[#held + 1] = d end
    end
    if #held >= limit and refuse then return unwritten({'limit'}) end
    for i = 1, #held + 1 - limit do
      evicted[i] = held[i]
      finish(held[i])
      redis.call('ZREM', KEYS[2], held[i])
    end
  end
end

local fields = {
  '~d', digest, '~h', handle, '~r', revision, '~c', text(now), '~t', text(now),
  '~x', text(now + absolute), '~i', ARGV[5], '~m', remembered, '~z', size,
}
if user ~= '' then
  enter(user, text(time[1] * 1000000 + time[2]), digest, absolute)
  for _, f in ipairs({'~k', user, '~u', name, '~a', text(now)}) do fields[#fields + 1] = f end
  if device ~= '' then
    fields[#fields + 1] = '~l'
    fields[#fields + 1] = device
  end
end
if epoch() ~= '' then
  fields[#fields + 1] = '~e'
  fields[#fields + 1] = epoch()
end
if ARGV[17] ~= '0' then
  fields[#fields + 1] = '~j'
  fields[#fields + 1] = ARGV[17]
end
for i = 18, #ARGV do fields[#fields + 1] = ARGV[i] end
hset(key, fields)
redis.call('PEXPIRE', key, math.min(idle, absolute))

if user ~= '' and limit == 0 then
  -- Without a limit nobody counts; each login clears away some that have expired: of the oldest, and
  -- of any, for the oldest may live long.
  for _, some in ipairs({
    redis.call('ZRANGE', KEYS[2], 0, 9), redis.call('ZRANDMEMBER', KEYS[2], 10),
  }) do
    for _, d in ipairs(some) do
      if redis.call('HEXISTS', record(d), '~k') == 0 then redis.call('ZREM', KEYS[2], d) end
    end
  end
end

-- The user's own session that this one replaces is retired in the same step.
local late = false
local old = replaces ~= '' and redis.call('HMGET', record(replaces), '~k', '~r', '~e')
if old and old[1] == user and lives(old[3]) then
  if old[2] ~= replaced then
    late = redis.call('HGETALL', record(replaces))
  end
  mark(replaces, 'superseded')
  redis.call('ZREM', KEYS[2], replaces)
end
return {'ok', text(now), evicted, late}
