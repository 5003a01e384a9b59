-- KEYS: the bucket's epoch. Ends all of its sessions: what lies there is of an earlier epoch now, and
-- expires. ARGV[3] names the epoch that begins. What stands there are the last epochs' names, the latest
-- first, so that to say an earlier one again changes nothing.
if not string.find(epoch(), ARGV[3], 1, true) then
  -- Refused by no server that is full: it lets a script go on that has written.
  redis.call('PERSIST', KEYS[1])
  redis.call('SET', KEYS[1], string.sub(ARGV[3] .. ' ' .. epoch(), 1, 200))
  announce('*')
end
return 1
