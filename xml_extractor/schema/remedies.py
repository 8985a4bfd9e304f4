"""What to do about a difference between contract and target, in the words of the target's database."""

from collections.abc import Sequence

from xml_extractor.contract.layout import ColumnLayout
from xml_extractor.schema.ddl import ScalarType
from xml_extractor.schema.dialects import dialect_named

_OTHER_FILE = "load into a new file"


class Remedies:
    """Hints for one kind of database.

    Args:
        dialect_name: SQLAlchemy's name of the dialect, such as `sqlite` or `mssql`.

    Attributes:
        makes_tables: Whether a run makes tables that are missing.
    """

    def __init__(self, dialect_name: str) -> None:
        self._dialect = dialect_named(dialect_name)
        self.makes_tables = dialect_name == "sqlite"

    def name(self, *parts: str) -> str:
        """A name as SQL has it, with its schema before it if there is one."""
        return ".".join(self._dialect.identifier_preparer.quote(part) for part in parts if part)

    def names(self, columns: Sequence[str]) -> str:
        """Columns in parentheses, as SQL has them."""
        return f"({', '.join(map(self.name, columns))})"

    def make_table(self) -> str:
        """A table is missing, or cannot be seen."""
        if self.makes_tables:
            return "the next run makes it"
        return "make it with `xml-extractor init`, or, if it is there, grant this user permissions on it"

    def add_column(self, table: str, column: ColumnLayout) -> str:
        """A column is missing."""
        by_database = column.identity or column.generated
        if by_database and self.makes_tables:
            return _OTHER_FILE
        definition = f"{self._type(column)} {'NOT NULL IDENTITY' if by_database else 'NULL'}"
        return f"ALTER TABLE {table} ADD {self.name(column.name)} {definition}"

    def change_type(self, table: str, column: ColumnLayout, *, nullable: bool) -> str:
        """A column has a type that does not keep all values."""
        return self._alter(table, column, nullable=nullable)

    def allow_null(self, table: str, column: ColumnLayout) -> str:
        """A column refuses NULL, and the contract does not."""
        in_contract = "say `required: true` or a `default` in the contract"
        return in_contract if self.makes_tables else f"{in_contract}, or {self._alter(table, column, nullable=True)}"

    def add_key(self, table: str, columns: Sequence[str], *, has_primary: bool) -> str:
        """A table has no key over exactly these columns."""
        if has_primary or self.makes_tables:
            index = self.name(f"ux_{table.rpartition('.')[2].strip('[]')}_key")
            return f"CREATE UNIQUE INDEX {index} ON {table} {self.names(columns)}"
        return f"ALTER TABLE {table} ADD PRIMARY KEY {self.names(columns)}"

    def add_foreign_key(self, table: str, foreign_key: str) -> str:
        """A table does not refer to its parent, so the database does not see that each row has one."""
        return _OTHER_FILE if self.makes_tables else f"ALTER TABLE {table} ADD {foreign_key}"

    def _alter(self, table: str, column: ColumnLayout, *, nullable: bool) -> str:
        null = "NULL" if nullable else "NOT NULL"
        return f"ALTER TABLE {table} ALTER COLUMN {self.name(column.name)} {self._type(column)} {null}"

    def _type(self, column: ColumnLayout) -> str:
        return str(ScalarType(column.type).compile(dialect=self._dialect))
