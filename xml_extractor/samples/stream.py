"""Samples in a stream: which documents are spoilt, and how."""

from collections.abc import Iterator
from fractions import Fraction
from math import floor
from random import Random

from xml_extractor.errors import UsageError
from xml_extractor.reasons import Reason, Stage
from xml_extractor.samples.model import ExpectedFault, Sample, SampleKind

LARGEST_FAULTY_SHARE = Fraction(1, 2)


def sample_stream(kind: SampleKind, count: int, seed: int = 1, faulty: Fraction | float = 0) -> Iterator[Sample]:
    """Make samples one by one.

    A good document depends on kind, seed and key only, and which keys are spoilt, and how, on the share only. So a
    smaller count gives the first documents of a larger one.

    Args:
        kind: What to make.
        count: How many; keys run from 1 to `count`.
        seed: Another seed gives other documents.
        faulty: Share of bad documents, spread evenly, all kinds of faults in turn; their number is `faulty * count`,
            rounded, a half upwards.

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
    """A good document about half-way back: far enough to be in another batch of a long run.

    Of two neighbours at least one is good, and copies are so far apart that none is copied twice.
    """
    half_way = key // 2
    return half_way - 1 if _is_faulty(half_way, share) else half_way
