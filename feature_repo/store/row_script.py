"""The scripts that read and write rows inside the server, and the bytes they are fed with.

One call a batch: per-row commands cost more in the client than in the server. Values travel as one length-prefixed
argument, since redis-py spends longest on counting arguments; keys stay keys, so that access rules hold. On a cluster
a script may touch one hash slot only: there `RowStore` would send the same script once a row, in a pipeline.
"""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

#: KEYS: rows. ARGV: field names, the fence first. Answers one list of values a row, null for an absent field, and last
#: how many rows, of anybody, the server has evicted since it started: asked where a row is absent, -1 otherwise.
READ: Final = """
local rows, absent = {}, false
for i, key in ipairs(KEYS) do
  rows[i] = redis.call('HMGET', key, unpack(ARGV))
  absent = absent or not rows[i][1]
end
local stats = absent and redis.pcall('INFO', 'stats')
rows[#rows + 1] = tonumber(type(stats) == 'string' and string.match(stats, 'evicted_keys:(%d+)') or -1)
return rows
"""

#: KEYS[1]: a row that nobody has. Writes it and takes it away: whoever may do that may write every row.
PROBE: Final = """
redis.call('HSET', KEYS[1], '_fence', '')
return redis.call('DEL', KEYS[1])
"""

#: KEYS: rows. ARGV[1]: `serialise_changes` of them. ARGV[2], ARGV[3], …: names of a field and of its time, in turns.
#: Answers 0, or the position of the first row whose fence is neither as expected nor already the new one, negative
#: where it is absent and should not be; then nothing is written. A row that has its new fence is a retry after a lost
#: answer: its fence is written once more and nothing else, so that a WAITAOF behind the script waits for the disk all
#: the same.
WRITE: Final = """
local call, cut, changes, at = redis.call, struct.unpack, ARGV[1], 1
local fences, retried = {}, {}
for i, key in ipairs(KEYS) do
  local expected, fence
  expected, fence, at = cut('<I4c0I4c0', changes, at)
  local found = call('HGET', key, '_fence') or ''
  if found ~= expected then
    if found ~= fence then return found == '' and -i or i end
    retried[i] = true
  end
  fences[i] = fence
end
for i, key in ipairs(KEYS) do
  local fence = fences[i]
  local seen, time, lasts, fields, field, value
  seen, time, lasts, fields, field, value, at = cut('<I4c0I1c0I4I1I1I4c0', changes, at)
  local more = {}
  for f = 1, fields - 1 do
    local name, content
    name, content, at = cut('<I1I4c0', changes, at)
    local n = 4 * f
    more[n - 3], more[n - 2], more[n - 1], more[n] = ARGV[name], content, ARGV[name + 1], time
  end
  if retried[i] then
    call('HSET', key, '_fence', fence)
  elseif fence == '' then
    call('HSET', key, ARGV[field], value, ARGV[field + 1], time, unpack(more))
  elseif seen == '' then
    call('HSET', key, '_fence', fence, ARGV[field], value, ARGV[field + 1], time, unpack(more))
  else
    call('HSET', key, '_fence', fence, '_seen', seen, ARGV[field], value, ARGV[field + 1], time, unpack(more))
  end
  if lasts == 1 then call('PERSIST', key) elseif lasts > 1 then call('PEXPIRE', key, lasts) end
end
return 0
"""

#: KEYS[1]: a number. ARGV[1]: what it is to be at least. Answers what it is now.
RAISE: Final = """
local noted = tonumber(redis.call('GET', KEYS[1]) or 0)
if noted >= tonumber(ARGV[1]) then return noted end
redis.call('SET', KEYS[1], ARGV[1])
return tonumber(ARGV[1])
"""

PERSIST: Final = 1
"""In the place of milliseconds that a row lasts: it was to go, and stays."""
_LENGTH: Final = struct.Struct("<I").pack
_BYTE: Final = struct.Struct("<B").pack
_FIELD: Final = struct.Struct("<BI").pack


class Change(NamedTuple):
    """What happens to one row.

    Attributes:
        expected: the fence the row must have, empty for a row no worker has written.
        fence: the fence it gets, empty to give it none.
        seen: bookkeeping that goes with the fence, empty to leave it as it is.
        time: serialised Timestamp of the fields.
        fields: one at least: number of its name among the names, and its value in two parts, the first one short.
        ttl_ms: milliseconds until the row goes, 0 to leave that as it is, `PERSIST`.
    """

    expected: bytes
    fence: bytes
    seen: bytes
    time: bytes
    fields: Sequence[tuple[int, bytes, bytes]]
    ttl_ms: int = 0


def serialise_changes(*parts: tuple[bytes, bytes]) -> bytes:
    """Changes as the write script reads them, in the order of its keys: all fences first, then what is written.

    Args:
        parts: of `serialise_some`.
    """
    return b"".join([fences for fences, _ in parts] + [written for _, written in parts])


def serialise_some(changes: Sequence[Change]) -> tuple[bytes, bytes]:
    """Fences of some changes, and what is written."""
    fences: list[bytes] = []
    parts: list[bytes] = []
    for expected, fence, seen, time, fields, lasts in changes:
        fences += (_LENGTH(len(expected)), expected, _LENGTH(len(fence)), fence)
        parts += (_LENGTH(len(seen)), seen, _BYTE(len(time)), time, _LENGTH(lasts), _BYTE(len(fields)))
        for number, head, value in fields:
            parts += (_FIELD(2 * number + 2, len(head) + len(value)), head, value)
    return b"".join(fences), b"".join(parts)
