"""The steps of :class:`~edge.session.redis_store.RedisStore` as Lua, each atomic on the server.

A session is one hash, so that it expires as a whole:

==================  =================================================================
``agent, tag``      as in ``NewSession``; ``created_at``, ``expires_at`` too
``regions``         the regions the data key is wrapped for, by spaces; ``wrap:<region>``
``epoch, owner``    the fence
``turns, tools``    how many there are; ``bytes``: what their entries take together
``state``           after the last turn; ``ended`` is there once the session is over
``subjects``        the names it is found by, by spaces
``turn:<n>``        a turn's body, ``turn-digest:<n>``
``tool:<n>``        the call id of the n-th tool call; then, by that id, ``intent:``,
                    ``intent-digest:``, ``outcome:`` and ``outcome-digest:``
==================  =================================================================

Every key that a script touches is in KEYS, as the server's access lists and clusters require.
The first value of an answer is what became of the step.

A subject is a sorted set of the ids of its sessions by their ``expires_at``; it expires with the
last of them. All sessions of the tenant are in such a set too: no user may look for keys by name.
"""

from __future__ import annotations

_OWNED = """
local row = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'ended', 'turns', 'tools', 'bytes')
if not row[1] then return {'unknown'} end
if row[3] then return {'ended'} end
if row[1] ~= ARGV[1] or row[2] ~= ARGV[2] then return {'stale'} end
local turns, tools, bytes = tonumber(row[4]), tonumber(row[5]), tonumber(row[6])
"""
"""ARGV: epoch, owner, …"""

_MARK = """
local function list(key, id, began, ends)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', began)
  redis.call('ZADD', key, ends, id)
  local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
  redis.call('EXPIREAT', key, last[2])
end
local function mark(text, most)
  if text == '' then return end
  local row = redis.call('HMGET', KEYS[1], 'subjects', 'created_at', 'expires_at')
  local known, id, place = row[1] or '', string.match(KEYS[1], '{(.*)}'), 2
  local _, count = string.gsub(known, '%S+', '')
  for name in string.gmatch(text, '%S+') do
    if count < most and not string.find(known, name, 1, true) then
      known, count = known .. ' ' .. name, count + 1
      list(KEYS[place], id, row[2], row[3])
    end
    place = place + 1
  end
  redis.call('HSET', KEYS[1], 'subjects', known)
end
"""
"""KEYS from the second on are the subjects that ``text`` names, in its order."""

CREATE = (
    _MARK
    + """
local there = redis.call('HMGET', KEYS[1], 'agent', 'tag', 'epoch', 'owner')
if there[1] then
  if there[1] == ARGV[1] and there[2] == ARGV[2] and there[3] == '1' and there[4] == ARGV[3] then
    return {'ok'}
  end
  return {'exists'}
end
redis.call('HSET', KEYS[1], 'agent', ARGV[1], 'tag', ARGV[2], 'epoch', '1', 'owner', ARGV[3],
  'created_at', ARGV[4], 'expires_at', ARGV[5], 'turns', '0', 'tools', '0', 'bytes', '0',
  unpack(ARGV, 8))
redis.call('EXPIREAT', KEYS[1], ARGV[5])
list(KEYS[#KEYS], string.match(KEYS[1], '{(.*)}'), ARGV[4], ARGV[5])
mark(ARGV[6], tonumber(ARGV[7]))
return {'ok'}
"""
)
"""KEYS: the session, its subjects, all sessions. ARGV: agent, tag, owner, created_at, expires_at,
subjects, most subjects, then fields and values of the wrapped keys."""

HEADER = """
local row = redis.call('HMGET', KEYS[1], 'expires_at', 'agent', 'tag', 'ended', 'regions')
if not row[1] or tonumber(row[1]) <= tonumber(ARGV[1]) then return {'unknown'} end
local answer = {'ok', row[2], row[3], row[4]}
for region in string.gmatch(row[5], '%S+') do
  answer[#answer + 1] = region
  answer[#answer + 1] = redis.call('HGET', KEYS[1], 'wrap:' .. region)
end
return answer
"""
"""ARGV: now."""

