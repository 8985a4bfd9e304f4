"""Functions on text: LEN, LEFT, SUBSTRING, REPLACE, CONCAT and the like.

A new function is a function here and a line in `FUNCTIONS`. Positions and lengths count UTF-16 units. Source: "String
functions (Transact-SQL)", Microsoft Learn, and the page of each function.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.tsql.collation import finder, folded, lowered, raised, to_units
from xml_extractor.tsql.conversion import Purpose, as_integer, as_text, convert, refuse_large_objects, require_text
from xml_extractor.tsql.errors import CompileError, EvaluationError
from xml_extractor.tsql.result_types import is_unicode, length_of, longest, text_type, varying, written_type
from xml_extractor.tsql.text import codepage_bytes, codepage_text, from_units, text_fitter
from xml_extractor.tsql.typed import BIGINT, INT, NULL, Function, Typed, apply, apply_to_nulls, constant_value
from xml_extractor.values.sqltypes import MAX, Family, SqlType

_MOST_TO_CONCATENATE = 254
_LAST_BYTE, _LAST_UNIT = 0xFF, 0xFFFF
_MOST_CHARACTERS = 2**26
"""The length of the longest text that REPLICATE makes."""


def _len(arguments: Sequence[Typed]) -> Typed:
    text = _small_text(arguments[0])
    return apply(_length, _position_type(text.type), text)


def _length(text: str) -> int:
    return len(to_units(text).rstrip(" "))


def _small_text(part: Typed) -> Typed:
    refuse_large_objects(part)
    return as_text(part)


def _position_type(data_type: SqlType) -> SqlType:
    return BIGINT if data_type.length == MAX else INT


def _left(arguments: Sequence[Typed]) -> Typed:
    text, count = _small_text(arguments[0]), as_integer(arguments[1])
    return apply(_first_units, _part_type(text.type, count), text, count)


def _right(arguments: Sequence[Typed]) -> Typed:
    text, count = _small_text(arguments[0]), as_integer(arguments[1])
    return apply(_last_units, _part_type(text.type, count), text, count)


def _part_type(data_type: SqlType, count: Typed) -> SqlType:
    """Return the type of a part of a text, as long as the number of characters if it is constant, else as the text."""
    known = constant_value(count) if count.constant else None
    whole = length_of(data_type)
    if not isinstance(known, int) or known < 0:
        return varying(data_type)
    return varying(data_type, min(known, longest(data_type.name)) if whole == MAX else min(known, whole))


def _checked_count(count: int) -> int:
    if count < 0:
        raise EvaluationError(Reason.INVALID_ARGUMENT, "the number of characters is negative")
    return count


def _first_units(text: str, count: int) -> str:
    return from_units(to_units(text)[: _checked_count(count)])


def _last_units(text: str, count: int) -> str:
    units = to_units(text)
    return from_units(units[max(0, len(units) - _checked_count(count)) :])


def _substring(arguments: Sequence[Typed]) -> Typed:
    whole, start, count = arguments[0], as_integer(arguments[1]), as_integer(arguments[2])
    require_text(whole, "SUBSTRING", Family.BINARY)
    if whole.type.family is Family.BINARY:
        return apply(_byte_range, _part_type(whole.type, count), whole, start, count)
    text = as_text(whole)
    return apply(_unit_range, _part_type(text.type, count), text, start, count)


def _unit_range(text: str, start: int, count: int) -> str:
    end = start - 1 + _checked_count(count)
    return from_units(to_units(text)[max(0, start - 1) : max(0, end)])


def _byte_range(content: bytes, start: int, count: int) -> bytes:
    end = start - 1 + _checked_count(count)
    return content[max(0, start - 1) : max(0, end)]


def _charindex(arguments: Sequence[Typed]) -> Typed:
    wanted, text = as_text(arguments[0]), as_text(arguments[1])
    starts = [as_integer(argument) for argument in arguments[2:]]
    return apply(_position, _position_type(text.type), wanted, text, *starts)


def _position(wanted: str, text: str, start: int = 1) -> int:
    if not wanted:
        return 0
    return folded(to_units(text)).find(folded(to_units(wanted)), max(0, start - 1)) + 1


def _replace(arguments: Sequence[Typed]) -> Typed:
    texts = [_small_text(argument) for argument in arguments]
    name = "nvarchar" if any(is_unicode(text.type) for text in texts) else "varchar"
    large = any(text.type.length == MAX for text in texts)
    result = text_type(name, MAX if large else longest(name))
    fit = text_fitter(result, result, strict=False)
    return apply(lambda text, old, new: fit(_replaced(text, old, new)), result, *texts)


def _replaced(text: str, old: str, new: str) -> str:
    if not old:
        return text
    haystack, needle = folded(text), folded(old)
    pieces: list[str] = []
    start = 0
    while (found := haystack.find(needle, start)) >= 0:
        pieces += (text[start:found], new)
        start = found + len(old)
    return "".join((*pieces, text[start:]))


def _mapped(change: Callable[[str], str]) -> Callable[[Sequence[Typed]], Typed]:
    def build(arguments: Sequence[Typed]) -> Typed:
        text = _small_text(arguments[0])
        return apply(change, varying(text.type), text)

    return build


def _trimmer(*, left: bool, right: bool) -> Callable[[Sequence[Typed]], Typed]:
    def strip(text: str, characters: str = " ") -> str:
        wanted = characters if characters.isspace() else raised(characters) + lowered(characters)
        text = text.lstrip(wanted) if left else text
        return text.rstrip(wanted) if right else text

    def build(arguments: Sequence[Typed]) -> Typed:
        for characters in arguments[1:]:
            require_text(characters, "the set of characters to trim")
        texts = [_small_text(argument) for argument in arguments]
        return apply(strip, varying(texts[0].type), *texts)

    return build


def trimmed(text: Typed, characters: Typed | None, side: str) -> Typed:
    """Compile `TRIM([side] [characters FROM] text)`; the side is LEADING, TRAILING, BOTH or empty."""
    require_text(text, "TRIM")
    build = _trimmer(left=side != "TRAILING", right=side != "LEADING")
    return build((text,) if characters is None else (text, characters))


def _concat(arguments: Sequence[Typed]) -> Typed:
    return _joined(None, arguments)


def _concat_ws(arguments: Sequence[Typed]) -> Typed:
    separator, *parts = arguments
    if not separator.null:
        require_text(separator, "the separator of CONCAT_WS")
    return _joined(separator, parts)


def _joined(separator: Typed | None, arguments: Sequence[Typed]) -> Typed:
    """Compile the concatenation of all arguments that are not NULL; a separator that is NULL is empty text."""
    between = _for_concat(NULL if separator is None else separator)
    texts = [_for_concat(argument) for argument in arguments]
    name = "nvarchar" if any(is_unicode(text.type) for text in (between, *texts)) else "varchar"
    lengths = [text.type.length for text in texts] + [0 if separator is None else between.type.length] * (
        len(texts) - 1
    )
    result = text_type(name, MAX if MAX in lengths else max(1, sum(lengths)))
    fit = text_fitter(result, result, strict=False)

    def join(joint: str | None, *found: str | None) -> Value:
        return fit((joint or "").join([text for text in found if text is not None]))

    return apply_to_nulls(join, result, between, *texts)


def _for_concat(part: Typed) -> Typed:
    refuse_large_objects(part)
    if part.null:
        return convert(NULL, SqlType("varchar", length=1))
    purpose = Purpose.EXPLICIT if part.type.family is Family.MONEY else Purpose.IMPLICIT
    return part if part.type.family is Family.TEXT else convert(part, written_type(part.type), purpose)


def _patindex(arguments: Sequence[Typed]) -> Typed:
    for argument in arguments:
        require_text(argument, "PATINDEX")
    pattern, text = arguments
    unicode = is_unicode(pattern.type) or is_unicode(text.type)
    return apply(
        lambda wanted, searched: finder(wanted, unicode=unicode)(searched), _position_type(text.type), pattern, text
    )


def _stuff(arguments: Sequence[Typed]) -> Typed:
    whole, start, count, inserted = arguments
    big_start, big_count = convert(start, BIGINT), convert(count, BIGINT)
    if whole.type.family is Family.BINARY:
        added = convert(inserted, SqlType("varbinary", length=1)) if inserted.null else inserted
        require_text(added, "STUFF of binaries", Family.BINARY)
        if added.type.family is not Family.BINARY:
            raise CompileError("STUFF of binaries does not take text", expected="varbinary")
        return _stuffed(whole, big_start, big_count, added, b"", bytes, bytes)
    return _stuffed(_small_text(whole), big_start, big_count, _small_text(inserted), "", to_units, from_units)


def _stuffed(
    whole: Typed,
    start: Typed,
    count: Typed,
    inserted: Typed,
    nothing: str | bytes,
    split: Callable[[Any], Any],
    join: Callable[[Any], Value],
) -> Typed:
    """Compile STUFF of text or binaries; NULL inserts nothing, a range outside the text makes NULL."""
    name = "nvarchar" if is_unicode(inserted.type) else varying(whole.type).name
    lengths = (length_of(whole.type), length_of(inserted.type))
    result = text_type(name, MAX if MAX in lengths else max(1, sum(lengths)))

    def stuff(found: Any, first: int | None, removed: int | None, new: Any) -> Value:
        if found is None or first is None or removed is None:
            return None
        units = split(found)
        if removed < 0 or not 1 <= first <= len(units):
            return None
        stuffed = units[: first - 1] + split(nothing if new is None else new) + units[first - 1 + removed :]
        if result.length != MAX and len(stuffed) > result.length:
            raise EvaluationError(Reason.TRUNCATION, f"the text is longer than {result}")
        return join(stuffed)

    return apply_to_nulls(stuff, result, whole, start, count, inserted)


def _replicate(arguments: Sequence[Typed]) -> Typed:
    text, count = _small_text(arguments[0]), convert(arguments[1], BIGINT)
    kept = varying(text.type)
    result = text_type(kept.name, MAX if kept.length == MAX else longest(kept.name))
    return apply(partial(_repeated, result), result, text, count)


def _repeated(result: SqlType, text: str, count: int) -> Value:
    if count < 0:
        return None
    units = to_units(text)
    if result.length != MAX:
        return from_units((units * min(count, result.length))[: result.length])
    if len(units) * count > _MOST_CHARACTERS:
        raise EvaluationError(Reason.INVALID_ARGUMENT, f"the text has more than {_MOST_CHARACTERS:,} characters")
    return text * count


def _space(arguments: Sequence[Typed]) -> Typed:
    result = SqlType("varchar", length=longest("varchar"))
    return apply(partial(_repeated, result, " "), result, as_integer(arguments[0]))


def _reverse(arguments: Sequence[Typed]) -> Typed:
    text = _small_text(arguments[0])
    return apply(lambda found: from_units(to_units(found)[::-1]), varying(text.type), text)


def _translate(arguments: Sequence[Typed]) -> Typed:
    texts = [_small_text(argument) for argument in arguments]
    result = varying(texts[0].type)
    fit = text_fitter(SqlType("nvarchar", length=MAX), result, strict=False)
    return apply(lambda text, old, new: fit(_translated(text, old, new)), result, *texts)


def _translated(text: str, old: str, new: str) -> str:
    before, after = folded(to_units(old)), to_units(new)
    if len(before) != len(after):
        raise EvaluationError(Reason.INVALID_ARGUMENT, "TRANSLATE needs as many new characters as old ones")
    table = dict(zip(reversed(before), reversed(after), strict=True))
    units = to_units(text)
    return from_units("".join([table.get(key, unit) for key, unit in zip(folded(units), units, strict=True)]))


def _code(kernel: Callable[[str], int | None]) -> Callable[[Sequence[Typed]], Typed]:
    return lambda arguments: apply(kernel, INT, _small_text(arguments[0]))


def _char(arguments: Sequence[Typed]) -> Typed:
    def character(code: int) -> str | None:
        return codepage_text(bytes((code,))) if 0 <= code <= _LAST_BYTE else None

    return apply(character, SqlType("char", length=1), as_integer(arguments[0]))


def _nchar(arguments: Sequence[Typed]) -> Typed:
    def character(code: int) -> str | None:
        return from_units(chr(code)) if 0 <= code <= _LAST_UNIT else None

    return apply(character, SqlType("nchar", length=1), as_integer(arguments[0]))


FUNCTIONS: dict[str, Function] = {
    "ASCII": Function(_code(lambda text: codepage_bytes(text[:1])[0] if text else None), 1),
    "CHAR": Function(_char, 1),
    "CHARINDEX": Function(_charindex, 2, 3),
    "CONCAT": Function(_concat, 2, _MOST_TO_CONCATENATE),
    "CONCAT_WS": Function(_concat_ws, 3, _MOST_TO_CONCATENATE),
    "LEFT": Function(_left, 2),
    "LEN": Function(_len, 1),
    "LOWER": Function(_mapped(lowered), 1),
    "LTRIM": Function(_trimmer(left=True, right=False), 1, 2),
    "NCHAR": Function(_nchar, 1),
    "PATINDEX": Function(_patindex, 2),
    "REPLACE": Function(_replace, 3),
    "REPLICATE": Function(_replicate, 2),
    "REVERSE": Function(_reverse, 1),
    "RIGHT": Function(_right, 2),
    "RTRIM": Function(_trimmer(left=False, right=True), 1, 2),
    "SPACE": Function(_space, 1),
    "STUFF": Function(_stuff, 4),
    "SUBSTRING": Function(_substring, 3),
    "TRANSLATE": Function(_translate, 3),
    "UNICODE": Function(_code(lambda text: ord(to_units(text[0])[0]) if text else None), 1),
    "UPPER": Function(_mapped(raised), 1),
}
