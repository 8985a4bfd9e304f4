"""What scripts of peers do with single values: as simple as people write it, and no more."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from xml_extractor.contract.model import Column, Contract, Lookup, Table

INTEGERS = {"bit", "tinyint", "smallint", "int", "bigint"}
KEY_BITS = 62


def value_of(contract: Contract, column: Column, text: str | None) -> Any:
    """A text of a document as a column gets it: codes looked up, whole numbers read, all else as it stands."""
    stripped = "" if text is None else text.strip()
    for transform in column.transform:
        match transform.name:
            case "digits":
                stripped = re.sub(r"\D", "", stripped)
            case "number":
                stripped = re.sub(r"[^\d.-]", "", stripped)
            case "upper":
                stripped = stripped.upper()
            case "lower":
                stripped = stripped.lower()
            case _:
                pass
    if column.lookup is not None:
        return looked_up(contract.lookups[column.lookup], stripped)
    if not stripped:
        return column.default
    if column.type is not None and column.type.name in INTEGERS:
        return int(stripped) if re.fullmatch(r"-?\d+", stripped) else None
    return stripped


def looked_up(lookup: Lookup, code: str) -> Any:
    """What a code stands for."""
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
    """The last of rows that are equal where the table says so."""
    if table.distinct is None:
        return rows
    by = table.distinct.by
    return list({tuple(row[name] for name in by): row for row in rows}.values())


def read_columns(table: Table) -> Iterator[tuple[str, Column]]:
    """The columns that scripts fill: all but those that an expression computes."""
    return ((name, column) for name, column in table.columns.items() if column.expression is None)
