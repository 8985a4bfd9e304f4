"""OpenLineage events of a run: which dataset became which tables, and which XPaths became which columns.

Source: "OpenLineage" 2-0-2, the specification of its facets, and its conventions for names of datasets, openlineage.io.
"""

import os
import re
from datetime import UTC
from pathlib import Path

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    JobFacet,
    OutputDatasetFacet,
    RunFacet,
    column_lineage_dataset,
    documentation_job,
    error_message_run,
    input_statistics_input_dataset,
    job_type_job,
    output_statistics_output_dataset,
    parent_run,
    processing_engine_run,
    schema_dataset,
    tags_run,
)
from openlineage.client.uuid import generate_static_uuid

from xml_extractor.contract.layout import TableLayout, layouts
from xml_extractor.contract.lineage import Lineage
from xml_extractor.contract.model import Contract
from xml_extractor.distribution import DISTRIBUTION, VERSION
from xml_extractor.processing_log.run_history import RunStatus
from xml_extractor.reporting.metrics import Figure
from xml_extractor.reporting.result import RunResult

NAME = "xml_extractor"
PRODUCER = f"urn:{DISTRIBUTION}:{VERSION}"
DEFAULT_PORT, DEFAULT_SCHEMA = 1433, "dbo"

_SERVER = re.compile(r"mssql://(?P<host>[^/?]*)/(?P<database>[^?]*)(?:\?schema=(?P<schema>.*))?")

_STATES = {
    RunStatus.FINISHED: RunState.COMPLETE,
    RunStatus.FAILED: RunState.FAIL,
    RunStatus.INTERRUPTED: RunState.ABORT,
}


def open_observer(contract: Contract) -> "LineageEvents":
    """Return what reports a run of a contract."""
    return LineageEvents(contract, OpenLineageClient())


class LineageEvents:
    """Sends an event at the start and at the end of a run.

    Args:
        contract: The contract of the run.
        client: Sends events where the environment says.
    """

    def __init__(self, contract: Contract, client: OpenLineageClient) -> None:
        self._contract = contract
        self._client = client
        self._lineage = Lineage(contract)

    def start(self, result: RunResult) -> None:
        """Send the event of the start."""
        self._client.emit(self.event(result, RunState.START))

    def report(self, taken: tuple[Figure, ...]) -> None:
        """Do nothing."""

    def finish(self, result: RunResult, taken: tuple[Figure, ...]) -> None:
        """Send the event of the end, with what was loaded."""
        del taken
        self._client.emit(self.event(result, _STATES[result.status]))

    def event(self, result: RunResult, state: RunState) -> RunEvent:
        """Return an event of a run."""
        moment = result.started_at if result.is_running else result.finished_at
        source = dataset_name(result.source, self._contract.source.table)
        documents = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            result.statistics.processed, producer=PRODUCER
        )
        of_source: dict[str, InputDatasetFacet] = {} if result.is_running else {"inputStatistics": documents}
        return RunEvent(
            eventType=state,
            eventTime=moment.replace(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            producer=PRODUCER,
            run=Run(_run_uuid(result), _facets_of_run(result)),
            job=Job(os.environ.get("OPENLINEAGE_NAMESPACE") or NAME, result.contract, self._facets_of_job()),
            inputs=[InputDataset(*source, of_source)],
            outputs=[self._output(result, layout, source) for layout in layouts(self._contract)],
        )

    def _output(self, result: RunResult, layout: TableLayout, source: tuple[str, str]) -> OutputDataset:
        rows = result.statistics.rows_by_table[layout.name]
        statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rows, producer=PRODUCER)
        of_output: dict[str, OutputDatasetFacet] = {} if result.is_running else {"outputStatistics": statistics}
        columns = (*layout.columns, *layout.generated)
        fields = [schema_dataset.SchemaDatasetFacetFields(column.name, str(column.type)) for column in columns]
        facets: dict[str, DatasetFacet] = {
            "schema": schema_dataset.SchemaDatasetFacet(fields, producer=PRODUCER),
            "columnLineage": self._column_lineage(layout, source),
        }
        return OutputDataset(*dataset_name(result.target, layout.table), of_output, facets=facets)

    def _column_lineage(self, layout: TableLayout, source: tuple[str, str]) -> DatasetFacet:
        def found(path: str, kind: str, how: str) -> column_lineage_dataset.InputField:
            return column_lineage_dataset.InputField(*source, path, [column_lineage_dataset.Transformation(kind, how)])

        columns = {column.name: self._lineage.origins(layout.name, column.name) for column in layout.columns}
        fields = {
            name: column_lineage_dataset.Fields([found(path, "DIRECT", how) for path, how in origins])
            for name, origins in columns.items()
            if origins
        }
        rows = [found(path, "INDIRECT", "FILTER") for path in self._lineage.rows(layout.name)]
        return column_lineage_dataset.ColumnLineageDatasetFacet(fields, rows, producer=PRODUCER)

    def _facets_of_job(self) -> dict[str, JobFacet]:
        facets: dict[str, JobFacet] = {
            "jobType": job_type_job.JobTypeJobFacet("BATCH", NAME.upper(), "JOB", producer=PRODUCER)
        }
        if self._contract.description:
            facets["documentation"] = documentation_job.DocumentationJobFacet(
                self._contract.description, producer=PRODUCER
            )
        return facets


def dataset_name(database: str, table: str) -> tuple[str, str]:
    """Return namespace and name of a table, or of files, by the name of a source or target in messages."""
    schema, _, name = table.rpartition(".")
    server = _SERVER.fullmatch(database)
    if server is not None:
        host = server["host"] if re.search(r":\d+$", server["host"]) else f"{server['host']}:{DEFAULT_PORT}"
        owner = schema or server["schema"] or DEFAULT_SCHEMA
        return f"mssql://{host}", f"{server['database']}.{owner}.{name}"
    if database.startswith("sqlite:///"):
        return f"sqlite://{Path(database.removeprefix('sqlite:///')).absolute().as_posix()}", name
    if database.startswith("parquet:"):
        return "file", (Path(database.removeprefix("parquet:")).absolute() / name).as_posix()
    return "file", Path(database).absolute().as_posix() if database != "-" else "standard input"


def _run_uuid(result: RunResult) -> str:
    """Return the id of a run as OpenLineage needs it: a UUID, always the same for the same run."""
    return str(generate_static_uuid(result.started_at.replace(tzinfo=UTC), result.run_id.encode()))


def _facets_of_run(result: RunResult) -> dict[str, RunFacet]:
    tag = tags_run.TagsRunFacetFields("run_id", result.run_id, NAME.upper())
    facets: dict[str, RunFacet] = {
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(VERSION, NAME, producer=PRODUCER),
        "tags": tags_run.TagsRunFacet([tag], producer=PRODUCER),
    }
    if result.failure is not None:
        message = result.failure.message
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(message, "PYTHON", producer=PRODUCER)
    namespace, _, rest = os.environ.get("OPENLINEAGE_PARENT_ID", "").partition("/")
    job, _, run_id = rest.rpartition("/")
    if namespace and job and run_id:
        facets["parent"] = parent_run.ParentRunFacet(
            parent_run.Run(run_id), parent_run.Job(namespace, job), producer=PRODUCER
        )
    return facets
