"""The elements and attributes of a document that nothing reads: the contract's `unread`."""

from collections.abc import Callable, Sequence

from lxml.etree import _Element as Element

from xml_extractor.contract.model import Contract
from xml_extractor.documents import Counted, CountKey, Counts, Envelope, Failure
from xml_extractor.escaping import escaped
from xml_extractor.mapping import MappingError
from xml_extractor.quality.census import Census, Labels, Signature
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

    plans: dict[frozenset[Signature], Plan] = {}

    def unread_of(root: Element, envelope: Envelope | None) -> Counts:
        numbers = census.counts(root, envelope)
        kinds = frozenset(numbers)
        plan = plans.get(kinds)
        if plan is None:
            if sum(map(len, plans)) + len(kinds) > _MOST_REMEMBERED:
                plans.clear()
            plan = plans[kinds] = _plan(kinds, labels)
        if plan and is_rejected:
            explanation = "the document has an element or attribute that nothing reads"
            raise MappingError(Failure(Stage.MAP, Reason.UNREAD, explanation, path=_first(list(numbers), plan)))
        if not plan:
            return ()
        return tuple((key, sum(numbers[each] for each in counted)) for key, counted in plan.items())

    return unread_of


_MOST_REMEMBERED = 50_000
"""Signatures in the sets of which it is remembered what to count. Many documents have the same set."""

Plan = dict[CountKey, list[Signature]]
"""For each path that nothing reads, the signatures whose elements count."""


def _plan(kinds: frozenset[Signature], labels: Labels) -> Plan:
    """Return what to count in a document that has these kinds of elements."""
    whole: set[tuple[str, ...]] = set()
    if any(signature.is_passed for signature in kinds):
        # Elements that are only passed count as read if something in them is read.
        read = (signature.place.names for signature in kinds if signature.is_read)
        above_read = {names[:length] for names in read for length in range(len(names) + 1)}
        whole = {signature.place.names for signature in kinds if signature.is_passed} - above_read
    plan: Plan = {}
    for signature in sorted(kinds, key=lambda each: each.place):
        names = signature.place.names
        if names[:-1] not in whole:
            for place in (signature.place,) if names in whole else signature.unread:
                path = escaped(labels.path(place))
                path = path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"
                plan.setdefault(("", path, Counted.UNREAD), []).append(signature)
    return plan


def _first(signatures: Sequence[Signature], plan: Plan) -> str:
    """Return the path of what nothing reads that comes first in a document."""
    paths = ((path, number, each) for number, ((_, path, _), counted) in enumerate(plan.items()) for each in counted)
    return min((signatures.index(each), number, path) for path, number, each in paths)[2]
