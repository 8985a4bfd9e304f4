"""A trace and the metrics of a run by OpenTelemetry.

Source: "OpenTelemetry Specification": "Environment Variable Specification", and "General SDK Configuration".
"""

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import Any

from opentelemetry import context, metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import Status, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from xml_extractor.contract.model import Contract
from xml_extractor.distribution import VERSION
from xml_extractor.reporting.metrics import Figure
from xml_extractor.reporting.result import RunResult
from xml_extractor.telemetry import names_exporter

NAME = "xml_extractor"
FLUSH_MILLISECONDS = 8000


def open_observer(contract: Contract) -> "RunTrace":
    """Return what reports a run of a contract; set up the SDK as the environment asks, unless the program has."""
    if names_exporter(os.environ) and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        _configure()
    return RunTrace(contract.contract)


class RunTrace:
    """Reports one run: its figures as gauges, and at its end its trace.

    The trace has a span for the run, and within it one for each stage. Stages overlap, as many documents are in
    different stages at the same time, so the spans of stages are as long as the run. `busy_seconds` has the time that
    the stage took, summed over processes and threads.
    """

    def __init__(self, contract: str) -> None:
        self._contract = contract
        self._parent = _parent()
        self._provider: TracerProvider = trace.get_tracer_provider()

    def start(self, result: RunResult) -> None:
        """Do nothing: the span of the run is made at its end, with its start."""

    def report(self, taken: tuple[Figure, ...]) -> None:
        """Show the figures of the run to the readers of metrics."""
        gauges = _gauges()
        for figure in taken:
            gauges.set(self._contract, figure)

    def finish(self, result: RunResult, taken: tuple[Figure, ...]) -> None:
        """Record the trace and the last figures, and send both."""
        tracer = self._provider.get_tracer(NAME, VERSION)
        start, end = _nanoseconds(result.started_at), _nanoseconds(result.finished_at)
        statistics = result.statistics
        span = tracer.start_span(f"run {result.contract}", self._parent, start_time=start)
        span.set_attributes(
            {
                f"{NAME}.run_id": result.run_id,
                f"{NAME}.contract": result.contract,
                f"{NAME}.contract_version": result.contract_version,
                f"{NAME}.source": result.source,
                f"{NAME}.target": result.target,
                f"{NAME}.status": result.status.value,
                f"{NAME}.exit_code": result.exit_code,
                f"{NAME}.workers": result.settings.workers,
                f"{NAME}.loaded": statistics.loaded,
                f"{NAME}.rejected": statistics.rejected,
                f"{NAME}.already_done": statistics.already_done,
                f"{NAME}.rows": sum(statistics.rows),
            }
        )
        if result.failure is not None:
            span.set_status(Status(StatusCode.ERROR, result.failure.message))
        within = trace.set_span_in_context(span, self._parent)
        for stage, seconds in statistics.stage_seconds.items():
            stages = tracer.start_span(stage, within, start_time=start)
            stages.set_attribute(f"{NAME}.busy_seconds", round(seconds, 3))
            stages.end(end)
        span.end(end)
        self.report(taken)
        for provider in (self._provider, metrics.get_meter_provider()):
            flush = getattr(provider, "force_flush", None)
            if flush is not None:
                flush(timeout_millis=FLUSH_MILLISECONDS)


class Gauges:
    """The last figures of each contract, as observable gauges. A process has one."""

    def __init__(self) -> None:
        self._meter = metrics.get_meter(NAME, VERSION)
        self._observed: dict[str, dict[str, list[Observation]]] = {}

    def set(self, contract: str, figure: Figure) -> None:
        """Replace a figure of a contract."""
        if figure.name not in self._observed:
            self._observed[figure.name] = {}
            unit = "s" if figure.name.endswith("_seconds") else ""
            name = f"{NAME}.run.{figure.name}"
            self._meter.create_observable_gauge(name, [self._reader(figure.name)], unit, figure.description)
        self._observed[figure.name][contract] = [
            Observation(value, {"contract": contract, **dict(labels)}) for labels, value in figure.samples.items()
        ]

    def _reader(self, name: str) -> "metrics.CallbackT":
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [each for observations in [*self._observed[name].values()] for each in observations]

        return observe


@cache
def _gauges() -> Gauges:
    return Gauges()


def _configure() -> None:
    """Set up the SDK by the environment. Of exporters, only those that it names, or OTLP if it names an endpoint."""
    variables = os.environ
    if "service.name" not in variables.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        variables.setdefault("OTEL_SERVICE_NAME", NAME)
    variables.setdefault("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    for signal in ("TRACES", "METRICS"):
        endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
        is_named = any(variables.get(name) for name in endpoints)
        variables.setdefault(f"OTEL_{signal}_EXPORTER", "otlp" if is_named else "none")
    variables.setdefault("OTEL_LOGS_EXPORTER", "none")
    configurator: Any = import_module("opentelemetry.distro").OpenTelemetryConfigurator
    configurator().configure()


def _parent() -> Context:
    """Return the context of the run: the current span of the program, or the one that started this process."""
    current = context.get_current()
    if trace.get_current_span(current).get_span_context().is_valid:
        return current
    names = {"TRACEPARENT": "traceparent", "TRACESTATE": "tracestate"}
    carrier = {name: os.environ[variable] for variable, name in names.items() if variable in os.environ}
    return TraceContextTextMapPropagator().extract(carrier, current)


def _nanoseconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1_000_000) * 1000
