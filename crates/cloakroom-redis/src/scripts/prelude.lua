-- Shared by all scripts. ARGV[1] is the bucket's prefix, ARGV[2] the command that publishes.
-- Every key that a script computes bears the same hash tag as the keys it was given.
local prefix, publish = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function text(number) return string.format('%.0f', number) end
local function record(digest) return prefix .. 's:' .. digest end
local function index(user) return prefix .. 'u:' .. user end

-- Whoever ends everybody's sessions begins an epoch: what was made in an earlier one has ended.
local known_epoch
local function epoch()
  known_epoch = known_epoch or redis.call('GET', prefix .. 'epoch') or ''
  return known_epoch
end
local function lives(its_epoch) return (its_epoch or '') == epoch() end

-- For an answer that writes nothing: after a write that changes nothing. A master that was replaced
-- and doesn't know it, or can't reach its replicas, refuses it; without, it would say of what others
-- made since that there is nothing to end, to write to or to list. Writes to the first key: others may
-- have moved away. Not before an answer that writes: a full server lets a script go on that has
-- written already.
local function unwritten(answer)
  redis.call('HDEL', KEYS[1], '~-')
  return answer
end
local function unwritten_index(answer)
  redis.call('ZREM', KEYS[1], '-')
  return answer
end

-- "Your copy is stale": the new revision, or '-' when the session ended. Numbered, so that whoever
-- listens can tell that nothing is missing.
local function announce(...)
  local number = redis.call('INCR', prefix .. 'seq')
  -- A count that begins anew, because the server was emptied, begins elsewhere than the last one.
  if number == 1 then
    number = time[1] * 1000000 + time[2]
    redis.call('SET', prefix .. 'seq', text(number))
  end
  redis.call(publish, prefix .. 'bus', table.concat({'1', text(number), ...}, ' '))
  return text(number)
end

-- Keeps a cached entry for at least so many milliseconds.
local function outlive(key, milliseconds)
  if redis.call('PTTL', key) < milliseconds then redis.call('PEXPIRE', key, text(milliseconds)) end
end

-- Puts a cached value in place, and answers its revision: higher than the last one's, also where that
-- was lost.
local function keep(key, schema, value, before, fresh, usable)
  local revision = math.max(tonumber(before or '0') + 1, time[1] * 1000000 + time[2])
  redis.call('HSET', key, schema .. 'v', value, schema .. 'r', text(revision),
    schema .. 'f', text(now + fresh), schema .. 'u', text(now + usable))
  outlive(key, tonumber(usable))
  return text(revision)
end

-- An entry is in the index before its record is, and leaves after it: should a crash ever leave
-- half of a script, then the half is a ghost that the next look clears away, and never a session
-- that no list shows and no revocation finds.

-- Remembers that something is revoked, for so many milliseconds, and says so.
local function revoke_for(digest, lasts)
  local key = prefix .. 'x'
  redis.call('ZREMRANGEBYSCORE', key, '-inf', text(now))
  redis.call('ZADD', key, 'GT', text(now + lasts), digest)
  outlive(key, tonumber(lasts))
  announce(digest, '-', lasts)
end

-- Leaves nothing of a session, but what its tokens are refused by, if it has any. Its index is dealt
-- with by the caller.
local function finish(digest)
  local outlived_by = redis.call('HGET', record(digest), '~j')
  redis.call('DEL', record(digest))
  if outlived_by then
    revoke_for(digest, outlived_by)
  else
    announce(digest, '-')
  end
end

-- Leaves nothing of a session but a mark of how its id ended, for MARKED_FOR milliseconds:
-- 'superseded' by a newer id, or 'ended' by its client.
local function mark(digest, how)
  finish(digest)
  redis.call('HSET', record(digest), '~s', how)
  redis.call('PEXPIRE', record(digest), MARKED_FOR)
end

-- Enters a session into its user's index, which must outlive it by what is left of its life.
local function enter(user, order, digest, left)
  redis.call('ZADD', index(user), 'NX', order, digest)
  if redis.call('PTTL', index(user)) < left then redis.call('PEXPIRE', index(user), text(left)) end
end

-- HSET of any number of pairs, within Lua's limit on arguments.
local function hset(key, pairs)
  for first = 1, #pairs, 400 do
    redis.call('HSET', key, unpack(pairs, first, math.min(first + 399, #pairs)))
  end
end

-- The user's live sessions by order of login; what is no longer there leaves the index.
local function sessions_of(user)
  local live = {}
  for _, digest in ipairs(redis.call('ZRANGE', index(user), 0, -1)) do
    local header = redis.call('HMGET', record(digest), '~k', '~e')
    if header[1] == user and lives(header[2]) then
      live[#live + 1] = digest
    else
      redis.call('ZREM', index(user), digest)
    end
  end
  return live
end
