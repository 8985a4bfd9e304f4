"""Opens targets by their address. A new kind of target is a module and a line in `TARGETS`."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Protocol, TypeVar

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from xml_extractor.contract.model import Contract
from xml_extractor.database.interfaces import Target
from xml_extractor.database.sqlite import target as sqlite_target
from xml_extractor.errors import UsageError

Kind = TypeVar("Kind")


class TargetModule(Protocol):
    """A module that knows one kind of target."""

    def open_target(self, url: URL, contract: Contract, /) -> Target:
        """The target of this address; nothing is connected yet."""
        ...


TARGETS: dict[str, TargetModule] = {"sqlite": sqlite_target}
"""By the dialect in the address."""


def open_target(address: str, contract: Contract) -> Target:
    """The target that a SQLAlchemy URL names; nothing is connected yet.

    Raises:
        UsageError: It is no such address, or no target of that kind is known.
    """
    url = read_url(address, "target")
    return by_dialect(TARGETS, url, "target").open_target(url, contract)


def read_url(address: str, role: str) -> URL:
    """Read a SQLAlchemy URL. The address may hold a password, so no message repeats it.

    Raises:
        UsageError: It is not one.
    """
    try:
        return make_url(address)
    except (ArgumentError, ValueError):
        raise UsageError(f"the {role} is not a database address", "write it as sqlite:///FILE") from None


def by_dialect(kinds: Mapping[str, Kind], url: URL, role: str) -> Kind:
    """What is registered for the dialect of an address.

    Raises:
        UsageError: Nothing is; says what is, and what may have been meant.
    """
    dialect = url.drivername.partition("+")[0]
    if dialect in kinds:
        return kinds[dialect]
    close = get_close_matches(dialect, kinds, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    raise UsageError(f"no {role} is known for '{dialect}' addresses", f"{meant}supported: {', '.join(sorted(kinds))}")
