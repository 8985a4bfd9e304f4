"""Which documents of a source are done, and which of these are to be done again."""

from collections.abc import Sequence

from xml_extractor.connections import Connection
from xml_extractor.documents import DocumentKey, Replaced, Status
from xml_extractor.processing.work import RunContext
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.processing_log.log_table import LogEntry


class LoggedDocuments:
    """What the processing log says of documents, for the main process.

    Args:
        connection: To the target. The caller closes it.
        context: What the run knows.
    """

    def __init__(self, connection: Connection, context: RunContext) -> None:
        self._log = ProcessingLog(connection)
        self._context = context
        self._chosen: dict[str, Replaced] = {}

    def done(self, keys: Sequence[str]) -> set[str]:
        """Those of these keys, as text, that are done and are not to be done again.

        Raises:
            TargetError: The log cannot be read.
        """
        contract = self._context.contract.contract
        if self._context.settings.reprocess is None:
            return self._log.done(contract, keys)
        logged = self._log.find(contract, keys)
        entries = {key: entry for key, entry in logged.items() if entry.status is not Status.RETRY}
        chosen = {
            key: Replaced(entry.run_id, entry.content_hash) for key, entry in entries.items() if self._is_chosen(entry)
        }
        self._chosen |= chosen
        return entries.keys() - chosen.keys()

    def take_replaced(self, keys: Sequence[DocumentKey]) -> dict[DocumentKey, Replaced]:
        """What the log has of those of these documents that are to be done again; told once."""
        return {key: self._chosen.pop(str(key)) for key in keys if str(key) in self._chosen}

    def by_another_contract(self) -> int:
        """How many documents were done by another contract of this name.

        Raises:
            TargetError: The log cannot be read.
        """
        counts = self._log.counts(self._context.contract.contract)
        return sum(
            count.documents
            for count in counts
            if count.status is not Status.RETRY and count.contract_hash != self._context.contract_hash
        )

    def _is_chosen(self, entry: LogEntry) -> bool:
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
