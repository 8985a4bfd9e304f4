"""Generators of sample documents: invented data, reproducible by seed.

`samples("card_application", 1000, seed=1, faulty=Fraction(3, 100))` generates a thousand documents, thirty
of them with known faults. A new kind is a module with a `SampleKind` and a line in `KINDS`.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from xml_extractor.errors import UsageError
from xml_extractor.reasons import Stage
from xml_extractor.samples import card_application, ubl_invoice
from xml_extractor.samples.model import ExpectedFault, FaultKind, Sample, SampleKind, sample_stream

__all__ = ["KINDS", "ExpectedFault", "FaultKind", "Sample", "SampleKind", "samples"]

KINDS: dict[str, SampleKind] = {kind.name: kind for kind in (card_application.KIND, ubl_invoice.KIND)}
"""The kinds of samples, by name."""


def samples(
    kind: str,
    count: int,
    seed: int = 1,
    faulty: Fraction | float = 0,
    *,
    only_text: bool = False,
    only_well_formed: bool = False,
) -> Iterator[Sample]:
    """Generate samples one by one; see `model.sample_stream`.

    Args:
        kind: A key of `KINDS`.
        count: Number of samples.
        seed: Another seed gives other documents.
        faulty: Share of faulty documents.
        only_text: Leave out faults that produce invalid UTF-8.
        only_well_formed: Leave out faults of documents that cannot be parsed.

    Raises:
        UsageError: There is no such kind, or the share is below 0 or above a half.
    """
    if kind not in KINDS:
        raise UsageError(f"there are no samples of '{kind}'", f"there are: {', '.join(KINDS)}")
    chosen = KINDS[kind]
    if only_text:
        chosen = replace(chosen, faults=tuple(fault for fault in chosen.faults if fault.is_text))
    if only_well_formed:
        chosen = replace(chosen, faults=tuple(fault for fault in chosen.faults if fault.stage is not Stage.PARSE))
    return sample_stream(chosen, count, seed, faulty)
