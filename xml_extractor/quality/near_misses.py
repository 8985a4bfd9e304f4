"""Paths of a contract that find nothing in any document, and names in the documents that may be meant."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from xml_extractor.contract.element_paths import ElementPaths, FollowedStep, start_position
from xml_extractor.contract.element_states import Leaf, Position, State, matches
from xml_extractor.quality.census import REST, Labels, Place

MOST_SUGGESTIONS = 3
_SHORT = 4
"""Length up to which a name with two other letters is another name."""


class Suggestion(NamedTuple):
    """A name in the documents that may be meant, and how it differs."""

    name: str
    difference: str


class NeverFound(NamedTuple):
    """A step of a path that finds nothing, although what stands before it occurs.

    Attributes:
        readers: What has the path.
        path: The path.
        step: The name that is never found; that of an attribute begins with `@`.
        suggestions: What may be meant.
    """

    readers: tuple[str, ...]
    path: str
    step: str
    suggestions: tuple[Suggestion, ...]


class Places:
    """The places of all documents in the automaton of a contract."""

    def __init__(self, paths: ElementPaths, places: Iterable[Place]) -> None:
        self.positions: dict[tuple[str, ...], Position] = {(): start_position(paths)}
        self.seen: defaultdict[State, set[str]] = defaultdict(set)
        self.by_local_name: defaultdict[str, dict[Place, None]] = defaultdict(dict)
        self.seen[paths.root] = set()
        for place in places:
            self.by_local_name[_local(place.names[-1])][place] = None
            for state in self.position(place.names[:-1]).states:
                self.seen[state].add(place.names[-1])
            if not place.names[-1].startswith("@"):
                for state in self.position(place.names).states:
                    self.seen.setdefault(state, set())

    def position(self, names: tuple[str, ...]) -> Position:
        """Return the position of an element."""
        found = self.positions.get(names)
        if found is None:
            found = self.positions[names] = self.position(names[:-1]).child(names[-1])
        return found

    def readers(self, place: Place) -> frozenset[str]:
        """Return what reads the elements or attributes at a place."""
        *above, last = place.names
        if last.startswith("@"):
            return self.position(tuple(above)).attribute(last.removeprefix("@"))
        return self.position(place.names).readers

    def has(self, step: FollowedStep) -> bool:
        """Return whether a step finds anything."""
        return any(
            any(name.startswith("@") and matches(node.names, name[1:]) for name in self.seen.get(node.owner, ()))
            if isinstance(node, Leaf)
            else node in self.seen
            for node in step.found
        )


def never_found(paths: ElementPaths, places: Places, labels: Labels) -> Iterator[NeverFound]:
    """Yield the steps that find nothing, although what stands before them occurs."""
    by_step: defaultdict[tuple[str, int], list[FollowedStep]] = defaultdict(list)
    for step in paths.steps:
        by_step[step.path, step.step.offset].append(step)
    for (path, _), steps in by_step.items():
        reached = [step for step in steps if any(state in places.seen for state in step.before)]
        groups: defaultdict[frozenset[State], list[FollowedStep]] = defaultdict(list)
        for step in reached:
            groups[frozenset(step.before)].append(step)
        for of_place in groups.values():
            if not any(map(places.has, of_place)):
                first = of_place[0]
                at = "@" if first.step.axis == "attribute" else ""
                readers = tuple(dict.fromkeys(step.reader for step in of_place))
                suggestions = tuple(_suggestions(first, places, labels))[:MOST_SUGGESTIONS]
                yield NeverFound(readers, path, at + first.step.test, suggestions)


def _suggestions(step: FollowedStep, places: Places, labels: Labels) -> Iterator[Suggestion]:
    at = "@" if step.step.axis == "attribute" else ""
    beside = {name for state in step.before for name in places.seen.get(state, ())}
    found: dict[str, tuple[int, str]] = {}
    for wanted in step.names:
        for name in beside:
            difference = _difference(at + wanted, name)
            if difference is not None:
                found[name] = min(found.get(name, difference), difference)
    shown = sorted(found.items(), key=lambda item: (item[1], item[0]))
    yield from (Suggestion(labels.name(name), difference) for name, (_, difference) in shown)
    for wanted in step.names:
        elsewhere: Mapping[Place, None] = places.by_local_name.get(_local(wanted), {})
        for place in elsewhere:
            if place.names[-1] not in found:
                yield Suggestion(labels.path(place), "elsewhere")


def similar_names(place: Place, places: Places, labels: Labels) -> Iterator[Suggestion]:
    """Yield names that the contract reads at a place, and that are like the name there."""
    *above, last = place.names
    if last == REST:
        return
    found: dict[str, tuple[int, str]] = {}
    for state in places.position(tuple(above)).states:
        names = [name for names in state.children if isinstance(names, frozenset) for name in names]
        names += [f"@{name}" for names in state.attributes if isinstance(names, frozenset) for name in names]
        for name in names:
            difference = _difference(last, name)
            if difference is not None:
                found[name] = difference
    nearest = sorted(found.items(), key=lambda item: (item[1], item[0]))[:MOST_SUGGESTIONS]
    yield from (Suggestion(labels.name(name), difference) for name, (_, difference) in nearest)


def _difference(wanted: str, name: str) -> tuple[int, str] | None:
    """Return how a name differs from the wanted one, with the nearest first; None if it is another name."""
    one, other = _local(wanted), _local(name)
    if wanted.startswith("@") != name.startswith("@"):
        kind = "an element" if wanted.startswith("@") else "an attribute"
        return (2, kind) if one == other else None
    if one == other:
        return 1, "other namespace"
    if one.casefold() == other.casefold():
        return 0, "other case"
    most = 1 if min(len(one), len(other)) <= _SHORT else 2
    return (3, "other spelling") if _distance(one, other, most) <= most or _is_swapped(one, other) else None


def _local(name: str) -> str:
    return name.removeprefix("@").rpartition("}")[2]


def _is_swapped(one: str, other: str) -> bool:
    return sorted(one) == sorted(other) and sum(pair[0] != pair[1] for pair in zip(one, other, strict=True)) == 2  # noqa: PLR2004 - two letters


def _distance(one: str, other: str, most: int) -> int:
    """Return the edit distance (Levenshtein), or a number above `most`."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    above = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, against in enumerate(other, 1):
            replaced = above[column - 1] + (letter != against)
            current.append(min(above[column] + 1, current[-1] + 1, replaced))
        above = current
    return above[-1]
