"""What is done by the processing log, and which of it is reprocessed."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence

from xml_extractor.connections import Connection
from xml_extractor.documents import DocumentKey, RecordKey, Replaced, Status
from xml_extractor.processing.chunks import RunContext
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.processing_log.log_keys import Digest, KeyBlocks
from xml_extractor.processing_log.log_table import LogEntry
from xml_extractor.sources.interfaces import KeyPage

logger = logging.getLogger(__name__)


class LoggedDocuments:
    """Decides by the processing log which documents are done, and which of these are reprocessed.

    Args:
        connection: To the target. The caller closes it.
        context: What the run knows.

    Attributes:
        outdated: How many of the documents so far were processed by a contract with the same name but other content.
    """

    def __init__(self, connection: Connection, context: RunContext) -> None:
        self.outdated = 0
        self._log = ProcessingLog(connection)
        self._context = context
        self._reprocessed: dict[str, Replaced] = {}
        self._retried: set[str] = set()

    @property
    def for_sources(self) -> "LoggedDocuments | None":
        """What sources ask which documents are done; None for a run that reprocesses, which needs rows of the log."""
        return self if self._context.settings.reprocess is None else None

    def done(self, keys: Sequence[str]) -> set[str]:
        """Return those of the given keys, as text, that are done and are not to be reprocessed.

        Raises:
            TargetError: The log cannot be read.
        """
        contract = self._context.contract.contract
        if self._context.settings.reprocess is None:
            done = self._log.done(contract, keys)
            rejected = {
                key: Replaced(entry.rejected_by, entry.content_hash or "", only_if_changed=True)
                for key, entry in done.items()
                if entry.rejected_by is not None
            }
            self._reprocessed |= rejected
            self._retried |= rejected.keys()
            self.outdated += sum(entry.contract_hash != self._context.contract_hash for entry in done.values())
            return done.keys() - rejected.keys()
        logged = self._log.find(contract, keys)
        entries = {key: entry for key, entry in logged.items() if entry.status is not Status.RETRY}
        only_if_changed = self._context.settings.reprocess == "changed-documents"
        chosen = {
            key: Replaced(entry.run_id, entry.content_hash, only_if_changed=only_if_changed)
            for key, entry in entries.items()
            if self._is_reprocessed(entry)
        }
        rejected = {
            key: Replaced(entry.run_id, entry.content_hash, only_if_changed=True)
            for key, entry in entries.items()
            if entry.status is Status.REJECTED and key not in chosen
        }
        self._reprocessed |= chosen | rejected
        self._retried |= rejected.keys()
        return entries.keys() - chosen.keys() - rejected.keys()

    def without_complete(self, pages: Iterable[KeyPage]) -> Iterator[KeyPage]:
        """Yield pages without the keys of files that were read to their end, unless the log still has a reject of them.

        Raises:
            TargetError: The log cannot be read.
        """
        for page in pages:
            complete = {str(key) for key in page.keys if isinstance(key, RecordKey) and key.place.is_complete}
            if complete:
                logged = self._log.find(self._context.contract.contract, sorted(complete))
                complete -= {key for key, entry in logged.items() if entry.status in (Status.REJECTED, Status.RETRY)}
            yield page._replace(keys=[key for key in page.keys if str(key) not in complete]) if complete else page

    def is_retried(self, key: DocumentKey) -> bool:
        """Return whether a document is done unless it has changed since it was rejected.

        Every run looks at those, whatever it reprocesses besides.
        """
        return str(key) in self._retried

    def take_replaced(self, keys: Sequence[DocumentKey]) -> dict[DocumentKey, Replaced]:
        """Return what the log has of those of the given documents that are reprocessed, and forget it."""
        taken = {key: self._reprocessed.pop(str(key)) for key in keys if str(key) in self._reprocessed}
        self._retried.difference_update(map(str, taken))
        return taken

    def done_blocks(self, blocks: KeyBlocks, listed: Mapping[int, Digest]) -> set[int]:
        """Return the numbers of the blocks whose documents are all done; none for a shard, which needs their keys.

        Raises:
            TargetError: The log cannot be read.
        """
        if self._context.settings.shard is not None:
            return set()
        logged = self._log.blocks(self._context.contract.contract, self._context.contract_hash, blocks)
        done = {number for number, digest in listed.items() if number in logged and logged[number][0] == digest}
        self.outdated += sum(logged[number][1] for number in done)
        return done

    def earlier_rejects(self) -> int:
        """Return the number of documents of the contract that earlier runs rejected, and that are still rejected.

        Raises:
            TargetError: The log cannot be read.
        """
        return self._log.rejected_by_others(self._context.contract.contract, self._context.run_id)

    def report_outdated(self) -> int:
        """Log and return how many documents another contract has processed."""
        if self.outdated:
            message = "Processed by another contract of this name: %d documents (--reprocess changed-contract)"
            logger.info(message, self.outdated)
        return self.outdated

    def _is_reprocessed(self, entry: LogEntry) -> bool:
        settings = self._context.settings
        if settings.reprocess_version not in (None, entry.contract_version):
            return False
        match settings.reprocess:
            case "loaded" | "rejected":
                return entry.status.value == settings.reprocess
            case "changed-contract":
                return entry.contract_hash != self._context.contract_hash
            case _:
                return True
