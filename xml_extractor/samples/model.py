"""Sample documents, kinds of them, and streams: which documents of a stream are spoiled, and how."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from random import Random

from xml_extractor.errors import UsageError
from xml_extractor.reasons import Reason, Stage


@dataclass(frozen=True, slots=True)
class ExpectedFault:
    """The fault of a sample document and the rejection that a run must report.

    Attributes:
        code: Name of the fault, unique within its kind of samples.
        stage: The stage that must reject the document.
        reason: The `Failure.code` of the rejection.
        duplicate_of: Key of the valid sample that this one copies. A run must reject exactly one of the two,
            whichever is loaded second.
    """

    code: str
    stage: Stage
    reason: Reason
    duplicate_of: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample document.

    Attributes:
        kind: Name of its kind.
        key: From 1; also the key inside the document unless a fault changes it.
        content: The document; None for SQL NULL.
        fault: None for a valid document.
    """

    kind: str
    key: int
    content: bytes | None
    fault: ExpectedFault | None = None

    @property
    def name(self) -> str:
        """File name that sorts like the key, such as `card_application_0000017.xml`."""
        return file_name(self.kind, self.key)


def file_name(kind: str, key: int) -> str:
    """Return the file name of the sample with this key."""
    return f"{kind}_{key:07}.xml"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault; see `ExpectedFault` for `code`, `stage` and `reason`.

    Attributes:
        spoil: Makes a faulty document out of a valid one; None for SQL NULL.
        is_text: Whether the faulty document is valid UTF-8.
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
        name: Also the name of the shipped contract that loads these documents.
        document: Generates a valid document from its key and a random number generator, and from nothing else, so
            that the same seed gives the same bytes.
        faults: At least two faults, used in turn. Every kind also gets copies of documents under another key.
    """

    name: str
    document: Callable[[int, Random], bytes]
    faults: tuple[FaultKind, ...]


LARGEST_FAULTY_SHARE = Fraction(1, 2)


def sample_stream(kind: SampleKind, count: int, seed: int = 1, faulty: Fraction | float = 0) -> Iterator[Sample]:
    """Generate samples one by one.

    A valid document depends on kind, seed and key only. Which keys are faulty, and how, depends on the share only.
    A smaller count therefore gives the first documents of a larger one.

    Args:
        kind: The kind of samples.
        count: Number of samples; keys run from 1 to `count`.
        seed: Another seed gives other documents.
        faulty: Share of faulty documents. They are spread evenly and use all faults in turn. Their number is
            `faulty * count`, rounded half up.

    Raises:
        UsageError: The share is below 0 or above a half.
    """
    share = Fraction(faulty).limit_denominator(10**6)
    if not 0 <= share <= LARGEST_FAULTY_SHARE:
        raise UsageError("the share of faulty samples is not between 0% and 50%", "write a share such as 3%")
    return (_sample(kind, key, seed, share) for key in range(1, count + 1))


def _sample(kind: SampleKind, key: int, seed: int, share: Fraction) -> Sample:
    if not _is_faulty(key, share):
        return Sample(kind.name, key, _good_document(kind, key, seed))
    turn = _faults_up_to(key - 1, share) % (len(kind.faults) + 1)
    if turn < len(kind.faults):
        fault = kind.faults[turn]
        expected = ExpectedFault(fault.code, fault.stage, fault.reason)
        return Sample(kind.name, key, fault.spoil(_good_document(kind, key, seed)), expected)
    original = _earlier_good_key(key, share)
    copy = ExpectedFault("duplicate_key", Stage.LOAD, Reason.DUPLICATE_KEY, duplicate_of=original)
    return Sample(kind.name, key, _good_document(kind, original, seed), copy)


def _good_document(kind: SampleKind, key: int, seed: int) -> bytes:
    return kind.document(key, Random(f"{kind.name} {seed} {key}"))  # noqa: S311 - samples need no secrecy


def _faults_up_to(key: int, share: Fraction) -> int:
    return floor(share * key + Fraction(1, 2))


def _is_faulty(key: int, share: Fraction) -> bool:
    return _faults_up_to(key, share) > _faults_up_to(key - 1, share)


def _earlier_good_key(key: int, share: Fraction) -> int:
    """Return the key of a valid document about half-way back: far enough to be in another batch of a long run.

    Of two neighbours at least one is good, and copies are so far apart that none is copied twice.
    """
    half_way = key // 2
    return half_way - 1 if _is_faulty(half_way, share) else half_way
