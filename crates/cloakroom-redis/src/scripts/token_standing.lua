-- KEYS: what is revoked in the bucket. The epoch, and for how long one thing is remembered; 0 if it isn't.
local ends = redis.call('ZSCORE', KEYS[1], ARGV[3])
local left = ends and math.max(tonumber(ends) - now, 0) or 0
return unwritten_index({'ok', epoch(), text(left)})