TAKE = """
local row = redis.call('HMGET', KEYS[1], 'expires_at', 'epoch', 'owner', 'ended')
if not row[1] or tonumber(row[1]) <= tonumber(ARGV[1]) then return {'unknown'} end
local epoch = row[2]
if row[3] ~= ARGV[2] and not row[4] then
  epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
  redis.call('HSET', KEYS[1], 'owner', ARGV[2])
end
return {'ok', tostring(epoch), redis.call('HGETALL', KEYS[1])}
"""
"""ARGV: now, owner."""

READ = """
local expires = redis.call('HGET', KEYS[1], 'expires_at')
if not expires or tonumber(expires) <= tonumber(ARGV[1]) then return {'unknown'} end
return {'ok', redis.call('HGETALL', KEYS[1])}
"""
"""ARGV: now."""

ERASE = """
local known = redis.call('HGET', KEYS[1], 'subjects') or ''
if known ~= ARGV[1] then return {'ok', false, known} end
for place = 2, #KEYS do redis.call('ZREM', KEYS[place], string.match(KEYS[1], '{(.*)}')) end
return {'ok', redis.call('EXPIREAT', KEYS[1], 1), known}
"""
"""KEYS: the session, the subjects that ARGV names, all sessions; when it has other subjects by now,
nothing is done and they are told. What was to expire long ago is deleted at once ("EXPIREAT",
redis.io, read 2026-11-21)."""

FIND = """
local answer = redis.call('ZRANGE', KEYS[1], '(' .. ARGV[1], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[2])
table.insert(answer, 1, 'ok')
return answer
"""
"""KEYS: the subject. ARGV: now, how many."""

AT_REST = """
local page = redis.call('ZRANGE', KEYS[1], ARGV[1], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[2],
  'WITHSCORES')
local last = page[#page]
local answer = {'ok', last or false}
for place = 1, #page, 2 do
  if page[place + 1] ~= last then answer[#answer + 1] = page[place] end
end
if last then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[1], last, last, 'BYSCORE')) do
    answer[#answer + 1] = id
  end
end
return answer
"""
"""KEYS: all sessions. ARGV: from which expires_at on, how many. All of the last second are there,
so that the next page begins after it, whatever is erased meanwhile."""

COMMIT = (
    _OWNED
    + _MARK
    + """
local number = tonumber(ARGV[3])
if number <= turns then
  if redis.call('HGET', KEYS[1], 'turn-digest:' .. ARGV[3]) ~= ARGV[4] then return {'rewritten'} end
  return {'ok'}
end
if number ~= turns + 1 then return {'gap'} end
if number > tonumber(ARGV[7]) then return {'many'} end
bytes = bytes + #ARGV[5]
if bytes > tonumber(ARGV[8]) then return {'big'} end
redis.call('HSET', KEYS[1], 'turn:' .. ARGV[3], ARGV[5], 'turn-digest:' .. ARGV[3], ARGV[4],
  'state', ARGV[6], 'turns', ARGV[3], 'bytes', tostring(bytes))
mark(ARGV[9], tonumber(ARGV[10]))
return {'ok'}
"""
)
"""ARGV: epoch, owner, number, digest, body, state, most turns, most bytes, subjects, most of them.
"""

TOOL_PENDING = (
    _OWNED
    + """
local there = redis.call('HMGET', KEYS[1], 'intent-digest:' .. ARGV[3], 'outcome:' .. ARGV[3])
if there[1] then
  if there[1] ~= ARGV[4] then return {'rewritten'} end
  return {'ok', there[2]}
end
if tools >= tonumber(ARGV[6]) then return {'many'} end
bytes = bytes + #ARGV[5]
if bytes > tonumber(ARGV[7]) then return {'big'} end
tools = tostring(tools + 1)
redis.call('HSET', KEYS[1], 'tool:' .. tools, ARGV[3], 'intent:' .. ARGV[3], ARGV[5],
  'intent-digest:' .. ARGV[3], ARGV[4], 'tools', tools, 'bytes', tostring(bytes))
return {'ok', false}
"""
)
"""ARGV: epoch, owner, call id, digest, body, most tool calls, most bytes."""

