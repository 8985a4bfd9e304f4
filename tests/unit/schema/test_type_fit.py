"""Which types of columns keep all values of a contract's type, and what the others do to some of them."""

from itertools import product

import pytest

from xml_extractor.schema.model import Severity
from xml_extractor.schema.type_fit import misfit
from xml_extractor.values.sqltypes import TYPES, parse_type

LOSSLESS = [
    ("bit", "tinyint"),
    ("tinyint", "smallint"),
    ("int", "bigint"),
    ("int", "decimal(10,0)"),
    ("int", "money"),
    ("int", "float"),
    ("smallint", "real"),
    ("decimal(9,2)", "decimal(12,2)"),
    ("decimal(9,2)", "decimal(12,4)"),
    ("decimal(9,2)", "numeric(9,2)"),
    ("decimal(14,4)", "money"),
    ("smallmoney", "money"),
    ("money", "decimal(19,4)"),
    ("real", "float"),
    ("float(24)", "real"),
    ("float(30)", "float"),
    ("varchar(10)", "varchar(20)"),
    ("varchar(10)", "nvarchar(10)"),
    ("varchar(10)", "varchar(max)"),
    ("varchar(max)", "text"),
    ("nvarchar(10)", "ntext"),
    ("char(5)", "varchar(5)"),
    ("char(5)", "nchar(5)"),
    ("xml", "nvarchar(max)"),
    ("uniqueidentifier", "char(36)"),
    ("uniqueidentifier", "nvarchar(36)"),
    ("binary(16)", "varbinary(16)"),
    ("varbinary(8)", "varbinary(max)"),
    ("varbinary(max)", "image"),
    ("date", "datetime2(0)"),
    ("smalldatetime", "datetime"),
    ("smalldatetime", "datetime2(0)"),
    ("datetime", "datetime2(3)"),
    ("datetime2(3)", "datetime2(7)"),
    ("datetimeoffset(0)", "datetimeoffset(3)"),
    ("time(0)", "time(7)"),
]

LOSING = [
    ("int", "smallint", "which has a smaller range"),
    ("smallint", "tinyint", "which has a smaller range"),
    ("int", "bit", "which has a smaller range"),
    ("bigint", "float", "which is approximate"),
    ("int", "real", "which is approximate"),
    ("decimal(12,2)", "float", "which is approximate"),
    ("decimal(12,2)", "decimal(9,2)", "which has a smaller range"),
    ("decimal(12,2)", "decimal(12,4)", "which has a smaller range"),
    ("decimal(12,2)", "decimal(12,1)", "which has fewer decimals"),
    ("decimal(12,2)", "int", "which has fewer decimals"),
    ("money", "smallmoney", "which has a smaller range"),
    ("decimal(9,5)", "money", "which has fewer decimals"),
    ("float", "real", "which has fewer digits"),
    ("float", "decimal(38,10)", "which holds another kind of values"),
    ("varchar(10)", "varchar(9)", "which is shorter"),
    ("varchar(10)", "nvarchar(9)", "which is shorter"),
    ("nvarchar(max)", "nvarchar(4000)", "which is shorter"),
    ("nvarchar(10)", "varchar(max)", "which holds only the characters of its code page"),
    ("xml", "varchar(max)", "which holds only the characters of its code page"),
    ("xml", "nvarchar(4000)", "which is shorter"),
    ("uniqueidentifier", "char(35)", "which is shorter"),
    ("nvarchar(max)", "xml", "which holds another kind of values"),
    ("varchar(36)", "uniqueidentifier", "which holds another kind of values"),
    ("int", "varchar(20)", "which holds another kind of values"),
    ("varbinary(10)", "varbinary(9)", "which is shorter"),
    ("varbinary(8)", "binary(8)", "which pads values with zero bytes"),
    ("binary(8)", "binary(16)", "which pads values with zero bytes"),
    ("datetime2(0)", "date", "which has no time of day"),
    ("datetime2(0)", "smalldatetime", "which has no seconds"),
    ("datetime2(3)", "datetime2(0)", "which has fewer digits of fractional seconds"),
    ("datetime2(7)", "datetime2(6)", "which has fewer digits of fractional seconds"),
    ("datetimeoffset(7)", "datetimeoffset(6)", "which has fewer digits of fractional seconds"),
    ("time(7)", "time(6)", "which has fewer digits of fractional seconds"),
    ("datetime2(3)", "datetime", "which rounds to .000, .003 or .007 seconds"),
    ("datetime2(0)", "datetime", "which holds only days from 1753-01-01 to 9999-12-31"),
    ("date", "smalldatetime", "which holds only days from 1900-01-01 to 2079-06-06"),
    ("datetimeoffset(3)", "datetime2(3)", "which has no time zone"),
    ("datetimeoffset(3)", "datetimeoffset(2)", "which has fewer digits of fractional seconds"),
    ("time(3)", "time(0)", "which has fewer digits of fractional seconds"),
    ("time(0)", "datetime2(0)", "which holds another kind of values"),
]

CHANGING = [
    ("varchar(5)", "char(5)", "which pads values with spaces"),
    ("char(5)", "char(10)", "which pads values with spaces"),
    ("nvarchar(5)", "nchar(6)", "which pads values with spaces"),
    ("uniqueidentifier", "char(40)", "which pads values with spaces"),
    ("datetime2(0)", "datetimeoffset(0)", "which treats the values as UTC"),
    ("date", "datetimeoffset(0)", "which treats the values as UTC"),
]


@pytest.mark.parametrize(("needed", "there"), LOSSLESS)
def test_a_wider_or_more_general_column_fits(needed: str, there: str) -> None:
    assert misfit(parse_type(needed), parse_type(there)) is None


@pytest.mark.parametrize(("needed", "there", "reason"), LOSING)
def test_a_column_that_would_refuse_or_change_values_is_an_error(needed: str, there: str, reason: str) -> None:
    assert misfit(parse_type(needed), parse_type(there)) == (Severity.ERROR, reason)


@pytest.mark.parametrize(("needed", "there", "reason"), CHANGING)
def test_a_column_that_adds_to_values_without_loss_is_a_warning(needed: str, there: str, reason: str) -> None:
    assert misfit(parse_type(needed), parse_type(there)) == (Severity.WARNING, reason)


@pytest.mark.parametrize("name", TYPES)
def test_a_column_of_the_same_type_fits(name: str) -> None:
    assert misfit(parse_type(name), parse_type(name)) is None


def test_any_two_types_can_be_compared() -> None:
    for needed, there in product(TYPES, TYPES):
        unfit = misfit(parse_type(needed), parse_type(there))
        assert unfit is None or unfit.reason.startswith("which ")
