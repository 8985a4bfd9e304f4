"""Decide which revision of each thing remains, within the transaction that loads a batch.

The rows of the things in the table of revisions are locked first, so that transactions decide about the same thing one
after the other. What remains does not depend on their order: `outranks` compares two revisions by what their documents
say, and by their places in the source.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from xml_extractor.contract.layout import TableLayout
from xml_extractor.contract.own_rows import DocumentKeys
from xml_extractor.documents import (
    DocumentKey,
    MappedDocument,
    ProcessedDocument,
    Rejection,
    Revision,
    RevisionRank,
    Status,
    Superseded,
    place_rank,
    position_of,
    revision_rank,
)
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.processing_log.log_table import LogEntry
from xml_extractor.processing_log.own_tables import revision_table
from xml_extractor.processing_log.revisions import HeldRevision, HeldRevisions
from xml_extractor.targets.delete_plan import DeletePlan
from xml_extractor.targets.interfaces import TargetConnection
from xml_extractor.targets.replacing import deleted_rows, not_replaced

_HELD = (Status.LOADED, Status.DELETED)


class SendAgainError(Exception):
    """The batch is rolled back and sent again, without the documents that the database does not accept.

    So older revisions of these documents stay; or a row that documents share is sent by another one.

    Attributes:
        rejections: Their rejections, by position in the batch; none if only shared rows have to be sent otherwise.
    """

    def __init__(self, rejections: Mapping[int, Rejection]) -> None:
        super().__init__(len(rejections))
        self.rejections = rejections


@dataclass(slots=True)
class Decided:
    """What a batch comes to.

    Attributes:
        documents: Its documents, with `Superseded` in place of those that do not remain.
        superseded: By document of the batch: the statuses of documents of the same run that it superseded.
        left: Rejected documents that leave an older revision in place.
    """

    documents: list[ProcessedDocument] = field(default_factory=list)
    superseded: dict[DocumentKey, tuple[Status, ...]] = field(default_factory=dict)
    left: set[DocumentKey] = field(default_factory=set)


@dataclass(slots=True)
class _Thing:
    """A thing while it is decided about.

    Attributes:
        before: The revision that is held; None if there is none.
        entry: The held document's row in the processing log; None if the log has none.
        is_withdrawn: Whether that revision is decided anew: its document is in the batch, or the log lost it.
        after: The revision that is held afterwards; None if there is none.
        winner: The document of the batch that is held afterwards; None if there is none.
        has_lost_place: Whether the last document with the held content is decided anew.
    """

    before: HeldRevision | None
    entry: LogEntry | None
    is_withdrawn: bool
    after: HeldRevision | None
    winner: MappedDocument | None = None
    has_lost_place: bool = False

    def decide_anew(self, key: DocumentKey) -> None:
        """Forget what a document that is decided anew says about the thing.

        If its place is the last one of the held content, that content may stand only in the first one now.
        """
        before = self.before
        if before is None or before.document_key == str(key) or before.position[1] != position_of(key):
            return
        self.has_lost_place = True
        if self.after is before:
            self.after = before._replace(position=(before.position[0], before.position[0]))

    def offer(self, document: MappedDocument, candidate: HeldRevision) -> None:
        """Hold a document if it outranks what is held."""
        held = self.after
        # A revision that is decided anew and has not changed keeps the last place of its content.
        known = self.before if held is None and not self.has_lost_place else held
        last = candidate.position[1]
        if known is not None and _is_same(candidate, known):
            last = max(last, known.position[1], key=place_rank)
        if held is None or outranks(candidate, held):
            self.after = candidate._replace(position=(candidate.position[0], last))
            self.winner = document
        elif _is_same(candidate, held):
            self.after = held._replace(position=(held.position[0], last))

    @property
    def gives_way(self) -> bool:
        """Whether the revision that is held does not stay."""
        return self.before is not None and (self.winner is not None or self.is_withdrawn)

    @property
    def may_revive(self) -> bool:
        """Whether a revision that was superseded before may be the newest one now."""
        if self.before is None or not (self.is_withdrawn or self.has_lost_place):
            return False
        return self.after is None or _standing(self.after) < _standing(self.before)


class Revisions:
    """Decides about the revisions of batches over one connection.

    Args:
        connection: The caller opens the transactions.
        log: The processing log.
        contract: The contract's name.
        run_id: The run.
        tables: The contract's tables, in load order.
        plan: How rows are deleted.
    """

    def __init__(
        self,
        connection: TargetConnection,
        log: ProcessingLog,
        contract: str,
        run_id: str,
        tables: Sequence[TableLayout],
        plan: DeletePlan,
    ) -> None:
        self._connection = connection
        self._log = log
        self._contract = contract
        self._run_id = run_id
        self._own = [number for number, table in enumerate(tables) if not table.is_shared]
        self._no_rows = tuple(() for _ in tables)
        self._plan = plan
        self._held = HeldRevisions(connection, revision_table(connection.log_table), contract)

    def decide(
        self,
        documents: Sequence[ProcessedDocument],
        replaced: Mapping[str, LogEntry],
        delete_entries: Callable[[], object],
    ) -> Decided:
        """Decide which documents of a batch remain, and remove from log and tables what does not stay.

        Args:
            documents: The batch.
            replaced: Rows of the processing log that documents replace, by document key.
            delete_entries: Deletes these rows; called once the things are locked.

        Raises:
            DatabaseError: The database fails; or, of the code `not_replaced`, rows of a revision cannot be replaced.
        """
        old = {str(document.key): replaced.get(str(document.key)) for document in documents}
        names = {thing for document in documents if isinstance(document, MappedDocument) for thing in _things(document)}
        names |= {entry.thing for entry in old.values() if entry is not None and entry.thing}
        self._held.lock(sorted(names))
        seen = {thing for document in documents for thing in _things(document)}
        things = self._read(names | seen, {key for key, entry in old.items() if entry is not None})
        delete_entries()
        for document in documents:
            entry = old[str(document.key)]
            if entry is not None and entry.thing in things:
                things[entry.thing].decide_anew(document.key)
        for document in sorted((document for document in documents if document.revision), key=_rank_of):
            if isinstance(document, MappedDocument) and document.revision is not None:
                thing = things[document.revision.thing]
                thing.offer(document, self._candidate(document, document.revision))
        leaving = [things[name] for name in sorted(names) if things[name].gives_way]
        self._delete_rows([thing for thing in leaving if thing.before and not thing.before.is_deleted])
        superseded = self._supersede(leaving)
        changed = [name for name in sorted(names) if things[name].after != things[name].before]
        self._held.write([things[name].after or HeldRevision(name) for name in changed])
        for name in changed:
            if things[name].may_revive:
                self._log.retry_superseded(self._contract, name)
        decided = [self._decided(document, things) for document in documents]
        return Decided(decided, superseded, {document.key for document in documents if _leaves_older(document, things)})

    def _read(self, names: set[str], in_batch: set[str]) -> dict[str, _Thing]:
        held = self._held.read(sorted(names))
        keys = [revision.document_key for revision in held.values()]
        entries = self._log.entries(self._contract, keys) if keys else {}
        things: dict[str, _Thing] = {}
        for name in names:
            before = held.get(name)
            entry = entries.get(before.document_key) if before is not None else None
            entry = entry if entry is not None and entry.status in _HELD else None
            # Whoever deletes rows of the log wants the documents loaded again; deletions are remembered all the same.
            is_lost = before is not None and entry is None and not before.is_deleted
            is_withdrawn = is_lost or (before is not None and before.document_key in in_batch)
            things[name] = _Thing(before, entry, is_withdrawn, after=None if is_withdrawn else before)
        return things

    def _candidate(self, document: MappedDocument, revision: Revision) -> HeldRevision:
        return HeldRevision(
            thing=revision.thing,
            of_key=revision.of,
            document_key=str(document.key),
            own_key=revision.own_key,
            order=revision.order,
            position=(revision.position, revision.position),
            content_hash=document.content_hash,
            is_deleted=revision.deletes,
            row_count=sum(len(document.rows[number]) for number in self._own),
        )

    def _delete_rows(self, things: Sequence[_Thing]) -> None:
        """Delete the rows of revisions that do not stay: exactly those that were loaded."""
        held = [(thing, thing.before) for thing in things if thing.before is not None]
        keys = [tuple(column.key(_keys(before)) for column in self._plan) for _, before in held]
        if any(None in key for key in keys):
            raise not_replaced("without its key the rows of the older revision cannot be found")
        for (thing, before), found in zip(held, deleted_rows(self._connection, self._plan, keys), strict=True):
            if found > before.row_count or (found < before.row_count and thing.entry is not None):
                raise not_replaced(
                    f"{found} rows of the older revision are there by its key, and {before.row_count} were loaded"
                )

    def _supersede(self, things: Sequence[_Thing]) -> dict[DocumentKey, tuple[Status, ...]]:
        """Mark documents as superseded in the log; those that are decided anew get their rows with the batch."""
        leaving = [(thing.winner, thing.entry) for thing in things if not thing.is_withdrawn]
        self._log.supersede([entry for _, entry in leaving if entry is not None])
        found: dict[DocumentKey, tuple[Status, ...]] = {}
        for winner, entry in leaving:
            if winner is not None and entry is not None and entry.run_id == self._run_id:
                found[winner.key] = (*found.get(winner.key, ()), entry.status)
        return found

    def _decided(self, document: ProcessedDocument, things: Mapping[str, _Thing]) -> ProcessedDocument:
        revision = document.revision
        if isinstance(document, Rejection) or revision is None or things[revision.thing].winner is document:
            return document
        return Superseded(*document._replace(rows=self._no_rows, counts=()))


def outranks(revision: HeldRevision, held: HeldRevision) -> bool:
    """Return whether a revision replaces the one that is held.

    With equal orders, the one later in the source's order does. Of equal content, the earlier one is held; its last
    position is that of all documents with this content, so that what stands in between does not replace it.
    """
    order, held_order = revision_rank(revision.order), revision_rank(held.order)
    if order != held_order:
        return order > held_order
    if revision.content_hash == held.content_hash:
        return place_rank(revision.position[0]) < place_rank(held.position[0])
    return place_rank(revision.position[0]) > place_rank(held.position[1])


def _is_same(revision: HeldRevision, held: HeldRevision) -> bool:
    is_equal = revision_rank(revision.order) == revision_rank(held.order)
    return is_equal and revision.content_hash == held.content_hash


def _standing(revision: HeldRevision) -> RevisionRank:
    return revision_rank(revision.order), place_rank(revision.position[1])


def _rank_of(document: ProcessedDocument) -> tuple[object, ...]:
    revision = document.revision
    return () if revision is None else revision.rank


def _things(document: ProcessedDocument) -> tuple[str, ...]:
    return () if document.revision is None else (document.revision.thing,)


def _keys(held: HeldRevision) -> DocumentKeys:
    return DocumentKeys(held.document_key, held.own_key, held.of_key)


def _leaves_older(document: ProcessedDocument, things: Mapping[str, _Thing]) -> bool:
    """Return whether a document is rejected although it is newer than the revision that remains."""
    if not isinstance(document, Rejection) or document.revision is None:
        return False
    after = things[document.revision.thing].after
    is_there = after is not None and not after.is_deleted
    return is_there and after is not None and document.revision.rank > _standing(after)
