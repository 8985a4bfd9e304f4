"""Runs of the real command, watched by servers of this machine that take OpenTelemetry and OpenLineage over HTTP."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Completed
from tests.orchestrators import orders

VARIABLES = ("OTEL_", "OPENLINEAGE", "XML_EXTRACTOR_", "TRACE")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
COMMAND = ["-m", "xml_extractor", "run", "--contract", "orders.yaml", "--source", "orders"]
COMMAND += ["--target", "sqlite:///orders.db", "--workers", "1", "--no-progress"]
PROGRAM = """
import logging, sys, xml_extractor
logging.basicConfig(format="%(message)s")
result = xml_extractor.run("orders.yaml", "orders", "sqlite:///orders.db")
print(result.exit_code, *sys.modules)
"""


@contextmanager
def server() -> Iterator[tuple[str, dict[str, list[bytes]]]]:
    """A server that accepts everything; yields its address and the bodies by path."""
    bodies: dict[str, list[bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.setdefault(self.path, []).append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name is that of the base
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", bodies
        http.shutdown()
        thread.join()


def run(directory: Path, arguments: Sequence[str] = ("-c", PROGRAM), **variables: str) -> Completed:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(VARIABLES)}
    path = os.pathsep.join((*([variables.pop("SHADOW")] if "SHADOW" in variables else []), str(ROOT)))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env={**environment, "PYTHONPATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_a_run_sends_its_trace_its_metrics_and_two_lineage_events(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.distro", reason="the extra otel is not installed")
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    orders(tmp_path)
    with server() as (address, bodies):
        ended = run(
            tmp_path,
            COMMAND,
            OTEL_EXPORTER_OTLP_ENDPOINT=address,
            OTEL_EXPORTER_OTLP_COMPRESSION="none",
            OPENLINEAGE_URL=address,
            OPENLINEAGE__TRANSPORT__TYPE="http",
            OPENLINEAGE__TRANSPORT__URL=address,
            OPENLINEAGE__TRANSPORT__COMPRESSION="",
            TRACEPARENT=f"00-{TRACE}-00f067aa0ba902b7-01",
        )
    assert (ended.returncode, ended.stderr) == (1, "")
    (traced,) = [ExportTraceServiceRequest.FromString(body) for body in bodies["/v1/traces"]]
    (scope,) = traced.resource_spans[0].scope_spans
    assert {span.trace_id.hex() for span in scope.spans} == {TRACE}
    assert {"run orders", "parse", "map", "insert", "commit"} <= {span.name for span in scope.spans}
    resource = {each.key: each.value.string_value for each in traced.resource_spans[0].resource.attributes}
    assert resource["service.name"] == "xml_extractor"
    measured = ExportMetricsServiceRequest.FromString(bodies["/v1/metrics"][-1])
    names = {metric.name for metric in measured.resource_metrics[0].scope_metrics[0].metrics}
    assert {"xml_extractor.run.documents", "xml_extractor.run.rows", "xml_extractor.run.rejects"} <= names
    first, last = (json.loads(body) for body in bodies["/api/v1/lineage"])
    assert (first["eventType"], last["eventType"]) == ("START", "COMPLETE")
    assert [output["name"] for output in last["outputs"]] == ["customer_order", "order_line"]


def test_systems_that_are_not_there_neither_end_a_run_nor_change_its_exit_code(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.distro", reason="the extra otel is not installed")
    orders(tmp_path)
    ended = run(
        tmp_path,
        OTEL_TRACES_EXPORTER="no such exporter",
        OPENLINEAGE__TRANSPORT__TYPE="http",
        OPENLINEAGE__TRANSPORT__URL="http://127.0.0.1:9",
        OPENLINEAGE__TRANSPORT__RETRY__TOTAL="0",
    )
    assert ended.stdout.startswith("1 "), ended.stderr
    assert "Telemetry is off: opentelemetry cannot be set up" in ended.stderr
    assert "Telemetry is incomplete: " in ended.stderr


def test_without_the_variables_nothing_is_imported(tmp_path: Path) -> None:
    orders(tmp_path)
    ended = run(tmp_path, OTEL_SDK_DISABLED="true", OTEL_TRACES_EXPORTER="otlp", OPENLINEAGE_DISABLED="true")
    assert ended.stdout.startswith("1 "), ended.stderr
    modules = {name.partition(".")[0] for name in ended.stdout.split()}
    assert modules & {"opentelemetry", "openlineage"} == set()


@pytest.mark.parametrize(
    ("package", "variables"),
    [("opentelemetry", {"OTEL_TRACES_EXPORTER": "otlp"}), ("openlineage", {"OPENLINEAGE_URL": "http://127.0.0.1:9"})],
)
def test_one_line_names_the_package_that_is_missing(package: str, variables: Mapping[str, str], tmp_path: Path) -> None:
    orders(tmp_path)
    (tmp_path / "shadow").mkdir()
    failing = f"raise ModuleNotFoundError('none', name={package!r})"
    (tmp_path / "shadow" / f"{package}.py").write_text(failing, encoding="utf-8")
    ended = run(tmp_path, SHADOW=str(tmp_path / "shadow"), **variables)
    assert ended.stdout.startswith("1 "), ended.stderr
    (line,) = ended.stderr.splitlines()
    assert line == f"Telemetry is off: {package} is not installed (pip install 'xml-extractor-etl[otel]')"
