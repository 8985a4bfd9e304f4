"""Parse the text of an expression to sqlglot's syntax tree, with T-SQL's own functions kept as written.

sqlglot's `tsql` dialect is made for translation: it turns `ISNULL` into `COALESCE`, wraps arguments of `LEN` and `LEFT`
in casts, and accepts words of other dialects. The dialect here knows only the words of T-SQL's scalar
expressions, and every function without a grammar of its own stays an `exp.Anonymous` with its name.
"""

from collections.abc import Callable
from typing import ClassVar

from sqlglot import ErrorLevel, exp
from sqlglot import parse as parse_statements
from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.parsers.tsql import TSQLParser
from sqlglot.tokenizer_core import TokenType

from xml_extractor.tsql.errors import ExpressionError, ExpressionFault


class DataTypeText(exp.Expression):
    """A data type as written; `this` is its text without spaces."""


class Conversion(exp.Expression):
    """`CAST`, `CONVERT` and their `TRY_` forms."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "to": True, "style": False, "name": True}


class Trimming(exp.Expression):
    """`TRIM([side] [characters FROM] text)`."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "characters": False, "side": False}


class ExpressionParser(TSQLParser):
    """A parser of scalar expressions that is strict where sqlglot is lenient."""

    ID_VAR_TOKENS: ClassVar[set[TokenType]] = {TokenType.VAR}
    ALIAS_TOKENS: ClassVar[set[TokenType]] = {TokenType.VAR}
    FUNC_TOKENS: ClassVar[set[TokenType]] = {TokenType.VAR, TokenType.IDENTIFIER, TokenType.EXISTS}
    FUNCTIONS: ClassVar[dict[str, Callable[..., exp.Expr]]] = {}
    NO_PAREN_FUNCTIONS: ClassVar[dict[TokenType, type[exp.Expr]]] = {}
    NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., exp.Expr | None]]] = {
        "CASE": lambda self: self.parse_case(),
    }
    FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., exp.Expr | None]]] = {
        "CAST": lambda self: self.parse_cast("CAST"),
        "TRY_CAST": lambda self: self.parse_cast("TRY_CAST"),
        "CONVERT": lambda self: self.parse_convert("CONVERT"),
        "TRY_CONVERT": lambda self: self.parse_convert("TRY_CONVERT"),
        "TRIM": lambda self: self.parse_trim(),
    }

    def parse_case(self) -> exp.Expr:
        """Parse both forms of CASE after the word itself; `WHEN` and `THEN` are required."""
        subject = None if self._curr.token_type == TokenType.WHEN else self._required(self._parse_disjunction())
        branches = []
        while self._match(TokenType.WHEN):
            condition = self._required(self._parse_disjunction())
            self._expect(TokenType.THEN, "THEN")
            branches.append(exp.If(this=condition, true=self._required(self._parse_disjunction())))
        if not branches:
            raise self._expected("WHEN")
        default = self._required(self._parse_disjunction()) if self._match(TokenType.ELSE) else None
        self._expect(TokenType.END, "END")
        return self.expression(exp.Case(this=subject, ifs=branches, default=default))

    def parse_cast(self, name: str) -> exp.Expr:
        """Parse `expression AS type`."""
        value = self._required(self._parse_disjunction())
        self._expect(TokenType.ALIAS, "AS")
        return self._closed(Conversion(this=value, to=self._data_type(), name=name))

    def parse_convert(self, name: str) -> exp.Expr:
        """Parse `type, expression [, style]`."""
        data_type = self._data_type()
        self._expect(TokenType.COMMA, ",")
        value = self._required(self._parse_disjunction())
        style = self._required(self._parse_disjunction()) if self._match(TokenType.COMMA) else None
        return self._closed(Conversion(this=value, to=data_type, style=style, name=name))

    def parse_trim(self) -> exp.Expr:
        """Parse `[LEADING | TRAILING | BOTH] [characters FROM] text`."""
        sided = self._curr.token_type == TokenType.VAR and self._curr.text.upper() in {"LEADING", "TRAILING", "BOTH"}
        side = ""
        if sided and self._next.token_type not in {TokenType.R_PAREN, TokenType.FROM}:
            side = self._curr.text.upper()
            self._advance()
        text = self._required(self._parse_disjunction())
        characters = None
        if self._match(TokenType.FROM):
            characters, text = text, self._required(self._parse_disjunction())
        return self._closed(Trimming(this=text, characters=characters, side=side))

    def _parse_escape(self, this: exp.Expr | None) -> exp.Expr | None:
        """Parse any value after ESCAPE; sqlglot accepts only text."""
        if not self._match(TokenType.ESCAPE):
            return this
        return self.expression(exp.Escape(this=this, expression=self._required(self._parse_unary())))

    def _data_type(self) -> exp.Expr:
        first = self._curr
        if first.token_type not in {TokenType.VAR, TokenType.IDENTIFIER}:
            raise self._expected("a data type")
        self._advance()
        text = first.text
        if self._match(TokenType.L_PAREN):
            text += "("
            while self._curr.token_type in {TokenType.VAR, TokenType.NUMBER, TokenType.COMMA}:
                text += self._curr.text
                self._advance()
            self._expect(TokenType.R_PAREN, ")")
            text += ")"
        return DataTypeText(this=text).update_positions(first)

    def _required(self, node: exp.Expr | None) -> exp.Expr:
        if node is None:
            raise self._expected("an expression")
        return node

    def _expect(self, token_type: TokenType, text: str) -> None:
        if not self._match(token_type):
            raise self._expected(text)

    def _closed(self, node: exp.Expr) -> exp.Expr:
        if self._curr.token_type != TokenType.R_PAREN:
            raise self._expected(")")
        return node

    def _expected(self, what: str) -> ParseError:
        token = self._curr or self._prev
        message = f"Expecting {what}"
        highlight = self.sql[token.start : token.end + 1]
        return ParseError.new(message, description=message, line=token.line, col=token.col, highlight=highlight)


