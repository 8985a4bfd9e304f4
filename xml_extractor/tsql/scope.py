"""What the compiler knows while it walks over an expression: the names, and the faults found so far."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import TypeVar

from sqlglot import exp

from xml_extractor.documents import Value
from xml_extractor.tsql.faults import ExpressionError, ExpressionFault, RefusalError
from xml_extractor.tsql.result_types import normal
from xml_extractor.tsql.syntax import fault_at, offset_of
from xml_extractor.tsql.typed import Run, Typed
from xml_extractor.values.sqltypes import SqlType

_Node = TypeVar("_Node")
_Part = TypeVar("_Part")
_First = TypeVar("_First")
_Second = TypeVar("_Second")


class AbandonedError(Exception):
    """A part of the expression has a fault, which is noted; what needs the part cannot be compiled."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name that the expression may use.

    Attributes:
        name: As it was given.
        position: Where its value stands in the values of a row.
        type: The type of its values.
    """

    name: str
    position: int
    type: SqlType


@dataclass(slots=True)
class Scope:
    """The text that is compiled, the names it may use, and what was found."""

    text: str
    names: dict[str, Name]
    faults: list[ExpressionFault] = field(default_factory=list)
    used: dict[str, None] = field(default_factory=dict)

    def refused(
        self, node: exp.Expr, message: str, found: str = "", expected: str = "", suggestion: str = ""
    ) -> AbandonedError:
        """Note a fault at a node; what is returned is to be raised, and gives up that part of the expression."""
        fault = fault_at(self.text, offset_of(node), message, found, expected, suggestion)
        if fault not in self.faults:
            self.faults.append(fault)
        return AbandonedError()

    def each(self, nodes: Iterable[_Node], compile_one: Callable[[_Node], _Part]) -> list[_Part]:
        """Compile all nodes, so that the faults of all are noted, and give up when one had any."""
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
        """Compile two parts, so that the faults of both are noted, and give up when one had any."""
        try:
            one = first()
        except AbandonedError:
            second()
            raise
        return one, second()

    def built(self, node: exp.Expr, build: Callable[[], _Part]) -> _Part:
        """What `build` makes; its refusal is a fault at the node."""
        try:
            return build()
        except RefusalError as refusal:
            raise self.refused(node, refusal.message, refusal.found, refusal.expected, refusal.suggestion) from None

    def name(self, node: exp.Expr, spelt: str) -> Typed:
        """The value of a name, written in any case."""
        known = self.names.get(spelt.casefold())
        if known is None:
            spellings = [name.name for name in self.names.values()]
            expected = ", ".join(spellings) or "an expression without names"
            raise self.refused(node, f"'{spelt}' is not a known name", spelt, expected, nearest(spelt, spellings))
        self.used[known.name] = None
        return Typed(known.type, _reader(known))

    def error(self) -> ExpressionError:
        """All faults that were noted, in the order of the text."""
        return ExpressionError(tuple(sorted(self.faults, key=lambda fault: (fault.line, fault.column))))


def scope_of(text: str, names: Mapping[str, SqlType]) -> Scope:
    """A scope with these names, of which each one's value stands at its position in the mapping."""
    known = {
        name.casefold(): Name(name, position, normal(data_type))
        for position, (name, data_type) in enumerate(names.items())
    }
    return Scope(text, known)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like a misspelt one; nothing when none is."""
    spellings = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), spellings, n=1)
    return spellings[found[0]] if found else ""


def _reader(name: Name) -> Run:
    position = name.position
    if name.type.name in {"char", "nchar"}:
        return _padded_reader(position, name.type.length)
    return lambda values, _clock: values[position]


def _padded_reader(position: int, length: int) -> Run:
    """A value of `char(n)` or `nchar(n)` has n characters, whether or not the spaces at its end were kept."""

    def read(values: Sequence[Value], _clock: datetime) -> Value:
        value = values[position]
        return value.ljust(length) if isinstance(value, str) else value

    return read
