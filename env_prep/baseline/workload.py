"""What each run of a baseline loads, and where: always the same documents into an empty scratch place."""

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
from xml_extractor.cli.boundary import EXIT_OK, EXIT_REJECTS
from xml_extractor.contract.layout import TableLayout
from xml_extractor.contract.model import Contract, SourceTable
from xml_extractor.errors import RunError, UsageError
from xml_extractor.processing_log.log_table import LOG_TABLE
from xml_extractor.samples import KINDS, samples
from xml_extractor.schema.ddl import database_name
from xml_extractor.sources.registry import open_source_writer
from xml_extractor.targets.registry import open_target

PROGRAM = Path(__file__).resolve().parent.parent.parent / "production_processor.py"
SEED = 1

Metrics = dict[str, Any]
"""The metrics file of a run, as `documentation/reference/metrics.md` describes it."""


def table_names(tables: Sequence[TableLayout]) -> list[str]:
    """The tables that a run fills, by their names in the database, parents before children."""
    return [database_name(table.table, embedded=True)[1] for table in (LOG_TABLE, *tables)]


def refuse_schemas(contract: Contract, tables: Sequence[TableLayout], *, with_samples: bool) -> None:
    """See that a server's tables are all in the scratch schema, and none in one that the contract names.

    Raises:
        UsageError: One is not.
    """
    named = [table.table for table in tables] + ([contract.source.table] if with_samples else [])
    elsewhere = [table for table in named if "." in table]
    if elsewhere:
        raise UsageError(
            f"the contract {contract.contract} names schemas ({', '.join(elsewhere[:3])}) and would load there",
            "measure a copy of the contract without them; the tables then are in the scratch schema",
        )


@dataclass(frozen=True, slots=True)
class Workload:
    """The documents, the contract and the scratch place.

    Attributes:
        contract_option: How the runs get the contract.
        documents: How many documents each run loads.
        source: Where they are; may hold secrets.
        kept: Tables in the scratch place that hold the documents.
        directory: For files of the runs.
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
        """Empty the place, run the nightly command once, and give the run's metrics.

        Raises:
            RunError: The run could not go on, or loaded nothing.
        """
        self.scratch.empty(self.kept)
        target = self.scratch.place.address
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
            why = said[-1] if said else "it says nothing of the reason"
            raise RunError(f"a run ended with exit code {code}: {why}", f"its options were: {variant.options}")
        metrics: Metrics = json.loads(written[0].read_text(encoding="utf-8"))
        if not done(metrics):
            raise RunError("a run found no document to load", "see that --source has documents of this contract")
        return metrics


def done(metrics: Metrics) -> int:
    """Documents that a run loaded or rejected."""
    return int(metrics["documents"]["loaded"] + metrics["documents"]["rejected"])


def make_documents(contract: Contract, number: int, address: str) -> None:
    """Write sample documents into a database, from where runs can take them.

    Raises:
        UsageError: There are no samples for this contract.
        TargetError: The database cannot be written.
    """
    if contract.contract not in KINDS:
        raise UsageError(
            f"there are no sample documents for the contract {contract.contract}",
            "say with --source where documents are",
        )
    # The contract's own condition may ask for columns that the table of samples does not have.
    table = SourceTable(table=contract.source.table, key=contract.source.key, xml=contract.source.xml)
    with open_source_writer(address, table) as writer:
        for sample in samples(contract.contract, number, SEED):
            writer.write(sample)


def _processor(arguments: Sequence[str], addresses: dict[str, str]) -> tuple[int, str]:
    """Run the nightly command, without the settings of this process's environment, and give exit code and errors."""
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
            # It ends in order: what is emptied next must have no writer any more.
            process.terminate()
            with suppress(KeyboardInterrupt):
                process.communicate()
            raise
    return process.returncode, errors
