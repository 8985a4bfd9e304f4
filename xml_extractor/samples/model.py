"""What a sample document is, and what a kind of sample documents has to say of itself."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from xml_extractor.reasons import Reason, Stage


@dataclass(frozen=True, slots=True)
class ExpectedFault:
    """What is wrong with a sample document, and what a run has to say about it.

    Attributes:
        code: The kind of fault, a word of its own for each way of spoiling a document.
        stage: Where a run has to reject the document.
        reason: Why a run has to reject it.
        duplicate_of: Key of the good sample that this one copies. Which of the two is rejected depends on which one
            is loaded first, so a run has to reject exactly one of them.
    """

    code: str
    stage: Stage
    reason: Reason
    duplicate_of: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample document.

    Attributes:
        kind: Name of its kind.
        key: From 1; the document's own key too, unless a fault says otherwise.
        content: The document; None stands for SQL NULL.
        fault: None for a good document.
    """

    kind: str
    key: int
    content: bytes | None
    fault: ExpectedFault | None = None

    @property
    def name(self) -> str:
        """A file name that sorts as the key does, such as `card_application_0000017.xml`."""
        return file_name(self.kind, self.key)


def file_name(kind: str, key: int) -> str:
    """The file name of the sample with this key."""
    return f"{kind}_{key:07}.xml"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A way of spoiling a good document; see `ExpectedFault` for `code`, `stage` and `reason`.

    Attributes:
        spoil: From a good document to a bad one; None stands for SQL NULL.
        is_text: Whether the bad document is still UTF-8.
    """

    code: str
    stage: Stage
    reason: Reason
    spoil: Callable[[bytes], bytes | None]
    is_text: bool = True


@dataclass(frozen=True, slots=True)
class SampleKind:
    """A kind of sample documents.

    Attributes:
        name: Also the name of the shipped contract that loads it.
        document: From a key (the document's own key too) and a source of chance to a good document. All chance comes
            from there, so that the same seed gives the same bytes.
        faults: Ways to spoil such a document, two at least, taken in turn. Copies under another key are not among
            them: they are made for every kind.
    """

    name: str
    document: Callable[[int, Random], bytes]
    faults: tuple[FaultKind, ...]
