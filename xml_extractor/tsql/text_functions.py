"""Functions on text: LEN, LEFT, SUBSTRING, REPLACE, CONCAT and the like.

A new function is a function here and a line in `FUNCTIONS`. Positions and lengths count UTF-16 units. Source: "String
functions (Transact-SQL)", Microsoft Learn, and the page of each function.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.tsql.collation import folded, lowered, raised
from xml_extractor.tsql.conversion import Purpose, as_integer, as_text, convert, refuse_large_objects, require_text
from xml_extractor.tsql.errors import EvaluationError
from xml_extractor.tsql.result_types import is_unicode, length_of, longest, text_type, varying, written_type
from xml_extractor.tsql.text import from_units, text_fitter, to_units
from xml_extractor.tsql.typed import BIGINT, INT, NULL, Function, Typed, apply, constant_value, lazily
from xml_extractor.values.sqltypes import MAX, Family, SqlType

_MOST_TO_CONCATENATE = 254


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
    texts = [_for_concat(argument) for argument in arguments]
    name = "nvarchar" if any(is_unicode(text.type) for text in texts) else "varchar"
    lengths = [text.type.length for text in texts]
    result = text_type(name, MAX if MAX in lengths else max(1, sum(lengths)))
    fit = text_fitter(result, result, strict=False)
    runs = tuple(text.run for text in texts)

    def run(values: Sequence[Value], clock: datetime) -> Value:
        found = [part(values, clock) for part in runs]
        return fit("".join([text for text in found if isinstance(text, str)]))

    return lazily(result, run, *texts)


def _for_concat(part: Typed) -> Typed:
    refuse_large_objects(part)
    if part.null:
        return convert(NULL, SqlType("varchar", length=1))
    purpose = Purpose.EXPLICIT if part.type.family is Family.MONEY else Purpose.IMPLICIT
    return part if part.type.family is Family.TEXT else convert(part, written_type(part.type), purpose)


FUNCTIONS: dict[str, Function] = {
    "CHARINDEX": Function(_charindex, 2, 3),
    "CONCAT": Function(_concat, 2, _MOST_TO_CONCATENATE),
    "LEFT": Function(_left, 2),
    "LEN": Function(_len, 1),
    "LOWER": Function(_mapped(lowered), 1),
    "LTRIM": Function(_trimmer(left=True, right=False), 1, 2),
    "REPLACE": Function(_replace, 3),
    "RIGHT": Function(_right, 2),
    "RTRIM": Function(_trimmer(left=False, right=True), 1, 2),
    "SUBSTRING": Function(_substring, 3),
    "UPPER": Function(_mapped(raised), 1),
}
