"""Conversions of single values in the scripts of peers, as simple as they are usually written."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from xml_extractor.contract.model import Column, Contract, Lookup, Table
from xml_extractor.values.sqltypes import SqlType

INTEGERS = {"bit", "tinyint", "smallint", "int", "bigint"}
KEY_BITS = 62


def value_of(contract: Contract, column: Column, text: str | None) -> Any:
    """A text of a document as a column gets it: codes looked up, whole numbers read, all else as it stands."""
    stripped = _transformed(column, "" if text is None else text.strip())
    if column.lookup is not None:
        return looked_up(contract.lookups[column.lookup], stripped)
    if column.type is None or not stripped:
        return stripped or column.default
    return _typed(column.type, stripped)


def _transformed(column: Column, text: str) -> str:
    for transform in column.transform:
        match transform.name:
            case "digits":
                text = re.sub(r"\D", "", text)
            case "number":
                text = re.sub(r"[^\d.-]", "", text)
            case "upper":
                text = text.upper()
            case "lower":
                text = text.lower()
            case _:
                pass
    return text


def _typed(kind: SqlType, text: str) -> Any:
    if kind.name in INTEGERS:
        return int(text) if re.fullmatch(r"-?\d+", text) else None
    if kind.name == "binary":
        return bytes.fromhex(text)
    # SQL Server counts UTF-16 code units, and refuses what is longer.
    return text.encode("utf-16-le")[: 2 * kind.length].decode("utf-16-le", "ignore") if kind.length > 0 else text


def looked_up(lookup: Lookup, code: str) -> Any:
    """Return the value of a code."""
    if not code:
        return lookup.blank
    if lookup.ignore_case:
        return {known.upper(): value for known, value in lookup.values.items()}.get(code.upper(), lookup.unknown)
    return lookup.values.get(code, lookup.unknown)


def made_key(column: Column) -> Any:
    """A key that no document has: by chance, because a script has nothing to derive it from."""
    made = uuid4()
    return made.int >> (128 - KEY_BITS) if column.type is not None and column.type.name == "bigint" else str(made)


def is_kept(table: Table, row: Mapping[str, Any]) -> bool:
    """Whether a row is one of the table, by `at_least_one` and a condition `COLUMN = NUMBER`."""
    if table.when is not None:
        name, _, number = table.when.partition(" = ")
        if row.get(name) != int(number):
            return False
    return not table.at_least_one or any(row.get(name) is not None for name in table.at_least_one)


def distinct(table: Table, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep the last of equal rows, if the table has `distinct`."""
    if table.distinct is None:
        return rows
    by = table.distinct.by
    return list({tuple(row[name] for name in by): row for row in rows}.values())


def read_columns(table: Table) -> Iterator[tuple[str, Column]]:
    """The columns that scripts fill: all but those that an expression computes, or that have to do with zones."""
    return (
        (name, column)
        for name, column in table.columns.items()
        if column.expression is None
        and column.time_zone is None
        and (column.type is None or column.type.name != "datetimeoffset")
    )
