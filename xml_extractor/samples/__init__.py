"""Generators of sample documents: invented data, the same for the same seed.

`samples("card_application", 1000, seed=1, faulty=Fraction(3, 100))` gives a thousand documents, thirty of them bad in
known ways. A kind is one module with a `SampleKind` and a line in `KINDS`.
"""

from collections.abc import Iterator
from fractions import Fraction

from xml_extractor.errors import UsageError
from xml_extractor.samples import card_application, ubl_invoice
from xml_extractor.samples.model import ExpectedFault, FaultKind, Sample, SampleKind
from xml_extractor.samples.stream import sample_stream

__all__ = ["KINDS", "ExpectedFault", "FaultKind", "Sample", "SampleKind", "samples"]

KINDS: dict[str, SampleKind] = {kind.name: kind for kind in (card_application.KIND, ubl_invoice.KIND)}
"""The kinds of samples, by name."""


def samples(kind: str, count: int, seed: int = 1, faulty: Fraction | float = 0) -> Iterator[Sample]:
    """Make samples one by one; see `stream.sample_stream`.

    Raises:
        UsageError: There is no such kind, or the share is below 0 or above a half.
    """
    if kind not in KINDS:
        raise UsageError(f"there are no samples of '{kind}'", f"there are: {', '.join(KINDS)}")
    return sample_stream(KINDS[kind], count, seed, faulty)
