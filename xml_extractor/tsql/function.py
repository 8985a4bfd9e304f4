"""What the registries of functions hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xml_extractor.tsql.typed import Typed


@dataclass(frozen=True, slots=True)
class Function:
    """A function of values.

    Attributes:
        build: Makes the call of its compiled arguments; raises `RefusalError` for arguments of the wrong types.
        fewest: How many arguments it needs.
        most: How many it takes; left out, as many as it needs.
    """

    build: Callable[[Sequence[Typed]], Typed]
    fewest: int
    most: int = -1

    @property
    def limit(self) -> int:
        """How many arguments it takes."""
        return max(self.fewest, self.most)


@dataclass(frozen=True, slots=True)
class DatepartFunction:
    """A function whose first argument is the name of a part of a date.

    Attributes:
        build: Makes the call of the part's full name and the compiled arguments.
        parts: The names that it takes, with their abbreviations, to the full names.
        arguments: How many arguments it has, the part not counted.
    """

    build: Callable[[str, Sequence[Typed]], Typed]
    parts: dict[str, str]
    arguments: int
