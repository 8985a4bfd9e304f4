"""What an examination of a database finds."""

from enum import Enum
from typing import Literal, NamedTuple

Role = Literal["target", "source"]


class State(Enum):
    """Whether something can be used."""

    OK = "ok"
    MISSING = "missing"
    FAILED = "failed"


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        text: What it is and how it is, in one line, without secrets.
        tip: What to do if it cannot be used.
    """

    state: State
    text: str
    tip: str = ""


def ok(text: str) -> Finding:
    """Something that can be used."""
    return Finding(State.OK, text)


def missing(text: str, tip: str) -> Finding:
    """Something that is not there."""
    return Finding(State.MISSING, text, tip)


def failed(text: str, tip: str) -> Finding:
    """Something that is there but cannot be used."""
    return Finding(State.FAILED, text, tip)
