"""Python source under construction: its lines, its names, and the objects that it refers to.

Nothing of a contract becomes source except by `repr` of a text or number, and as part of a name that `_identifier`
reduces to ASCII letters, digits and underscores. All other objects are constants: global names of the compiled module.
"""

import builtins
import keyword
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import NoneType
from typing import Any

_ATOM = re.compile(r"[a-z_][a-z0-9_]*|-?[0-9]+|'[^'\\]*'|None|True|False", re.ASCII)
_NO_LETTER = re.compile(r"[^a-z0-9]+")
_LONGEST_HINT = 40
_DEEPEST = 80
"""Levels of indentation; Python takes 100."""

_LONGEST_LITERAL = 160


class Code:
    """A module of functions that is being written.

    Args:
        objects: Objects by the names that the source uses for them. Variables get other names.
        local_names: Names that the source uses for variables in all functions.
    """

    def __init__(self, objects: Mapping[str, object], local_names: tuple[str, ...]) -> None:
        self.constants: dict[str, object] = dict(objects)
        self._local_names = local_names
        self._lines: list[str] = []
        self._depth = 0
        self._locals = set(local_names)
        self._names: dict[int, str] = {}
        self._laters: dict[str, str] = {}
        self._bodies: dict[str, str] = {}
        self._made: dict[str, Callable[[dict[str, Any]], object]] = {}

    @property
    def text(self) -> str:
        """The source."""
        return "\n".join(self._lines) + "\n"

    def line(self, text: str) -> None:
        """Write a line."""
        self._lines.append(f"{'    ' * self._depth}{text}")

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Write a line that ends in a colon, and indent what follows.

        Raises:
            RecursionError: Blocks are nested too deeply.
        """
        if self._depth >= _DEEPEST:
            raise RecursionError
        self.line(f"{head}:")
        self._depth += 1
        yield
        self._depth -= 1

    def function(self, hint: str) -> str:
        """Return the name of the next function, and begin with its variables anew."""
        if self._lines:
            self._lines += ["", ""]
        self._locals = set(self._local_names)
        name = self._new(hint)
        self.constants[name] = None
        return name

    def shared_function(self, hint: str, parameter: str, write_body: Callable[[], object]) -> str:
        """Write a function of one parameter, unless there is one with the same body; return the name."""
        before = len(self._lines)
        name = self.function(hint)
        with self.block(f"def {name}({parameter})"):
            begin = len(self._lines)
            write_body()
        body = "\n".join(self._lines[begin:])
        known = self._bodies.setdefault(body, name)
        if known != name:
            del self._lines[before:]
            del self.constants[name]
        return known

    def variable(self, hint: str) -> str:
        """Return a name for a variable of the current function."""
        name = self._new(hint)
        self._locals.add(name)
        return name

    def constant(self, hint: str, value: object) -> str:
        """Return a name for an object."""
        name = self._names.get(id(value))
        if name is None:
            name = self._names[id(value)] = self._new(hint)
            self.constants[name] = value
        return name

    def later(self, hint: str, make: Callable[[dict[str, Any]], object]) -> str:
        """Return a name for an object that is made of the compiled module; the same one for the same hint."""
        name = self._laters.get(hint)
        if name is None:
            name = self._laters[hint] = self._new(hint)
            self.constants[name] = None
            self._made[name] = make
        return name

    def literal(self, value: object) -> str:
        """Return a number, a short text or a truth value as Python writes it; a name for any other object."""
        is_short = type(value) is str and len(value) <= _LONGEST_LITERAL and value.isprintable()
        return repr(value) if is_short or type(value) in (bool, int, NoneType) else self.constant("constant", value)

    def kept(self, expression: str, hint: str = "value") -> str:
        """Return a name or literal for the value of an expression, which is evaluated here."""
        if _ATOM.fullmatch(expression):
            return expression
        variable = self.variable(hint)
        self.line(f"{variable} = {expression}")
        return variable

    def _new(self, hint: str) -> str:
        name = _identifier(hint)
        number = 1
        while name in self.constants or name in self._locals or hasattr(builtins, name) or keyword.iskeyword(name):
            number += 1
            name = f"{_identifier(hint)}_{number}"
        return name

    def compiled(self, name: str) -> dict[str, Callable[..., Any]]:
        """Compile the module, and return its functions and constants by name.

        Args:
            name: Stands for the file in tracebacks.
        """
        module: dict[str, Any] = dict(self.constants)
        exec(compile(self.text, name, "exec"), module)  # noqa: S102 - see above for what becomes source
        for each, make in self._made.items():
            module[each] = make(module)
        return module


def _identifier(hint: str) -> str:
    name = _NO_LETTER.sub("_", hint.lower())[:_LONGEST_HINT].strip("_")
    return name if name[:1].isalpha() else f"_{name}"
