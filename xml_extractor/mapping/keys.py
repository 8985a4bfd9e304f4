"""Keys derived from where a row is in its document: the same again for the same document.

A key is a BLAKE2b hash of contract, table, path of the row rule, document key, and the positions of the row and of its
parent rows. Loading a document a second time gives the same keys, in any target and by any worker.

Keys of `uniqueidentifier`, `binary(16)` and 32 hexadecimal digits have 128 bits. A `bigint` has 63: among n keys the
probability that any two are equal is about n^2 / 2^64, which is 5 % for a billion rows and 0.000005 % for a million.
"""

from collections.abc import Callable
from hashlib import blake2b

from xml_extractor.documents import Value
from xml_extractor.mapping.scope import Origin, RowScope
from xml_extractor.values.sqltypes import MAX, Family, SqlType

_BYTES = 16
_DIGITS = 2 * _BYTES


def _bigint(digest: bytes, _: SqlType) -> Value:
    return int.from_bytes(digest[:8], "big") >> 1


def _uniqueidentifier(digest: bytes, _: SqlType) -> Value:
    digits = digest.hex().upper()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _binary(digest: bytes, target: SqlType) -> Value:
    return digest if target.length == MAX else digest[: target.length]


def _hexadecimal(digest: bytes, target: SqlType) -> Value:
    return digest.hex() if target.length == MAX else digest.hex()[: target.length]


_SHAPES: dict[Family, Callable[[bytes, SqlType], Value]] = {
    Family.INTEGER: _bigint,
    Family.GUID: _uniqueidentifier,
    Family.BINARY: _binary,
    Family.TEXT: _hexadecimal,
}


def derived_key(target: SqlType, contract: str, table: str, rule_paths: tuple[str, ...]) -> Origin:
    """Compile the key of a table's rows to the type of its column."""
    shape = _SHAPES[target.family]
    prefixes = tuple(f"{contract}\0{table}\0{path}" for path in rule_paths)

    def derive(scope: RowScope) -> Value:
        identity = [prefixes[scope.rule], str(scope.document.key), str(scope.position)]
        parent = scope.parent
        while parent is not None:
            identity.append(str(parent.position))
            parent = parent.parent
        text = "\0".join(identity).encode("utf-8", "surrogatepass")
        return shape(blake2b(text, digest_size=_BYTES).digest(), target)

    return derive
