-- KEYS: the bucket's epoch. Ends all of its sessions: what lies there is of an earlier epoch now, and
-- expires. ARGV[3] names the epoch that begins, so that saying it again changes nothing.
if epoch() ~= ARGV[3] then
  redis.call('SET', KEYS[1], ARGV[3])
  announce('*')
end
return 1
