"""The trace and the metrics of a run, as an SDK records them that the program has set up."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytest.importorskip("opentelemetry.distro", reason="the extra otel is not installed")

PROGRAM = """
import json, sys
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import xml_extractor

spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider([reader]))
with trace.get_tracer("program").start_as_current_span("night") as outer:
    xml_extractor.run("orders.yaml", "orders", "sqlite:///orders.db")
    try:
        xml_extractor.run("orders.yaml", "orders", "sqlite:///other.db", max_rejects=0)
    except xml_extractor.XmlExtractorError:
        pass
found = [
    {
        "name": span.name,
        "parent": span.parent and format(span.parent.span_id, "x"),
        "id": format(span.context.span_id, "x"),
        "status": span.status.status_code.name,
        "seconds": (span.end_time - span.start_time) / 1e9,
        **dict(span.attributes),
    }
    for span in spans.get_finished_spans()
]
points = {
    f"{metric.name} {point.attributes.get('outcome', '')}": point.value
    for resource in reader.get_metrics_data().resource_metrics
    for scope in resource.scope_metrics
    for metric in scope.metrics
    for point in metric.data.data_points
}
json.dump({"spans": found, "points": points, "outer": format(outer.get_span_context().span_id, "x")}, sys.stdout)
"""


def test_a_run_is_a_span_with_its_stages_below_the_span_of_the_program(tmp_path: "os.PathLike[str]") -> None:
    import json
    from pathlib import Path

    from tests.orchestrators import orders

    orders(Path(tmp_path))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENLINEAGE"))}
    shown = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(shown.stdout)
    first, second = [span for span in found["spans"] if span["name"] == "run orders"]
    assert {first["parent"], second["parent"]} == {found["outer"]}
    assert (first["status"], second["status"]) == ("UNSET", "ERROR")
    counts = [first[f"xml_extractor.{name}"] for name in ("loaded", "rejected", "rows", "exit_code")]
    assert counts == [1, 1, 3, 1]
    stages = [span for span in found["spans"] if span["parent"] == first["id"]]
    assert {"fetch", "parse", "map", "insert", "commit"} <= {span["name"] for span in stages}
    assert all(span["xml_extractor.busy_seconds"] <= span["seconds"] + 0.01 for span in stages)
    # The last run of a contract counts.
    assert found["points"]["xml_extractor.run.documents rejected"] == 1
    assert found["points"]["xml_extractor.run.exit_code "] == 4
