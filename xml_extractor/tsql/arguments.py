"""Arguments of functions, converted to what the functions work on."""

from xml_extractor.tsql.conversion import convert
from xml_extractor.tsql.faults import RefusalError
from xml_extractor.tsql.result_types import LARGE_OBJECTS, NUMBERS, written_type
from xml_extractor.tsql.typed import INT, Typed, constant
from xml_extractor.values.sqltypes import Family, SqlType


def refuse_large_objects(part: Typed) -> None:
    """Refuse `text`, `ntext` and `image`, which few functions take."""
    if part.type.name in LARGE_OBJECTS:
        raise RefusalError(f"the function does not take {part.type}", expected="varchar(max), nvarchar(max)")


def refuse_other_than_text(part: Typed, function: str, *families: Family) -> None:
    """Refuse what is no text, for functions that convert nothing; `families` are types that they take beside text."""
    if part.null or part.type.family not in {Family.TEXT, *families}:
        found = "the word NULL" if part.null else str(part.type)
        raise RefusalError(f"{function} does not take {found}", expected="text")


def as_text(part: Typed) -> Typed:
    """A part as text; of other types as much text as their values need."""
    if part.null:
        return constant(SqlType("varchar", length=1), None)
    return part if part.type.family is Family.TEXT else convert(part, written_type(part.type))


def as_integer(part: Typed) -> Typed:
    """A part as an int."""
    return convert(part, INT)


def as_number(part: Typed) -> Typed:
    """A part as a number; text becomes a float."""
    if part.type.family in NUMBERS:
        return part
    return convert(part, SqlType("float", precision=53))
