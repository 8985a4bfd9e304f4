"""In what a target's tables are not as a contract needs them."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether a run can be expected to load documents in spite of a difference."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something in which the target's tables are not as the contract needs them. Holds no value of a document.

    Attributes:
        table: The table's name in the contract.
        database_table: Its name in the database.
        column: The column or columns; empty for the table itself.
        needed: What the contract needs.
        found: What is there.
        remedy: What to do, in the database or in the contract.
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
        return f"{self.severity}: {place}: expected {self.needed}, found {self.found}; {self.remedy}"
