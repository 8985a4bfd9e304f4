"""Samples depend on kind, seed and key only; the faulty ones are spread evenly."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest

from xml_extractor.errors import UsageError
from xml_extractor.reasons import Reason, Stage
from xml_extractor.samples import KINDS, FaultKind, Sample, SampleKind, samples
from xml_extractor.samples.model import sample_stream


def _short(key: int, random: Random) -> bytes:
    return f"<a key='{key}'>{random.random()}</a>".encode()


def _spoil(document: bytes) -> bytes:
    return document + b"<"


SHORT = SampleKind(
    name="short",
    document=_short,
    faults=tuple(FaultKind(code, Stage.PARSE, Reason.MALFORMED, _spoil) for code in ("one", "two", "three")),
)


def shorts(count: int, faulty: Fraction | float = 0, seed: int = 1) -> list[Sample]:
    return list(sample_stream(SHORT, count, seed, faulty))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes(kind: str) -> None:
    assert list(samples(kind, 25, 7, 0.2)) == list(samples(kind, 25, 7, 0.2))


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_gives_other_documents(kind: str) -> None:
    assert all(
        one.content != other.content for one, other in zip(samples(kind, 9, 1), samples(kind, 9, 2), strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_fewer_samples_are_the_first_of_more(kind: str) -> None:
    assert list(samples(kind, 40, 3, 0.2))[:15] == list(samples(kind, 15, 3, 0.2))


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_document_is_the_same_whatever_share_is_faulty(kind: str) -> None:
    without = {sample.key: sample.content for sample in samples(kind, 30)}
    good = [sample for sample in samples(kind, 30, faulty=0.3) if sample.fault is None]

    assert len(good) == 21
    assert all(sample.content == without[sample.key] for sample in good)


def test_samples_are_made_one_by_one_as_they_are_taken() -> None:
    stream = sample_stream(SHORT, 10**12)

    assert [next(stream).key for _ in range(3)] == [1, 2, 3]


def test_names_sort_as_keys_do() -> None:
    names = [sample.name for sample in shorts(120)]

    assert names[0] == "short_0000001.xml"
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("count", "share", "faulty"),
    [
        (1000, Fraction(3, 100), 30),
        (1000, 0.03, 30),
        (100, 0.005, 1),
        (99, 0.005, 0),
        (10, 0.5, 5),
        (11, 0.5, 6),
        (1, 0.5, 1),
        (7, 0, 0),
        (0, 0.1, 0),
    ],
)
def test_the_number_of_faulty_samples_is_their_share_rounded(count: int, share: Fraction | float, faulty: int) -> None:
    assert sum(sample.fault is not None for sample in shorts(count, share)) == faulty


@pytest.mark.parametrize("share", [Fraction(3, 100), Fraction(1, 10), Fraction(1, 3), Fraction(1, 2)])
def test_faulty_samples_are_spread_evenly(share: Fraction) -> None:
    faulty = [sample.key for sample in shorts(2000, share) if sample.fault]
    gaps = {later - earlier for earlier, later in pairwise(faulty)}

    assert max(gaps) - min(gaps) <= 1


def test_all_kinds_of_faults_come_in_turn() -> None:
    codes = [sample.fault.code for sample in shorts(80, 0.1) if sample.fault]

    assert codes == ["one", "two", "three", "duplicate_key"] * 2


@pytest.mark.parametrize("share", [0.01, 0.03, 0.1, 0.25, Fraction(1, 3), 0.49, 0.5])
def test_a_copy_has_the_bytes_of_an_earlier_good_document_that_nothing_else_copies(share: Fraction | float) -> None:
    by_key = {sample.key: sample for sample in shorts(1000, share)}
    copies = [
        (sample, by_key[sample.fault.duplicate_of])
        for sample in by_key.values()
        if sample.fault and sample.fault.duplicate_of is not None
    ]

    assert copies
    for copy, original in copies:
        assert original.key < copy.key
        assert original.fault is None
        assert original.content == copy.content
    assert max(Counter(original.key for _, original in copies).values()) == 1


def test_a_copy_is_found_when_it_is_loaded() -> None:
    fault = next(sample.fault for sample in shorts(80, 0.1) if sample.fault and sample.fault.duplicate_of)

    assert (fault.code, fault.stage, fault.reason) == ("duplicate_key", Stage.LOAD, "duplicate_key")


@pytest.mark.parametrize("share", [-0.01, 0.51, 1, 3])
def test_a_share_below_0_or_above_a_half_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="between 0% and 50%"):
        samples("card_application", 10, faulty=share)


def test_an_unknown_kind_is_refused_by_naming_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no samples of 'tax_return'") as caught:
        samples("tax_return", 10)

    assert caught.value.tip == f"there are: {', '.join(KINDS)}"


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_has_faults_of_its_own_with_distinct_names(kind: SampleKind) -> None:
    codes = [fault.code for fault in kind.faults]

    assert len(set(codes)) == len(codes) >= 2
    assert {fault.stage for fault in kind.faults} == {Stage.PARSE, Stage.MAP}
