"""Tables as a database has them, and differences from the tables that a contract needs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

from xml_extractor.escaping import escaped
from xml_extractor.values.sqltypes import SqlType

TableKind = Literal["table", "view", "elsewhere"]


@dataclass(frozen=True, slots=True)
class ActualColumn:
    """A column in the database.

    Attributes:
        type: Its type; None for a type that a contract cannot name.
        declared: The type as the database reports it.
        identity: Whether it is an IDENTITY column; None if that is unknown.
        computed: Whether only the database can write it.
        has_default: Whether the database fills it when an INSERT leaves it out.
        code_page: The code page of its collation, 65001 for UTF-8; None for types without one.
        collation: The name of its collation; empty for types without one, and where it does not matter.
    """

    name: str
    type: SqlType | None = None
    declared: str = ""
    nullable: bool = True
    identity: bool | None = False
    computed: bool = False
    has_default: bool = False
    code_page: int | None = None
    collation: str = ""


@dataclass(frozen=True, slots=True)
class ActualForeignKey:
    """A foreign key that the database enforces.

    Attributes:
        columns: Its columns, in the order of `references`.
        schema, table: The referenced table; `table` is empty if this user has no permission to see it.
    """

    columns: tuple[str, ...]
    schema: str
    table: str
    references: tuple[str, ...]


class ActualRule(NamedTuple):
    """A rule by which the database may reject a row, other than its primary key, foreign keys and NOT NULL.

    Attributes:
        kind: Such as `unique index`, `CHECK constraint` or `trigger`.
        name: Its name; empty for a constraint without one.
        columns: Of a unique index.
    """

    kind: str
    name: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ActualTable:
    """A table, view or synonym in the database.

    Attributes:
        key: The columns of its primary key.
        unique_keys: The columns of its other unique keys, without filtered ones.
        kind: Keys, defaults and IDENTITY columns of a view are unknown; of a synonym for a table of another database
            (`elsewhere`) everything is.
        typed: Whether the types of its columns can be compared.
        rules: Its unique indexes, filtered ones among them, CHECK constraints and triggers.
        drops_duplicates: Whether a unique key drops duplicate rows without an error (IGNORE_DUP_KEY).
    """

    name: str
    columns: tuple[ActualColumn, ...] = ()
    key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ActualForeignKey, ...] = ()
    schema: str = ""
    kind: TableKind = "table"
    typed: bool = True
    drops_duplicates: bool = False
    rules: tuple[ActualRule, ...] = ()


class Severity(StrEnum):
    """Whether a difference prevents a run from loading documents."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between the tables of the target and those that the contract needs. Holds no value of a document.

    Attributes:
        table: The table's name in the contract.
        database_table: Its name in the database.
        column: The column or columns; empty for the table itself.
        needed: What the contract needs.
        found: What the database has.
        remedy: How to fix it, in the database or in the contract.
    """

    severity: Severity
    table: str
    database_table: str
    column: str
    needed: str
    found: str
    remedy: str

    def __str__(self) -> str:
        column = f".{self.column}" if self.column else ""
        where = f" in {self.database_table}" if self.database_table.casefold() != self.table.casefold() else ""
        place = f"{self.table}{column}{where}"
        return escaped(f"{self.severity}: {place}: expected {self.needed}, found {self.found}; {self.remedy}")
