"""The contract as its author wrote it: from a key path of the model to a line and column of the file."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from xml_extractor.contract.faults import Fault, KeyPath, render_path
from xml_extractor.contract.yaml_reading import Part, Position

_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}
_ESCAPED_SPACE = " \t\nntrvfN_LP"


@dataclass(frozen=True)
class Written:
    """A contract's file: its name as the user gave it, its text and its parts."""

    file: str
    text: str
    root: Part

    def path(self, path: KeyPath) -> KeyPath:
        """The path as it is in the file: what a short form leaves out is left out."""
        return tuple(name for name, _, _ in self._walk(path))

    def data(self, path: KeyPath) -> object:
        """The plain value at a path, or at the nearest written part above it."""
        steps = list(self._walk(path))
        return steps[-1][2].data if steps else self.root.data

    def fault(
        self,
        path: KeyPath,
        message: str = "",
        *,
        found: str = "",
        expected: str = "",
        suggestion: str = "",
        key: bool = False,
        within: tuple[int, int] | None = None,
        missing: str = "",
    ) -> Fault:
        """A fault of the part at this path.

        Args:
            path: Where, in terms of the model; short forms are looked up as they were written.
            message: What is wrong, if found and expected do not say all.
            found: What is there.
            expected: What should be there.
            suggestion: What was probably meant.
            key: Point to the key instead of the value; a value that is not there has its key's place anyway.
            within: Line and column, from 1, inside the text of the value.
            missing: A key that is not there, and is to be named in the path.
        """
        steps = list(self._walk(path))
        line, column = self.root.position.line, self.root.position.column
        if steps:
            _, key_position, part = steps[-1]
            is_nowhere = part.position.start == part.position.end
            position = key_position if key or is_nowhere else part.position
            line, column = position.line, position.column
            if within is not None and isinstance(part.data, str):
                line, column = self._inside(part, *within)
        name = render_path((*(step for step, _, _ in steps), *([missing] if missing else [])))
        return Fault(self.file, line + 1, column + 1, name, message, found, expected, suggestion)

    def _walk(self, path: KeyPath) -> Iterator[tuple[str | int, Position, Part]]:
        part = self.root
        for name in path:
            if name in part.children:
                position, part = part.children[name]
                yield name, position, part

    def _inside(self, part: Part, line: int, column: int) -> tuple[int, int]:
        """Line and column in the file, from 0, of a line and column, from 1, of a scalar's text.

        Folding changes only white space, so the n-th other character of the text is the n-th one of the file.
        """
        lines = str(part.data).split("\n")
        before = "\n".join(lines[: line - 1]) + "\n" + lines[min(line, len(lines)) - 1][: column - 1]
        wanted = sum(not character.isspace() for character in before)
        places = list(self._characters(part))
        behind = places[-1] + 1 if places else part.position.start
        return self._line_and_column(places[wanted] if wanted < len(places) else behind)

    def _characters(self, part: Part) -> Iterator[int]:
        """Where the characters of a scalar stand in the file, white space left out."""
        index, end = part.position.start, part.position.end
        if part.style in ("|", ">"):
            index = self.text.find("\n", index, end) + 1 or end
        elif part.style:
            index, end = index + 1, end - 1
        while index < end:
            length, is_space = 1, self.text[index].isspace()
            if part.style == "'" and self.text.startswith("''", index):
                length = 2
            elif part.style == '"' and self.text[index] == "\\":
                length = _ESCAPE_LENGTHS.get(self.text[index + 1], 2)
                is_space = self.text[index + 1] in _ESCAPED_SPACE
            if not is_space:
                yield index
            index += length

    def _line_and_column(self, index: int) -> tuple[int, int]:
        line = bisect_right(self._line_starts, index) - 1
        return line, index - self._line_starts[line]

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(index + 1 for index, character in enumerate(self.text) if character == "\n")]
