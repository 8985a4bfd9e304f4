"""Faults in runs that do documents again: each document has its old rows or its new ones, at last its new ones."""

from dataclasses import replace
from pathlib import Path

from tests.faults.bench import (
    EMPTY,
    MALFORMED,
    Bench,
    BrokenPromiseError,
    Launcher,
    change,
    make_source,
    query,
    rows_by_document,
)
from xml_extractor.pipeline import run
from xml_extractor.settings import RunSettings

AGAIN = ("--reprocess", "changed-documents")


class AgainBench(Bench):
    """Targets have all documents already, as they were before they changed: with other values and other lines."""

    own_options = AGAIN
    rejected = Bench.rejected - {MALFORMED, EMPTY}

    def __init__(self, directory: Path, launcher: Launcher) -> None:
        self.old_rows: dict[int, dict[str, int]] = {}
        super().__init__(directory, launcher)

    def resume(self, place: Path) -> None:
        """Do again undisturbed what is not done again yet.

        Raises:
            BrokenPromiseError: It could not go on.
        """
        settings = self._settings(self._source, place / "target.db")
        failure = run(replace(settings, reprocess="changed-documents")).failure
        if failure is not None:
            raise BrokenPromiseError("not resumed", f"{failure}")

    def see_that_documents_are_whole(self, place: Path) -> None:
        """See that each document has its old rows, its new ones or, where it is rejected, none, as the log says.

        Raises:
            BrokenPromiseError: Of one this does not hold.
        """
        there = rows_by_document(place / "target.db")
        logged = query(place / "target.db", "SELECT document_key, attempts, row_count FROM processing_log")
        for key, attempts, row_count in logged:
            wanted = (self.old_rows if attempts == 1 else self.expected_rows).get(int(key), {})
            rows = there.pop(int(key), {})
            if sum(rows.values()) != row_count or (rows and rows != wanted):
                raise BrokenPromiseError("half", f"document {key} of attempt {attempts}: {rows}, wanted {wanted}")
        if there:
            raise BrokenPromiseError("doubled", f"documents {sorted(there)} are not in the log")

    def _make_empty(self) -> None:
        """A target that has the documents as they were."""
        old = self.directory / "old.db"
        make_source(old, self.documents)
        text = "'<order id=\"' || app_id || '\"><customer>Old</customer><line price=\"1\"/>'"
        more = "CASE app_id % 2 WHEN 0 THEN '' ELSE '<line price=\"2\"/>' END"
        change(old, f"UPDATE app_xml SET xml = {text} || {more} || '</order>'")
        # What cannot be read any more stays as it was, which a test of its own shows.
        for path in (old, self._source):
            change(path, f"DELETE FROM app_xml WHERE app_id IN ({MALFORMED}, {EMPTY})")
        run(self._settings(old, self._empty))
        super()._make_empty()
        self.old_rows = rows_by_document(self._empty)

    def _settings(self, source: Path, target: Path) -> RunSettings:
        return RunSettings(
            str(self._contract),
            f"sqlite:///{source}",
            f"sqlite:///{target}",
            workers=1,
            batch_size=20,
            rejects_dir=None,
        )