_WORDS = frozenset(
    {
        *("ALL", "AND", "AS", "BETWEEN", "CASE", "COLLATE", "DISTINCT", "ELSE", "END", "ESCAPE", "EXISTS", "FROM"),
        *("IN", "IS", "LIKE", "NOT", "NULL", "OR", "ORDER BY", "OVER", "PARTITION BY", "SELECT", "THEN", "WHEN"),
        *("WHERE", "!=", "<>", "<=", ">=", "/*", "*/", "--"),
    }
)


class ExpressionDialect(TSQL):
    """T-SQL's scalar expressions."""

    class Tokenizer(TSQL.Tokenizer):
        """A tokenizer for which only the reserved words of expressions are keywords; every other word is a name."""

        QUOTES: ClassVar[list[str | tuple[str, str]]] = ["'"]
        COMMANDS: ClassVar[set[TokenType]] = set()
        KEYWORDS: ClassVar[dict[str, TokenType]] = {
            **{word: kind for word, kind in TSQL.Tokenizer.KEYWORDS.items() if word in _WORDS},
            "!<": TokenType.GTE,
            "!>": TokenType.LTE,
        }

    Parser = ExpressionParser


_DIALECT = ExpressionDialect()


def parse(text: str) -> exp.Expr:
    """Parse one expression or search condition.

    Raises:
        ExpressionError: It does not follow the grammar; the fault has the position.
    """
    try:
        tokens = _DIALECT.tokenize(text)
        trees = _DIALECT.parser(error_level=ErrorLevel.IMMEDIATE).parse_into(exp.Condition, tokens, text)
    except TokenError:
        raise ExpressionError((_unclosed(text),)) from None
    except ParseError as error:
        raise ExpressionError((_syntax_fault(text, error),)) from None
    except RecursionError:
        raise ExpressionError((fault_at(text, 0, "the expression is nested too deeply"),)) from None
    if len(trees) > 1:
        raise ExpressionError((fault_at(text, text.index(";"), "one expression is expected, without ';'", ";"),))
    if not trees or trees[0] is None:
        raise ExpressionError((fault_at(text, 0, "the expression is empty"),))
    return trees[0]


def offset_of(node: exp.Expr) -> int:
    """Return the offset of a node's first known word."""
    starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return min(starts, default=0)


def fault_at(
    text: str, offset: int, message: str, found: str = "", expected: str = "", suggestion: str = ""
) -> ExpressionFault:
    """Return a fault at the line and column of an offset in the text."""
    before = text[:offset]
    line_start = before.rfind("\n") + 1
    return ExpressionFault(message, before.count("\n") + 1, offset - line_start + 1, found, expected, suggestion)


def _unclosed(text: str) -> ExpressionFault:
    for offset in range(len(text) - 1, -1, -1):
        if text[offset] in "'\"[" and _tokenizes(text[:offset]):
            return fault_at(text, offset, f"{text[offset]} is not closed", text[offset:])
    return fault_at(text, 0, "the expression cannot be read")


def _tokenizes(text: str) -> bool:
    try:
        _DIALECT.tokenize(text)
    except TokenError:
        return False
    return True


def _syntax_fault(text: str, error: ParseError) -> ExpressionFault:
    details = error.errors[0]
    found = str(details.get("highlight") or "")
    line, last_column = int(details.get("line") or 1), int(details.get("col") or 1)
    lines = text.split("\n")
    offset = max(0, sum(len(earlier) + 1 for earlier in lines[: line - 1]) + last_column - len(found))
    description = str(details.get("description") or "")
    quoted = found if found[:1] in {"'", '"', "["} else f"'{found}'"
    expected = description.removeprefix("Expecting ") if description.startswith("Expecting ") else ""
    if not text[offset + len(found) :].strip() and not description.startswith("Invalid expression"):
        message = f"the expression ends too early, at {quoted}"
    elif description.startswith("Required keyword"):
        message, expected = f"an operand is missing at {quoted}", "a value"
    else:
        message = f"{quoted} cannot stand here"
    return fault_at(text, offset, message, found, expected)


def is_search_condition(text: str) -> bool:
    """Return whether a text is one search condition, also within parentheses; it may contain subqueries.

    The database evaluates it, not this program, so that any T-SQL is allowed.
    """
    query = f"SELECT 1 AS one WHERE (\n{text}\n)"
    try:
        statements = parse_statements(query, dialect="tsql", error_level=ErrorLevel.RAISE)
    except SqlglotError:
        return False
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        return False
    where = statements[0].args.get("where")
    others = {name for name, part in statements[0].args.items() if part} - {"kind", "expressions", "where"}
    return isinstance(where, exp.Where) and isinstance(where.this, exp.Paren) and not others


def unqualified_columns(condition: str) -> list[str]:
    """Return the columns without a table in the subqueries of a search condition, each once, as written."""
    (query,) = parse_statements(f"SELECT 1 AS one WHERE (\n{condition}\n)", dialect="tsql")
    if query is None:
        return []
    inner = [select for select in query.find_all(exp.Select) if select is not query and select.args.get("from_")]
    columns = [column for select in inner for column in select.find_all(exp.Column) if not column.table]
    return list(dict.fromkeys(column.name for column in columns if not isinstance(column.this, exp.Star)))
