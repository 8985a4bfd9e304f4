"""Read of which thing a document is a revision, before anything of it is mapped."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from hashlib import blake2b

from lxml.etree import _Element as Element

from xml_extractor.documents import DocumentKey, Failure, Revision, RunValues, Value, position_of
from xml_extractor.mapping.errors import RULE_ERRORS, MappingError, failure_of
from xml_extractor.mapping.plan import DocumentScope, Plan, RevisionPlan, RowScope
from xml_extractor.mapping.rows import own_key
from xml_extractor.reasons import Reason, Stage
from xml_extractor.values.sqltypes import XML_SPACE
from xml_extractor.values.times import fraction_of

_DIGEST_BYTES = 16


def read_revision(plan: Plan, root: Element, source_key: DocumentKey, run: RunValues) -> Revision | None:
    """Return of which thing a document is a revision; None if the contract has no revisions.

    Raises:
        MappingError: A value of `of` or `order` is missing or invalid.
    """
    revision = plan.revision
    if revision is None:
        return None
    revision.frame.enter_again(root, root)
    of = tuple(_of(revision, root))
    return Revision(
        thing=blake2b(json.dumps(of).encode(), digest_size=_DIGEST_BYTES).hexdigest(),
        of=of,
        order=tuple(_order(revision, root, run)),
        position=position_of(source_key),
        own_key=text_of_key(own_key(plan, root)),
        deletes=_deletes(revision, root),
    )


def text_of_key(key: Value) -> str | None:
    """Return a key as text that its type reads again."""
    match key:
        case None:
            return None
        case bool():
            return str(int(key))
        case Decimal():
            return f"{key:f}"
        case bytes():
            return key.hex()
        case date() | time():
            return key.isoformat()
    return str(key)


def _of(revision: RevisionPlan, root: Element) -> list[str]:
    found: list[str] = []
    for path, read in revision.of:
        try:
            text = read(root)
        except RULE_ERRORS as error:
            raise MappingError(failure_of(error, path)) from None
        if text is None or not text.strip(XML_SPACE):
            raise _missing(path)
        found.append(str(text))
    return found


def _order(revision: RevisionPlan, root: Element, run: RunValues) -> list[tuple[str, str]]:
    document = DocumentScope(root, None, (), run.load_time, revision.noted)
    row = RowScope(document, None, root, root, 0, 1, [None] * revision.searches)
    found: list[tuple[str, str]] = []
    try:
        for rule in revision.order:
            try:
                value = rule.compute(row)
            except RULE_ERRORS as error:
                raise MappingError(failure_of(error, rule.path)) from None
            if value is None:
                raise _missing(rule.path)
            found.append(_comparable(value))
    finally:
        revision.noted.clear()
    return found


def _deletes(revision: RevisionPlan, root: Element) -> bool:
    if revision.deletes is None:
        return False
    path, evaluate = revision.deletes
    try:
        return bool(evaluate(root))
    except RULE_ERRORS as error:
        raise MappingError(failure_of(error, path)) from None


def _comparable(value: Value) -> tuple[str, str]:
    """Return the kind of a value, and text that compares as the value does within its kind."""
    match value:
        case bool() | int() | Decimal() | float():
            return "number", str(int(value) if isinstance(value, bool) else value)
        case datetime():
            moment = value.astimezone(UTC) if value.tzinfo is not None else value
            return "moment", f"{_day(moment)}T{_clock(moment)}"
        case date():
            return "moment", f"{_day(value)}T{_clock(time())}"
        case time():
            return "time", _clock(value)
        case bytes():
            return "bytes", value.hex()
    return "text", str(value)


def _day(value: date) -> str:
    return f"{value.year:04}-{value.month:02}-{value.day:02}"


def _clock(value: time | datetime) -> str:
    return f"{value.hour:02}:{value.minute:02}:{value.second:02}.{fraction_of(value):07}"


def _missing(path: str) -> MappingError:
    explanation = "the document has no value there, so that it cannot be compared with others about the same thing"
    return MappingError(Failure(Stage.MAP, Reason.MISSING_REVISION, explanation, path=path))
