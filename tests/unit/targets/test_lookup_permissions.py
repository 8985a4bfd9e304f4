"""A lookup table that this user must not read is no reason to end a check."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

from tests import sqlserver
from xml_extractor.connections import DatabaseError
from xml_extractor.schema.model import ActualForeignKey
from xml_extractor.values.sqltypes import parse_type

pytest.importorskip("pyodbc", reason=sqlserver.NO_DRIVER_MANAGER, exc_type=ImportError)

import pyodbc

from xml_extractor.targets.sqlserver.catalog import missing_codes
from xml_extractor.targets.sqlserver.errors import classify

if TYPE_CHECKING:
    from xml_extractor.targets.sqlserver.connection import SqlServerConnection

KEY = ActualForeignKey(("state",), "dbo", "states", ("id",))


class Refusing:
    """A connection whose server answers each query with an error."""

    def __init__(self, number: int) -> None:
        message = f"[42000] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]refused ({number}) (SQLExecDirectW)"
        self.error = classify(pyodbc.ProgrammingError("42000", message))

    def query(self, *_: object, **__: object) -> Iterator[pyodbc.Row]:
        assert self.error is not None
        raise self.error


@pytest.mark.parametrize("number", [229, 230])
def test_what_a_table_lacks_is_unknown_where_it_must_not_be_read(number: int) -> None:
    assert missing_codes(cast("SqlServerConnection", Refusing(number)), KEY, parse_type("int"), [1]) is None


def test_another_error_is_not_taken_for_a_missing_permission() -> None:
    with pytest.raises(DatabaseError):
        missing_codes(cast("SqlServerConnection", Refusing(208)), KEY, parse_type("int"), [1])
