"""The workload of each run of a baseline: the same documents into an empty scratch database."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from env_prep.baseline.scratch import Scratch
from env_prep.baseline.variants import Variant
from xml_extractor.contract.layout import TableLayout
from xml_extractor.contract.model import Contract, SourceTable
from xml_extractor.errors import EXIT_OK, EXIT_REJECTS, RunError, UsageError
from xml_extractor.processing_log.own_tables import own_tables
from xml_extractor.samples import KINDS, samples
from xml_extractor.schema.names import database_name
from xml_extractor.schema.shared_tables import merged_tables
from xml_extractor.sources.registry import open_source_writer
from xml_extractor.targets.registry import open_target

PROGRAM = Path(__file__).resolve().parent.parent.parent / "production_processor.py"
SEED = 1

Metrics = dict[str, Any]
"""The metrics file of a run, as `documentation/reference/metrics.md` describes it."""


def table_names(tables: Sequence[TableLayout]) -> list[str]:
    """Return the names of the tables that a run may create, parents before children."""
    return [
        database_name(table.table, embedded=True)[1]
        for table in (*own_tables(has_revisions=True), *merged_tables(tables))
    ]


def check_schemas(contract: Contract, tables: Sequence[TableLayout], *, with_samples: bool) -> None:
    """Check that the contract names no schema, so that all tables of a server are in the scratch schema.

    Raises:
        UsageError: It names one.
    """
    named = [table.table for table in tables] + ([contract.source.table] if with_samples else [])
    elsewhere = [table for table in named if "." in table]
    if elsewhere:
        raise UsageError(
            f"the contract {contract.contract} names schemas ({', '.join(elsewhere[:3])}) and would load there",
            "measure a copy of the contract without them; its tables are then in the scratch schema",
        )


@dataclass(frozen=True, slots=True)
class Workload:
    """The documents, the contract and the scratch database.

    Attributes:
        contract_option: The `--contract` of the runs.
        documents: The number of documents that each run loads.
        source: Their address; may contain secrets.
        kept: Tables of the scratch database that contain the documents.
        directory: For the files of the runs.
    """

    contract_option: str
    contract: Contract
    tables: Sequence[TableLayout]
    documents: int
    source: str
    scratch: Scratch
    kept: Sequence[str]
    directory: Path

    def run(self, variant: Variant) -> Metrics:
        """Empty the scratch database, run the nightly command once, and return the metrics of the run.

        Raises:
            RunError: The run could not continue, or loaded nothing.
        """
        self.scratch.empty(self.kept)
        target = self.scratch.database.address
        open_target(target, self.contract).create(self.tables)
        into = next(path for number in count(1) if not (path := self.directory / f"run{number}").exists())
        into.mkdir()
        nothing = into / "no_settings.toml"
        nothing.touch()
        arguments = [
            *("--config", str(nothing), "--contract", self.contract_option, "--limit", str(self.documents)),
            *("--metrics-dir", str(into), "--rejects-dir", "", "--no-progress", *variant.arguments()),
        ]
        code, errors = _processor(arguments, {"XML_EXTRACTOR_SOURCE": self.source, "XML_EXTRACTOR_TARGET": target})
        written = sorted(into.glob("metrics_*.json"))
        if code not in (EXIT_OK, EXIT_REJECTS) or not written:
            said = [line.removeprefix("Error: ") for line in errors.splitlines() if line.startswith("Error: ")]
            why = said[-1] if said else "it reported no reason"
            raise RunError(f"a run ended with exit code {code}: {why}", f"its options were: {variant.options}")
        metrics: Metrics = json.loads(written[0].read_text(encoding="utf-8"))
        if not done(metrics):
            raise RunError("a run found no document to load", "check that --source has documents of this contract")
        return metrics


def done(metrics: Metrics) -> int:
    """Return the number of documents that a run loaded or rejected."""
    return int(metrics["documents"]["loaded"] + metrics["documents"]["rejected"])


def make_documents(contract: Contract, number: int, address: str) -> None:
    """Write sample documents into a database as the source of the runs.

    Raises:
        UsageError: There are no samples for this contract.
        TargetError: The database cannot be written.
    """
    if contract.contract not in KINDS:
        raise UsageError(
            f"there are no sample documents for the contract {contract.contract}",
            "name their source with --source",
        )
    # The condition of the contract may need columns that the table of samples does not have.
    table = SourceTable(table=contract.source.table, key=contract.source.key, xml=contract.source.xml)
    with open_source_writer(address, table) as writer:
        for sample in samples(contract.contract, number, SEED):
            writer.write(sample)


def _processor(arguments: Sequence[str], addresses: dict[str, str]) -> tuple[int, str]:
    """Run the nightly command without the settings in this process's environment; return exit code and errors."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XML_EXTRACTOR_")}
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(PROGRAM), *arguments],
        env={**environment, **addresses},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            _, errors = process.communicate()
        except BaseException:
            # Let it end in order: nothing may write while the database is emptied.
            process.terminate()
            with suppress(KeyboardInterrupt):
                process.communicate()
            raise
    return process.returncode, errors
