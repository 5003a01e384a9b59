-- KEYS: the user's index. The user's live sessions by order of login.
local user, found = ARGV[3], {}
for _, digest in ipairs(sessions_of(user)) do
  found[#found + 1] =
    redis.call('HMGET', record(digest), '~h', '~l', '~c', '~a', '~t', '~m')
end
return unwritten_index(found)
