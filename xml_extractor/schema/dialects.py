"""SQLAlchemy's dialects, with reserved words that these do not know.

Sources: "SQLite Keywords", sqlite.org; "Reserved Keywords (Transact-SQL)", Microsoft Learn.
"""

from sqlalchemy.dialects import registry
from sqlalchemy.engine import Dialect

_RESERVED = {
    "sqlite": {"nothing", "returning"},
    "mssql": {
        "semantickeyphrasetable",
        "semanticsimilaritydetailstable",
        "semanticsimilaritytable",
        "try_convert",
        "within",
    },
}


def dialect_named(name: str) -> Dialect:
    """A dialect by SQLAlchemy's name of it, such as `sqlite` or `mssql`; its preparer quotes every reserved word."""
    dialect: Dialect = registry.load(name)()
    preparer = dialect.identifier_preparer
    preparer.reserved_words = preparer.reserved_words | _RESERVED.get(name, set())
    return dialect
