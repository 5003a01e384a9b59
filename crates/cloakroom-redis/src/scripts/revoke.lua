-- KEYS: the user's index. Ends one, all, or all but one of a user's sessions; says which.
local user, which, what, ended = ARGV[3], ARGV[4], ARGV[5], {}
for _, digest in ipairs(sessions_of(user)) do
  local named = redis.call('HGET', record(digest), '~h') == what
  local doomed = which == 'all' or (which == 'others' and not named) or (which == 'one' and named)
  if doomed then
    finish(digest)
    redis.call('ZREM', KEYS[1], digest)
    ended[#ended + 1] = digest
  end
end
if #ended == 0 then return unwritten_index({'ok', ended}) end
return {'ok', ended}
