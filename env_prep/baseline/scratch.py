"""A place that is emptied between runs. Nothing is dropped in it that a baseline has not made and listed there."""

from collections.abc import Sequence
from uuid import uuid4

from env_prep.baseline.places import Place
from xml_extractor.errors import RunError, UsageError

MARKER = "xml_extractor_baseline_tables"
"""The table that lists what was made, and for whom; its presence says that a place is a baseline's."""

THE_PLACE = ""
"""In the list: the file or schema itself."""


class Scratch:
    """A place that is this baseline's, from `claim` to `remove`.

    Args:
        place: Where.
        tables: Names of all tables that will be made in it, parents before children.
    """

    def __init__(self, place: Place, tables: Sequence[str]) -> None:
        self.place = place
        self._tables = tables
        self._marker = place.quoted(MARKER)
        self._owner = uuid4().hex

    def claim(self) -> None:
        """Take the place, and drop what an earlier baseline left in it.

        Raises:
            UsageError: There is something in it that no baseline has made.
            TargetError: The database refuses.
        """
        there = self.place.names()
        listed = self._listed() if MARKER in there else {}
        strange = {name for name in there if name.casefold() not in {MARKER, *map(str.casefold, listed)}}
        if strange:
            raise UsageError(
                f"{self.place.name} holds what no baseline has made ({_some(strange)}), so it is left as it is",
                "name a place that is empty or does not exist: --scratch FILE, or --schema NAME on a server",
            )
        made_here = THE_PLACE in listed
        if MARKER not in there:
            made_here = self.place.make()
            made, owner = (
                ("varchar(300)", "varchar(40)") if self.place.kind == "sqlite" else ("nvarchar(300)", "char(32)")
            )
            columns = f"made {made} NOT NULL PRIMARY KEY, owner {owner} NOT NULL, number int NOT NULL"
            self.place.change([(f"CREATE TABLE {self._marker} ({columns})", [()])])
        self._drop(listed)
        own = [THE_PLACE, *self._tables] if made_here else [*self._tables]
        self.place.change(
            [
                (f"DELETE FROM {self._marker}", [()]),  # noqa: S608 - quoted
                (
                    f"INSERT INTO {self._marker} (made, owner, number) VALUES (?, ?, ?)",  # noqa: S608 - quoted
                    [(name, self._owner, number) for number, name in enumerate(own)],
                ),
            ]
        )

    def empty(self, kept: Sequence[str] = ()) -> None:
        """Drop all tables but these.

        Raises:
            RunError: Another baseline has taken the place.
            TargetError: The database refuses.
        """
        listed = self._listed()
        if set(listed.values()) != {self._owner}:
            raise RunError(
                f"another baseline uses {self.place.name} now", "run one at a time, or name another place for each"
            )
        self._drop([name for name in listed if name not in kept])
        self.place.compact()

    def remove(self) -> None:
        """Drop all that was made, and the file or schema too if it was not there before.

        Raises:
            RunError: Another baseline has taken the place.
            TargetError: The database refuses.
        """
        self.empty()
        made_here = THE_PLACE in self._listed()
        self.place.change([(f"DROP TABLE {self._marker}", [()])])
        if made_here:
            self.place.remove()

    def _listed(self) -> dict[str, str]:
        """What was made, in that order, and for whom."""
        rows = self.place.read(f"SELECT made, owner FROM {self._marker} ORDER BY number")  # noqa: S608 - quoted
        return {str(made): str(owner) for made, owner in rows}

    def _drop(self, made: Sequence[str] | dict[str, str]) -> None:
        there = self.place.names()
        tables = [name for name in made if name in there]
        self.place.change([(f"DROP TABLE {self.place.quoted(name)}", [()]) for name in reversed(tables)])


def _some(names: set[str]) -> str:
    shown = 3
    first = sorted(names)[:shown]
    return ", ".join(first) + (f" and {len(names) - shown} more" if len(names) > shown else "")
