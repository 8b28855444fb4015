"""What a record that is no message looks like, and what its producer is to change: a hint for its dead letter.

Nothing here decides whether a record is refused, or for which reason.
"""

import re
from typing import Final

import msgspec
from msgspec import Raw

_FRAMED: Final = b"\x00\x00"
_FRAME: Final = 5
_SPACE: Final = b" \t\r\n"

_BEGINNINGS: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"\x1f\x8b", "gzip", "leave compression to the Kafka client (`compression.type`)"),
    (b"\x28\xb5\x2f\xfd", "zstd", "leave compression to the Kafka client (`compression.type`)"),
    (b"\x04\x22\x4d\x18", "lz4", "leave compression to the Kafka client (`compression.type`)"),
    (b"LZ4Block", "lz4", "leave compression to the Kafka client (`compression.type`)"),
    (b"\xff\x06\x00\x00sNaPpY", "snappy", "leave compression to the Kafka client (`compression.type`)"),
    (b"\x82SNAPPY\x00", "snappy", "leave compression to the Kafka client (`compression.type`)"),
    (b"\xef\xbb\xbf", "text with a byte-order mark", "write UTF-8 without one"),
    (b"\xff\xfe", "UTF-16", "write UTF-8"),
    (b"\xfe\xff", "UTF-16", "write UTF-8"),
    (b"{\x00", "UTF-16", "write UTF-8"),
    (b"\x00{", "UTF-16", "write UTF-8"),
    (b"Obj\x01", "an Avro file", "produce JSON"),
    (b"PAR1", "a Parquet file", "produce JSON"),
    (b"\xac\xed\x00\x05", "a serialised Java object", "produce JSON"),
    (b"<", "XML", "produce JSON"),
    (b"{'", "a dictionary as Python prints it", "write it with a JSON encoder"),
    (b"eyJ", "JSON in Base64", "produce the JSON itself"),
    (b"%7B", "a URL-encoded text", "produce JSON"),
)
_FORM: Final = re.compile(rb"[\w.\-]{1,64}=[^{}\"\n]{0,256}&[\w.\-]{1,64}=")
_CSV: Final = re.compile(rb"[^{}\[\]\n,;\t]{1,256}([,;\t])[^{}\[\]\n,;\t]{1,256}\1")
_pairs: Final = msgspec.json.Decoder(dict[str, Raw])


def of_bytes(value: bytes) -> str | None:
    """What bytes that are no JSON look like; None for nothing in particular."""
    head = value[:1_024].lstrip(_SPACE)
    if _is_framed(value):
        return _framed(value)
    for beginning, name, remedy in _BEGINNINGS:
        if head.startswith(beginning):
            return sentence(name, remedy)
    return _several(value) if head[:1] == b"{" else _other_format(head)


def _other_format(head: bytes) -> str | None:
    if _FORM.match(head):
        return sentence("a submitted form", "produce JSON")
    if _CSV.match(head):
        return sentence("CSV", "produce one JSON object a record")
    if head and (head[0] < 0x20 or head[0] > 0x7E):
        return sentence("a binary format such as Avro, Protobuf or MessagePack", "produce JSON")
    return None


def of_json(value: bytes) -> str | None:
    """What JSON that is no object looks like."""
    head = value[:1_024].lstrip(_SPACE)
    if head[:1] == b"[":
        return sentence("several messages in one list", "produce one message a record")
    if head[:1] == b'"' and head[1:].lstrip(_SPACE)[:1] in {b"{", b"["}:
        return sentence("a message that was encoded twice", "produce the object, not its text")
    return None


def of_key(key: bytes) -> str | None:
    """What a key looks like that is to name an item and was written by a serializer that adds to it."""
    if _is_framed(key):
        return _framed(key)
    if key[:1] not in {b"{", b'"'}:
        return None
    try:
        inner = msgspec.json.decode(key)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(inner, dict) or (isinstance(inner, str) and inner):
        return sentence("a key that was written as JSON", "write the item id itself, as UTF-8")
    return None


def _is_framed(value: bytes) -> bool:
    """A zero, then the id of a schema, of which no registry has very many."""
    return value[:2] == _FRAMED and any(value[2:_FRAME]) and len(value) > _FRAME


def _framed(value: bytes) -> str:
    name = f"a record framed by a schema registry (schema {int.from_bytes(value[1:_FRAME], 'big')})"
    if value[_FRAME : _FRAME + 1] in {b"{", b'"'}:
        return sentence(name, "produce the JSON without the five bytes before it")
    return sentence(name + ", Avro or Protobuf", "produce plain JSON, without the registry's serializer")


def _several(value: bytes) -> str | None:
    """An object with another behind it."""
    end = value.find(b"\n")
    first = value[:end] if end > 0 else value[: value.find(b"}{") + 1]
    rest = value[len(first) :].lstrip(_SPACE)
    if not first or rest[:1] != b"{":
        return None
    try:
        _pairs.decode(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return sentence("several JSON objects in one record", "produce one message a record")


def sentence(name: str, remedy: str) -> str:
    """A hint, as a part of the dead letter's one sentence."""
    return f"it looks like {name}: {remedy}"
