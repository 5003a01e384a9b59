-- KEYS: what is revoked in the bucket. All of it, each with the milliseconds that it is remembered for.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now))
local revoked = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 2, #revoked, 2 do revoked[i] = text(tonumber(revoked[i]) - now) end
return unwritten_index({'ok', epoch(), revoked})
