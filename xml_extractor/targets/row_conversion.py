"""Rows on their way to a database and back."""

from collections.abc import Callable, Sequence
from typing import Any

from xml_extractor.documents import Row

Convert = Callable[[Any], Any]
"""From a value to another; never called with None."""


def row_converter(conversions: Sequence[Convert | None]) -> Callable[[Sequence[Any]], Row]:
    """Applies conversions, by position, to the values of a row that are not NULL."""
    needed = [(index, convert) for index, convert in enumerate(conversions) if convert is not None]
    if not needed:
        return tuple

    def convert_row(row: Sequence[Any]) -> Row:
        values = [*row]
        for index, convert in needed:
            value = values[index]
            if value is not None:
                values[index] = convert(value)
        return tuple(values)

    return convert_row
