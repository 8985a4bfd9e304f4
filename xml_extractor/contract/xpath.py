"""Parse XPath 1.0 to find the names, functions, variables and paths that an expression uses.

Source: "XML Path Language (XPath) Version 1.0", W3C Recommendation: the grammar in sections 2 and 3, the functions in
section 4. `current()` and `key()` are those of "XSL Transformations (XSLT) Version 1.0", section 12. The functions of
regular expressions are those of EXSLT, which lxml implements. Variables are node-sets.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

AXES = (
    *("ancestor", "ancestor-or-self", "attribute", "child", "descendant", "descendant-or-self", "following"),
    *("following-sibling", "namespace", "parent", "preceding", "preceding-sibling", "self"),
)
NODE_TYPES = ("comment", "node", "processing-instruction", "text")
ValueKind = Literal["node-set", "number", "text", "boolean", "unknown"]
LARGEST_EXACT = str(2**53)
"""XPath computes with doubles, which hold every whole number up to this one."""

ANY_NUMBER = 1000
"""The largest number of arguments of a function without a limit."""


class Function(NamedTuple):
    """The smallest and largest number of arguments of a function, and the kind of its value."""

    fewest: int
    most: int
    kind: ValueKind


FUNCTIONS: dict[str, Function] = {
    "boolean": Function(1, 1, "boolean"),
    "ceiling": Function(1, 1, "number"),
    "concat": Function(2, ANY_NUMBER, "text"),
    "contains": Function(2, 2, "boolean"),
    "count": Function(1, 1, "number"),
    "current": Function(0, 0, "node-set"),
    "false": Function(0, 0, "boolean"),
    "floor": Function(1, 1, "number"),
    "id": Function(1, 1, "node-set"),
    "key": Function(2, 2, "node-set"),
    "lang": Function(1, 1, "boolean"),
    "last": Function(0, 0, "number"),
    "local-name": Function(0, 1, "text"),
    "name": Function(0, 1, "text"),
    "namespace-uri": Function(0, 1, "text"),
    "normalize-space": Function(0, 1, "text"),
    "not": Function(1, 1, "boolean"),
    "number": Function(0, 1, "number"),
    "position": Function(0, 0, "number"),
    "round": Function(1, 1, "number"),
    "starts-with": Function(2, 2, "boolean"),
    "string": Function(0, 1, "text"),
    "string-length": Function(0, 1, "number"),
    "substring": Function(2, 3, "text"),
    "substring-after": Function(2, 2, "text"),
    "substring-before": Function(2, 2, "text"),
    "sum": Function(1, 1, "number"),
    "translate": Function(3, 3, "text"),
    "true": Function(0, 0, "boolean"),
}
EXSLT_FUNCTIONS: dict[str, Function] = {
    "match": Function(2, 3, "node-set"),
    "replace": Function(4, 4, "text"),
    "test": Function(2, 3, "boolean"),
}
MAX_NESTING = 200  # levels of brackets, predicates and operators in a row, such as `a + b + c`
_ARITHMETIC = ("+", "-", "*", "div", "mod")

_NAME = r"[^\W\d][\w.\-\u00b7]*"
_TOKEN = re.compile(
    rf"(?P<space>\s+)|(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<text>\"[^\"]*\"|'[^']*')|(?P<variable>\$\s*{_NAME}(?::{_NAME})?)"
    rf"|(?P<name>{_NAME}(?::(?!:)(?:{_NAME}|\*))?)|(?P<symbol>::|//|\.\.|!=|<=|>=|[()\[\]@,./|+\-=<>*])"
)
MAX_NESTING_REWRITTEN = 2 * MAX_NESTING
"""The levels of an expression after it was rewritten."""

LEVELS: tuple[tuple[str, ...], ...] = (
    ("or",),
    ("and",),
    ("=", "!="),
    ("<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "div", "mod"),
)
_OPERATOR_NAMES = ("and", "or", "mod", "div")


class XPathError(ValueError):
    """The text is not an XPath 1.0 expression. `offset` is the position of the error, in characters from 0."""

    def __init__(self, offset: int, found: str, expected: str) -> None:
        super().__init__(f"found {found}, expected {expected}")
        self.offset = offset
        self.found = found
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Step:
    """A location step; `test` is `name`, `prefix:name`, `*`, `prefix:*`, or a node type such as `text()`."""

    axis: str
    test: str
    predicates: tuple["Expression", ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Path:
    """A location path: from the context node, from the document (`/`), or from the nodes of another expression."""

    start: "Literal['context', 'document'] | Expression"
    predicates: tuple["Expression", ...]
    steps: tuple[Step, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function call."""

    name: str
    arguments: tuple["Expression", ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator with its operands; unary minus has one."""

    operator: str
    operands: tuple["Expression", ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a string or a variable, as in the text."""

    kind: Literal["number", "text", "variable"]
    text: str
    offset: int


Expression = Path | Call | Operation | Constant


class Token(NamedTuple):
    """A token. Its kind is a group of the token pattern, or `operator` or `end`."""

    kind: str
    text: str
    offset: int


@lru_cache(maxsize=1024)
def parse_xpath(text: str, max_nesting: int = MAX_NESTING) -> Expression:
    """Parse an XPath 1.0 expression.

    Raises:
        XPathError: It is none. RecursionError: It is nested more than `max_nesting` levels deep.
    """
    expression = _Parser(list(_tokens(text))).parse()
    if any(level > max_nesting for _, level in _walk(expression)):
        raise RecursionError
    return expression


def walk(expression: Expression) -> Iterator[Expression | Step]:
    """Yield the expression, and every expression and step inside it, in the order in which they are written."""
    return (part for part, _ in _walk(expression))


def _walk(expression: Expression) -> Iterator[tuple[Expression | Step, int]]:
    waiting: list[tuple[Expression | Step, int]] = [(expression, 0)]
    while waiting:
        part, level = waiting.pop()
        yield part, level
        inside: tuple[Expression | Step, ...] = ()
        match part:
            case Path(start, predicates, steps):
                inside = (*(() if isinstance(start, str) else (start,)), *predicates, *steps)
            case Step():
                inside = part.predicates
            case Call(_, parts) | Operation(_, parts):
                inside = parts
        waiting += ((inner, level + 1) for inner in reversed(inside))


def variable_name(variable: Constant) -> str:
    """Return the name of a variable, without the sign."""
    return variable.text.removeprefix("$").strip()


def kind_of(expression: Expression) -> ValueKind:
    """Return the kind of an expression's value."""
    match expression:
        case Path():
            return "node-set"
        case Call(name):
            return FUNCTIONS[name].kind if name in FUNCTIONS else "unknown"
        case Operation("|"):
            return "node-set"
        case Operation(operator):
            return "number" if operator in _ARITHMETIC else "boolean"
        case Constant(kind):
            return "node-set" if kind == "variable" else kind


def _tokens(text: str) -> Iterator[Token]:
    """Split the text into tokens. A name or `*` after an operand is an operator (XPath 1.0, section 3.7)."""
    position, before = 0, Token("start", "", 0)
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise XPathError(position, f"'{text[position]}'", "a path, a function, a number or text in quotes")
        kind, word = str(found.lastgroup), found[0]
        if kind != "space":
            is_operand_before = before.kind in ("number", "text", "variable", "name") or before.text in (
                *(")", "]", ".", ".."),
                *(("*",) if before.kind == "symbol" else ()),
            )
            if is_operand_before and (word in _OPERATOR_NAMES or word == "*"):
                kind = "operator"
            before = Token(kind, word, position)
            yield before
        position = found.end()
    yield Token("end", "", len(text))


class _Parser:
    """A parser by recursive descent."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def parse(self) -> Expression:
        found = self._operation(0)
        if self._peek().kind != "end":
            raise self._unexpected("an operator, or the end")
        return found

    def _peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def _next(self) -> Token:
        token = self._peek()
        self._at += 1
        return token

    def _skip(self, *symbols: str) -> bool:
        is_there = self._peek().kind in ("symbol", "operator") and self._peek().text in symbols
        if is_there:
            self._at += 1
        return is_there

    def _unexpected(self, expected: str) -> XPathError:
        token = self._peek()
        return XPathError(token.offset, f"'{token.text}'" if token.text else "the end", expected)

    def _expect(self, symbol: str) -> None:
        if not self._skip(symbol):
            raise self._unexpected(f"'{symbol}'")

    def _operation(self, level: int) -> Expression:
        if level == len(LEVELS):
            return self._unary()
        left = self._operation(level + 1)
        while self._peek().kind in ("symbol", "operator") and self._peek().text in LEVELS[level]:
            operator = self._next()
            left = Operation(operator.text, (left, self._operation(level + 1)), operator.offset)
        return left

    def _unary(self) -> Expression:
        token = self._peek()
        if self._skip("-"):
            return Operation("-", (self._unary(),), token.offset)
        left = self._path()
        while self._peek().text == "|":
            operator = self._next()
            left = Operation("|", (left, self._path()), operator.offset)
        return left

    def _path(self) -> Expression:
        token = self._peek()
        if self._is_primary(token):
            primary = self._primary()
            predicates = self._predicates()
            steps = self._steps_after_slash() if self._peek().text in ("/", "//") else ()
            return Path(primary, predicates, steps, token.offset) if predicates or steps else primary
        if token.text == "/":
            self._next()
            return Path("document", (), self._steps() if self._is_step(self._peek()) else (), token.offset)
        if token.text == "//":
            return Path("document", (), self._steps_after_slash(), token.offset)
        return Path("context", (), self._steps(), token.offset)

    def _is_primary(self, token: Token) -> bool:
        is_name = token.kind == "name" and not token.text.endswith("*")
        is_call = is_name and self._peek(1).text == "(" and token.text not in NODE_TYPES
        return token.kind in ("number", "text", "variable") or token.text == "(" or is_call

    def _primary(self) -> Expression:
        token = self._next()
        if token.text == "(" and token.kind == "symbol":
            inner = self._operation(0)
            self._expect(")")
            return inner
        if token.kind == "number":
            return Constant("number", token.text, token.offset)
        if token.kind == "text":
            return Constant("text", token.text, token.offset)
        if token.kind == "variable":
            return Constant("variable", token.text, token.offset)
        self._expect("(")
        arguments: list[Expression] = []
        while not self._skip(")"):
            if arguments:
                self._expect(",")
            arguments.append(self._operation(0))
        return Call(token.text, tuple(arguments), token.offset)

    def _steps_after_slash(self) -> tuple[Step, ...]:
        slash = self._next()
        all_below = (Step("descendant-or-self", "node()", (), slash.offset),) if slash.text == "//" else ()
        return (*all_below, *self._steps())

    def _steps(self) -> tuple[Step, ...]:
        steps = [self._step()]
        while self._peek().text in ("/", "//"):
            steps += self._steps_after_slash()
        return tuple(steps)

    def _is_step(self, token: Token) -> bool:
        return token.kind == "name" or (token.kind == "symbol" and token.text in ("*", "@", ".", ".."))

    def _step(self) -> Step:
        token = self._peek()
        if not self._is_step(token):
            raise self._unexpected("a step of a path")
        if self._skip("."):
            return Step("self", "node()", (), token.offset)
        if self._skip(".."):
            return Step("parent", "node()", (), token.offset)
        axis = "child"
        if self._skip("@"):
            axis = "attribute"
        elif token.kind == "name" and self._peek(1).text == "::":
            if token.text not in AXES:
                raise self._unexpected(f"an axis: {', '.join(AXES)}")
            axis = token.text
            self._at += 2
        return Step(axis, self._node_test(), self._predicates(), token.offset)

    def _node_test(self) -> str:
        token = self._peek()
        if token.kind != "name" and token.text != "*":
            raise self._unexpected("a name, * or a node type such as text()")
        self._next()
        if self._peek().text != "(":
            return token.text
        if token.text not in NODE_TYPES:
            raise self._unexpected(f"a node type: {', '.join(NODE_TYPES)}")
        self._next()
        is_target = token.text == "processing-instruction" and self._peek().kind == "text"
        target = self._next().text if is_target else ""
        self._expect(")")
        return f"{token.text}({target})"

    def _predicates(self) -> tuple[Expression, ...]:
        predicates = []
        while self._skip("["):
            predicates.append(self._operation(0))
            self._expect("]")
        return tuple(predicates)


def is_exact(number: str) -> bool:
    """Return whether a double is sure to hold a number of XPath; a larger account number would equal its neighbours."""
    digits = number.partition(".")[0].lstrip("0")
    return (len(digits), digits) <= (len(LARGEST_EXACT), LARGEST_EXACT)
