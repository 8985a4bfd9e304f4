"""The column that identifies documents: its values as keys of documents, and as parameters."""

from dataclasses import dataclass
from uuid import UUID

import pyodbc

from xml_extractor.documents import DocumentKey
from xml_extractor.targets.sqlserver.statements import OdbcType, cast_key
from xml_extractor.values.sqltypes import INTEGER_RANGES, MAX, Family, SqlType


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A key column; keys that are whole numbers are `int`, all others text.

    Attributes:
        name: Its name, quoted.
        type: Its type.
        collation: That of text; empty for other types.
    """

    name: str
    type: SqlType
    collation: str = ""

    @property
    def is_number(self) -> bool:
        """Whether keys are whole numbers."""
        return self.type.family in (Family.INTEGER, Family.DECIMAL)

    @property
    def place(self) -> str:
        """What stands for a key in a statement: of the column's own type, so that its index can be used."""
        return "?" if self.type.family is Family.INTEGER else cast_key(self.type, self.collation)

    @property
    def odbc_type(self) -> OdbcType:
        """How a key is bound."""
        match self.type.family:
            case Family.INTEGER:
                return pyodbc.SQL_BIGINT, 0, 0
            case Family.TEXT:
                return pyodbc.SQL_WVARCHAR, min(self.type.length, 4000), 0
            case _:
                return pyodbc.SQL_VARCHAR, 40, 0

    @property
    def text(self) -> str:
        """An expression for the key, as the processing log writes it."""
        column = f"RTRIM(s.{self.name})" if self._is_padded else f"s.{self.name}"
        return f"CONVERT(nvarchar(300), {column})"

    @property
    def _is_padded(self) -> bool:
        return self.type.name in ("char", "nchar")

    def read(self, value: object) -> DocumentKey | None:
        """The key that the driver has read; None for NULL."""
        if value is None:
            return None
        if self.is_number:
            return int(str(value))
        text = str(value)
        if self.type.family is Family.GUID:
            return text.upper()
        return text.rstrip(" ") if self._is_padded else text

    def nearest(self, text: str) -> tuple[DocumentKey, int]:
        """The value of this type that is nearest to an end of a range, and on which side of it the end is.

        Returns:
            The value, and -1 if the end is smaller, 1 if it is larger, 0 if it is the same.

        Raises:
            ValueError: It is no key of this kind; the message says what keys are.
        """
        if self.is_number:
            return self._nearest_number(text)
        if self.type.family is Family.GUID:
            try:
                return str(UUID(text)).upper(), 0
            except ValueError:
                raise ValueError("its keys are GUIDs") from None
        fitting = text.encode("utf-16-le")[: 2 * self.type.length].decode("utf-16-le", "ignore")
        return fitting, int(fitting != text)

    def _nearest_number(self, text: str) -> tuple[int, int]:
        try:
            number = int(text)
        except ValueError:
            raise ValueError("its keys are numbers") from None
        largest = 10**self.type.precision - 1
        smallest, largest = (-largest, largest) if self.type.family is Family.DECIMAL else INTEGER_RANGES["bigint"]
        nearest = max(smallest, min(largest, number))
        return nearest, (number > nearest) - (number < nearest)

    def bind(self, key: DocumentKey) -> DocumentKey:
        """What the driver is given for a key."""
        return key if self.type.family is Family.INTEGER else str(key)


def key_column(name: str, sql_type: SqlType | None, collation: str = "") -> KeyColumn | None:
    """The column of this quoted name, if its type can identify documents."""
    if sql_type is None:
        return None
    match sql_type.family:
        case Family.INTEGER | Family.GUID:
            return KeyColumn(name, sql_type)
        case Family.DECIMAL:
            return KeyColumn(name, sql_type) if sql_type.scale == 0 else None
        case Family.TEXT:
            is_long = sql_type.length == MAX or sql_type.name in ("text", "ntext")
            return None if is_long else KeyColumn(name, sql_type, collation)
        case _:
            return None
