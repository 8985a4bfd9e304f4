"""Where the answers of the product and of a server to an expression part."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tests.database.expression_server import Answer, Server, of_condition, product_answer
from tests.expression_inputs import INPUTS, ROWS, TYPES
from tests.random_expressions import Part
from xml_extractor.tsql import compile_expression
from xml_extractor.values.sqltypes import SqlType

_IN_ONE_STATEMENT = 25
_NUMBERS = (bool, int, float, Decimal)
_IN_ORDER = re.compile(r"CASE |IIF|COALESCE")


@dataclass(frozen=True, slots=True)
class Case:
    """An expression that the product takes, and its answer on one row."""

    part: Part
    row: int
    product: Answer


@dataclass(frozen=True, slots=True)
class Operand:
    """A value that a part is put together from."""

    type: SqlType
    names: tuple[str, ...]
    product: Answer
    server: Answer


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two answers that differ in one way, to the innermost part of an expression for which they do.

    Attributes:
        part: The part.
        operands: The values that it is put together from; conditions are none.
        row: The number of the row.
        product, server: The answers.
        about: What differs: `value`, `type`, `failure` (one fails, the other has a value), `class` (of failure).
    """

    part: Part
    operands: tuple[Operand, ...]
    row: int
    product: Answer
    server: Answer
    about: str

    def __str__(self) -> str:
        values = dict(zip(INPUTS, ROWS[self.row], strict=True))
        used = compile_expression(_text_of(self.part), TYPES).names
        given = ", ".join(f"{name} {INPUTS[name][0]} = {values[name]!r}" for name in used)
        return (
            f"{self.part.text}\n   with {given or 'no names'}\n   {self.about} "
            f"({self.part.form})\n   product: {_shown(self.product)}\n   server:  {_shown(self.server)}"
        )


def _shown(answer: Answer) -> str:
    said = answer.message or ", ".join(sorted(answer.failures)) or repr(answer.value)
    shape = answer.shape
    return f"{said} {answer.base} {shape.values}({shape.size}, {shape.scale})" if shape else said


def cases_of(parts: Sequence[Part]) -> list[Case]:
    """The expressions that the product takes, each with a row of values."""
    cases: list[Case] = []
    for part in parts:
        row = len(cases) // _IN_ONE_STATEMENT % len(ROWS)
        product = product_answer(part.text, ROWS[row])
        if product is not None:
            cases.append(Case(part, row, product))
    return cases


def disagreements(server: Server, cases: Sequence[Case]) -> Iterator[list[Disagreement]]:
    """Evaluate the cases on the server, and find for each one that differs where it does: in its value, in its type."""
    for start in range(0, len(cases), _IN_ONE_STATEMENT):
        batch = cases[start : start + _IN_ONE_STATEMENT]
        row = batch[0].row
        answers = _asked(server, {case.part: case.product for case in batch}, row)
        differing = [case for case in batch if any(_about(case.product, answers[case.part], case.product.failures))]
        inner = {part: product_answer(_text_of(part), ROWS[row]) for case in differing for part in case.part.within()}
        known = {part: product for part, product in inner.items() if product is not None}
        said = _asked(server, known, row)
        for case in differing:
            parts = {part: (known[part], said[part]) for part in case.part.within() if part in known}
            yield list(_innermost(parts, row))


def _asked(server: Server, products: Mapping[Part, Answer], row: int) -> dict[Part, Answer]:
    """The server's answers; what should fail is sent alone, because an error ends a statement."""
    good = [part for part, product in products.items() if not product.failures]
    bad = [part for part, product in products.items() if product.failures]
    statements = [good[start : start + _IN_ONE_STATEMENT] for start in range(0, len(good), _IN_ONE_STATEMENT)]
    return {
        part: answer
        for parts in (*statements, *([part] for part in bad))
        for part, answer in zip(parts, server.answers([_text_of(part) for part in parts], row), strict=True)
    }


def _innermost(parts: Mapping[Part, tuple[Answer, Answer]], row: int) -> Iterator[Disagreement]:
    possible = frozenset[str]().union(*(product.failures for product, _ in parts.values()))
    differing = [(part, _about(*answers, possible)) for part, answers in parts.items()]
    for way in range(2):
        part, about = next((found for found in differing if found[1][way]), (None, ("", "")))
        if part is not None:
            operands = tuple(_operand(inner, *parts[inner]) for inner in part.parts if not inner.is_condition)
            yield Disagreement(part, operands, row, *parts[part], about[way])


def _operand(part: Part, product: Answer, server: Answer) -> Operand:
    compiled = compile_expression(part.text, TYPES)
    return Operand(compiled.type, compiled.names, product, server)


def _text_of(part: Part) -> str:
    return of_condition(part.text) if part.is_condition else part.text


def _about(product: Answer, server: Answer, possible: frozenset[str]) -> tuple[str, str]:
    """What differs in value and in type; `possible` are the codes of all failures, of which any may come first."""
    if product.failures and server.failures:
        return ("" if server.failures & possible else "class"), ""
    if product.failures or server.failures:
        return "failure", ""
    return ("" if _same(product.value, server.value) else "value"), ("" if _same_type(product, server) else "type")


def _same(left: object, right: object) -> bool:
    if isinstance(left, _NUMBERS) and isinstance(right, _NUMBERS) and type(left) is not type(right):
        return float(left) == float(right)
    if isinstance(left, datetime) and isinstance(right, datetime):
        return left == right and left.utcoffset() == right.utcoffset()
    return left == right


def _same_type(product: Answer, server: Answer) -> bool:
    """Whether the types are the same; `decimal` and `numeric` are two names of one type."""
    bases = {"decimal" if base == "numeric" else base for base in (product.base, server.base) if base}
    return product.shape == server.shape and len(bases) == 1


def is_left_open(found: Disagreement) -> bool:
    """Whether nothing says that the two should agree.

    A part fails that need not be evaluated: only CASE, IIF and COALESCE say in which order they go. Or a character of
    two UTF-16 units would be cut in half, which the product refuses to do.
    """
    if "cut in half" in found.product.message:
        return True
    if found.about != "failure" or found.product.failures or _IN_ORDER.match(found.part.form):
        return False
    answers = [product_answer(text, ROWS[found.row]) for text in _steps(found.part)]
    return any(answer is not None and answer.failures for answer in answers)


def _steps(part: Part) -> Iterator[str]:
    """What is evaluated on the way to a part's value."""
    yield from map(_text_of, part.parts)
    subject, *others = (inner.text for inner in part.parts) if part.parts else ("",)
    if " IN (" in part.form:
        yield from (of_condition(f"{subject} = {other}") for other in others)
    elif "BETWEEN" in part.form:
        yield from (of_condition(f"{subject} {sign} {other}") for sign, other in zip((">=", "<="), others, strict=True))
