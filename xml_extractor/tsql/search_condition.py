"""Search conditions that a database evaluates, not this program: any T-SQL, as long as it is one condition."""

from sqlglot import ErrorLevel, exp, parse
from sqlglot.errors import SqlglotError


def is_search_condition(text: str) -> bool:
    """Whether a text is one search condition, which stays one in parentheses; subqueries may stand in it."""
    try:
        statements = parse(f"SELECT 1 AS one WHERE (\n{text}\n)", dialect="tsql", error_level=ErrorLevel.RAISE)
    except SqlglotError:
        return False
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        return False
    where = statements[0].args.get("where")
    others = {name for name, part in statements[0].args.items() if part} - {"kind", "expressions", "where"}
    return isinstance(where, exp.Where) and isinstance(where.this, exp.Paren) and not others
