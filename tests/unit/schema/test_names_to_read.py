"""Names in statements that people read are quoted only where they must be: where SQLAlchemy does it."""

import pytest
from sqlalchemy.dialects import registry
from sqlalchemy.sql.compiler import RESERVED_WORDS

from xml_extractor.schema.names import name_to_read

BEYOND_SQLALCHEMY = {"nothing", "returning", "semantickeyphrasetable", "try_convert", "within"}
"""Reserved words that SQLAlchemy does not know."""


@pytest.mark.parametrize("dialect_name", ["sqlite", "mssql"])
def test_names_are_quoted_as_by_sqlalchemy(dialect_name: str) -> None:
    preparers = {name: registry.load(name)().identifier_preparer for name in ("sqlite", "mssql")}
    reserved = RESERVED_WORDS.union(*(preparer.reserved_words for preparer in preparers.values()))
    names = [*reserved - BEYOND_SQLALCHEMY, "a", "a_1$", "_a", "A", "aB", "1a", "$a", "a b", "a.b", "a]b", 'a"b', "é"]
    assert [name_to_read(name, dialect_name) for name in names] == [*map(preparers[dialect_name].quote, names)]


def test_words_that_sqlalchemy_does_not_know_are_quoted_too() -> None:
    assert name_to_read("returning", "sqlite") == '"returning"'
    assert name_to_read("within", "mssql") == "[within]"