TOOL_SETTLED = (
    _OWNED
    + """
local there = redis.call('HMGET', KEYS[1], 'intent-digest:' .. ARGV[3],
  'outcome-digest:' .. ARGV[3])
if not there[1] then return {'not-pending'} end
if there[2] then
  if there[2] ~= ARGV[4] then return {'rewritten'} end
  return {'ok'}
end
bytes = bytes + #ARGV[5]
if bytes > tonumber(ARGV[6]) then return {'big'} end
redis.call('HSET', KEYS[1], 'outcome:' .. ARGV[3], ARGV[5], 'outcome-digest:' .. ARGV[3], ARGV[4],
  'bytes', tostring(bytes))
return {'ok'}
"""
)
"""ARGV: epoch, owner, call id, digest, body, most bytes."""

FINISH = """
if not redis.call('HGET', KEYS[2], ARGV[3]) then
  local ids = redis.call('HGET', KEYS[4], ARGV[7]) or ''
  if (string.match(ids, '%S+$') or '') ~= ARGV[8] then return {'overtaken'} end
  redis.call('HSETNX', KEYS[2], ARGV[3], ARGV[4])
  redis.call('RPUSH', KEYS[3], ARGV[3])
  redis.call('HSET', KEYS[4], ARGV[7], ids == '' and ARGV[3] or ids .. ' ' .. ARGV[3])
  while redis.call('LLEN', KEYS[3]) > tonumber(ARGV[5]) do
    local gone = redis.call('LPOP', KEYS[3])
    local session = cjson.decode(redis.call('HGET', KEYS[2], gone)).session_id
    local first, rest = string.match(redis.call('HGET', KEYS[4], session) or '', '^(%S+) ?(.*)$')
    if first == gone and rest == '' then
      redis.call('HDEL', KEYS[4], session)
    elseif first == gone then
      redis.call('HSET', KEYS[4], session, rest)
    end
    redis.call('HDEL', KEYS[2], gone)
  end
end
if ARGV[6] ~= '1' then return {'ok'} end
local row = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'ended')
if not row[1] or row[3] then return {'ok'} end
if row[1] ~= ARGV[1] or row[2] ~= ARGV[2] then return {'stale'} end
redis.call('HSET', KEYS[1], 'ended', '1')
return {'ok'}
"""
"""KEYS: the session, the records, their order, each session's call ids in one text. ARGV: epoch,
owner, call id, record, most records, whether it ends the session, its id, the call id that the
record follows or ''. One that expired, or was ended by the first of two tries, is fine."""

READ_RECORDS = """
local ids = redis.call('LRANGE', KEYS[2], -tonumber(ARGV[1]), -1)
local answer = {'ok'}
for first = 1, #ids, 1000 do
  local last = math.min(first + 999, #ids)
  for _, body in ipairs(redis.call('HMGET', KEYS[1], unpack(ids, first, last))) do
    answer[#answer + 1] = body
  end
end
return answer
"""
"""KEYS: the records, their order. ARGV: how many."""

READ_SESSION = """
local ids = {}
for id in string.gmatch(redis.call('HGET', KEYS[2], ARGV[1]) or '', '%S+') do ids[#ids + 1] = id end
local answer = {'ok'}
for place = math.max(1, #ids - tonumber(ARGV[2]) + 1), #ids do
  answer[#answer + 1] = redis.call('HGET', KEYS[1], ids[place])
end
return answer
"""
"""KEYS: the records, each session's call ids. ARGV: the session's id, how many."""
