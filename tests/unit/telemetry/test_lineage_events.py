"""OpenLineage events: valid, and with the lineage of each column.

Set XML_EXTRACTOR_TEST_OPENLINEAGE to a directory with the published schemas to check events by them: `spec` of the
project, under the Apache License 2.0.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openlineage.client", reason="the extra otel is not installed")

from jsonschema import Draft202012Validator, FormatChecker
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import RunState
from openlineage.client.serde import Serde
from openlineage.client.transport.noop import NoopConfig, NoopTransport
from referencing import Registry, Resource

from xml_extractor.contract.reading import read_contract
from xml_extractor.errors import TargetError
from xml_extractor.reporting.result import RunResult, RunStatistics
from xml_extractor.settings import RunSettings
from xml_extractor.telemetry.lineage_events import LineageEvents, dataset_name

SCHEMAS = os.environ.get("XML_EXTRACTOR_TEST_OPENLINEAGE")
STARTED = datetime(2026, 3, 1, 1, 30)  # noqa: DTZ001 - naive UTC
TABLES = tuple(read_contract("card_application").tables)

Event = dict[str, Any]


def result(**changes: Any) -> RunResult:
    statistics = RunStatistics(TABLES, seen=9, loaded=8, rejected=1, rows=[number + 1 for number in range(len(TABLES))])
    made = RunResult(
        "20260301T013000000-00c0ffee",
        "card_application",
        1,
        "0" * 64,
        "mssql://crm.example.com/sales?schema=raw",
        "mssql://dwh.example.com:14330/warehouse",
        STARTED,
        STARTED + timedelta(seconds=90),
        90.0,
        RunSettings("card_application", "", ""),
        statistics,
        {},
        (),
    )
    return replace(made, **changes)


def event(state: RunState = RunState.COMPLETE, **changes: Any) -> Event:
    client = OpenLineageClient(transport=NoopTransport(NoopConfig()))
    events = LineageEvents(read_contract("card_application"), client)
    found: Event = json.loads(Serde.to_json(events.event(result(**changes), state)))
    return found


def test_a_column_comes_from_xpaths_of_the_source() -> None:
    found = event()
    (source,) = found["inputs"]
    assert (source["namespace"], source["name"]) == ("mssql://crm.example.com:1433", "sales.raw.app_xml")
    output = found["outputs"][0]
    assert (output["namespace"], output["name"]) == ("mssql://dwh.example.com:14330", "warehouse.dbo.application")
    fields = output["facets"]["columnLineage"]["fields"]["decision_id"]["inputFields"]
    assert fields == [
        {
            "namespace": source["namespace"],
            "name": source["name"],
            "field": "/CardApplication/Application/@decision",
            "transformations": [{"type": "DIRECT", "subtype": "TRANSFORMATION"}],
        }
    ]
    assert {"name": "app_id", "type": "int"} in [
        {name: field[name] for name in ("name", "type")} for field in output["facets"]["schema"]["fields"]
    ]


def test_the_last_event_has_what_was_loaded_and_the_first_has_not() -> None:
    first, last = event(RunState.START, is_running=True), event()
    assert (first["eventType"], first["eventTime"]) == ("START", "2026-03-01T01:30:00.000Z")
    assert (last["eventType"], last["eventTime"]) == ("COMPLETE", "2026-03-01T01:31:30.000Z")
    assert first["run"]["runId"] == last["run"]["runId"]
    assert last["inputs"][0]["inputFacets"]["inputStatistics"]["rowCount"] == 9
    rows = [output["outputFacets"]["outputStatistics"]["rowCount"] for output in last["outputs"]]
    assert rows == [number + 1 for number in range(len(TABLES))]
    assert not any(output["outputFacets"] for output in first["outputs"])


def test_a_failed_run_has_its_error_and_the_job_that_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = "01957fe5-4c80-7a6c-9a1f-5c9a7d0f1a11"
    monkeypatch.setenv("OPENLINEAGE_PARENT_ID", f"airflow/nightly.load/{parent}")
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "warehouse")
    found = event(RunState.FAIL, failure=TargetError("the disk is full"))
    facets = found["run"]["facets"]
    assert facets["errorMessage"]["message"] == "the disk is full"
    assert facets["parent"]["job"] == {"namespace": "airflow", "name": "nightly.load", "facets": {}}
    assert facets["parent"]["run"]["runId"] == parent
    assert (found["job"]["namespace"], found["job"]["name"]) == ("warehouse", "card_application")


@pytest.mark.parametrize(
    ("database", "table", "expected"),
    [
        ("mssql://host:1500/db", "note", ("mssql://host:1500", "db.dbo.note")),
        ("mssql://[::1]:1500/db?schema=etl", "note", ("mssql://[::1]:1500", "db.etl.note")),
        ("mssql://[::1]/db", "raw.note", ("mssql://[::1]:1433", "db.raw.note")),
        ("-", "note", ("file", "standard input")),
    ],
)
def test_datasets_have_the_names_of_the_convention(database: str, table: str, expected: tuple[str, str]) -> None:
    assert dataset_name(database, table) == expected


def test_files_are_named_by_their_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert dataset_name("orders", "note") == ("file", (tmp_path / "orders").as_posix())
    assert dataset_name("parquet:lake", "raw.note") == ("file", (tmp_path / "lake" / "note").as_posix())
    assert dataset_name("sqlite:///x.db", "note") == (f"sqlite://{(tmp_path / 'x.db').as_posix()}", "note")


def facets_in(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "_schemaURL" in node:
            yield node
        for part in node.values():
            yield from facets_in(part)
    elif isinstance(node, list):
        for part in node:
            yield from facets_in(part)


@pytest.mark.skipif(not SCHEMAS, reason="XML_EXTRACTOR_TEST_OPENLINEAGE names no directory with the published schemas")
def test_events_are_valid_by_the_published_schemas() -> None:
    folder = Path(str(SCHEMAS))
    registry: Registry[Any] = Registry()
    for path in (folder / "OpenLineage.json", *(folder / "facets").glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        registry = registry.with_resource(schema["$id"], Resource.from_contents(schema))
    for found in (event(RunState.START, is_running=True), event(), event(RunState.FAIL, failure=TargetError("full"))):
        facets = list(facets_in(found))
        assert len(facets) > 2 * len(TABLES)
        for part in (found, *facets):
            schema = {"$ref": part.get("schemaURL") or part["_schemaURL"]}
            Draft202012Validator(schema, registry=registry, format_checker=FormatChecker()).validate(part)
