-- KEYS: the user's index. Ends one, all, or all but one of a user's sessions; says how many.
local user, which, what, ended = ARGV[3], ARGV[4], ARGV[5], 0
for _, digest in ipairs(sessions_of(user)) do
  local doomed = which == 'all'
    or (which == 'others' and digest ~= what)
    or (which == 'one' and redis.call('HGET', record(digest), '~h') == what)
  if doomed then
    finish(digest)
    redis.call('ZREM', KEYS[1], digest)
    ended = ended + 1
  end
end
return ended
