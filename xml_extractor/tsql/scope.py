"""The state of compiling one expression: the names it may use, and the faults found so far."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeVar

from sqlglot import exp

from xml_extractor.tsql.errors import CompileError, ExpressionError, ExpressionFault
from xml_extractor.tsql.result_types import normal
from xml_extractor.tsql.syntax import fault_at, offset_of
from xml_extractor.tsql.typed import Typed, reader
from xml_extractor.values.sqltypes import SqlType

_Node = TypeVar("_Node")
_Part = TypeVar("_Part")
_First = TypeVar("_First")
_Second = TypeVar("_Second")


class AbandonedError(Exception):
    """A part of the expression has a recorded fault, so that whatever contains the part cannot be compiled."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name that the expression may use.

    Attributes:
        name: Its original spelling.
        position: The index of its value in the values of a row.
        type: The type of its values.
    """

    name: str
    position: int
    type: SqlType


@dataclass(slots=True)
class Scope:
    """The text that is compiled, the names it may use, the names it uses, and its faults."""

    text: str
    names: dict[str, Name]
    faults: list[ExpressionFault] = field(default_factory=list)
    used: dict[str, None] = field(default_factory=dict)

    def fault(
        self, node: exp.Expr, message: str, found: str = "", expected: str = "", suggestion: str = ""
    ) -> AbandonedError:
        """Record a fault at a node, and return the exception to raise, which abandons that part of the expression."""
        fault = fault_at(self.text, offset_of(node), message, found, expected, suggestion)
        if fault not in self.faults:
            self.faults.append(fault)
        return AbandonedError()

    def each(self, nodes: Iterable[_Node], compile_one: Callable[[_Node], _Part]) -> list[_Part]:
        """Compile all nodes, to record the faults of all, then raise `AbandonedError` if there were any."""
        parts: list[_Part] = []
        abandoned = False
        for node in nodes:
            try:
                parts.append(compile_one(node))
            except AbandonedError:
                abandoned = True
        if abandoned:
            raise AbandonedError
        return parts

    def both(self, first: Callable[[], _First], second: Callable[[], _Second]) -> tuple[_First, _Second]:
        """Compile two parts, to record the faults of both, then raise `AbandonedError` if there were any."""
        try:
            one = first()
        except AbandonedError:
            second()
            raise
        return one, second()

    def built(self, node: exp.Expr, build: Callable[[], _Part]) -> _Part:
        """Return what `build` returns; record its `CompileError` as a fault at the node."""
        try:
            return build()
        except CompileError as error:
            raise self.fault(node, error.message, error.found, error.expected, error.suggestion) from None

    def name(self, node: exp.Expr, spelt: str) -> Typed:
        """Return the value of a name, written in any case."""
        known = self.names.get(spelt.casefold())
        if known is None:
            spellings = [name.name for name in self.names.values()]
            expected = ", ".join(spellings) or "an expression without names"
            raise self.fault(node, f"'{spelt}' is not a known name", spelt, expected, nearest(spelt, spellings))
        self.used[known.name] = None
        return Typed(known.type, reader(known.position, known.type))

    def error(self) -> ExpressionError:
        """Return all recorded faults, in the order of the text."""
        return ExpressionError(tuple(sorted(self.faults, key=lambda fault: (fault.line, fault.column))))


def scope_of(text: str, names: Mapping[str, SqlType]) -> Scope:
    """Return a scope with these names, whose values come in the order of the mapping."""
    known = {
        name.casefold(): Name(name, position, normal(data_type))
        for position, (name, data_type) in enumerate(names.items())
    }
    return Scope(text, known)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word most similar to a misspelt one, or an empty text."""
    spellings = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), spellings, n=1)
    return spellings[found[0]] if found else ""
