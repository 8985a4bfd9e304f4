"""The elements and attributes of a document that nothing reads: the contract's `unread`."""

from collections.abc import Callable
from functools import cache

from lxml.etree import _Element as Element

from xml_extractor.contract.model import Contract
from xml_extractor.documents import Counted, Counts, Envelope, Failure
from xml_extractor.escaping import escaped
from xml_extractor.mapping import MappingError
from xml_extractor.quality.census import Census, Labels, Place, Signature
from xml_extractor.reasons import Reason, Stage

_LONGEST_PATH = 200

UnreadOf = Callable[[Element, Envelope | None], Counts]
"""Returns the counts of what nothing reads in a document, or raises an error that rejects it."""


def unread_counter(contract: Contract) -> UnreadOf | None:
    """Return the function that finds what nothing reads, for one document after the other; None with `unread: ignore`.

    What is in an element that nothing reads is not counted besides it.
    """
    if contract.unread == "ignore":
        return None
    census, labels = Census(contract, is_whole=False), Labels(contract)
    is_rejected = contract.unread == "reject"

    @cache
    def label(place: Place) -> str:
        path = escaped(labels.path(place))
        return path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"

    def unread_of(root: Element, envelope: Envelope | None) -> Counts:
        census.count(root, None, envelope)
        try:
            places = _unread(census.touched)
        finally:
            census.forget()
        if not places:
            return ()
        if label.cache_info().currsize > _MOST_LABELS:
            label.cache_clear()
        counts: dict[str, int] = {}
        for place, number in places.items():
            path = label(place)
            counts[path] = counts.get(path, 0) + number
        if is_rejected:
            explanation = "the document has an element or attribute that nothing reads"
            raise MappingError(Failure(Stage.MAP, Reason.UNREAD, explanation, path=next(iter(counts))))
        return tuple((("", path, Counted.UNREAD), number) for path, number in counts.items())

    return unread_of


_MOST_LABELS = 10_000
"""Paths that are remembered as text."""


def _unread(touched: list[Signature]) -> dict[Place, int]:
    if any(signature.is_passed for signature in touched):
        return _unread_below_passed(touched)
    found: dict[Place, int] = {}
    for signature in touched:
        for place in signature.unread:
            found[place] = found.get(place, 0) + signature.count
    return found


def _unread_below_passed(touched: list[Signature]) -> dict[Place, int]:
    """Return what nothing reads where elements count as read only if something in them is read."""
    read = (signature.place.names for signature in touched if signature.is_read)
    above_read = {names[:length] for names in read for length in range(len(names) + 1)}
    whole = {signature.place.names for signature in touched if signature.is_passed} - above_read
    found: dict[Place, int] = {}
    for signature in touched:
        names = signature.place.names
        if names[:-1] not in whole:
            for place in (signature.place,) if names in whole else signature.unread:
                found[place] = found.get(place, 0) + signature.count
    return found
