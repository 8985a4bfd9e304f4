"""Reports runs to systems that watch many programs: OpenTelemetry (traces, metrics) and OpenLineage (lineage events).

Both are configured by their standard environment variables, and need the extra `otel`. A run without these variables
imports neither of them.
"""

import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import NamedTuple, Protocol

from xml_extractor.contract.model import Contract
from xml_extractor.distribution import DISTRIBUTION
from xml_extractor.reporting.metrics import Figure, figures
from xml_extractor.reporting.result import RunResult

logger = logging.getLogger(__name__)

LAST_SECONDS = 10.0
"""How long a run waits at its end until everything is sent."""


class Observer(Protocol):
    """Reports a run to one system. Its methods are called in a thread, one after the other, and may raise anything."""

    def start(self, result: RunResult) -> None:
        """Report that a run has started."""
        ...

    def report(self, taken: tuple[Figure, ...]) -> None:
        """Report the figures of a run that is running."""
        ...

    def finish(self, result: RunResult, taken: tuple[Figure, ...]) -> None:
        """Report the end of a run, and send everything."""
        ...


class ObserverKind(NamedTuple):
    """A kind of observer: its module, the package that it needs, and whether the environment asks for it."""

    module: str
    package: str
    is_wanted: Callable[[Mapping[str, str]], bool]


def names_exporter(variables: Mapping[str, str]) -> bool:
    """Return whether environment variables say where OpenTelemetry sends what it records."""
    endpoints = (f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT" for signal in ("", "TRACES_", "METRICS_"))
    return any(variables.get(name) for name in ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", *endpoints))


def _wants_opentelemetry(variables: Mapping[str, str]) -> bool:
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    # A program that embeds this one may have set up OpenTelemetry itself.
    return names_exporter(variables) or "opentelemetry.sdk.trace" in sys.modules


def _wants_openlineage(variables: Mapping[str, str]) -> bool:
    if variables.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    return any(name.startswith(("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", _TRANSPORT)) for name in variables)


_TRANSPORT = "OPENLINEAGE__TRANSPORT"

KINDS = (
    ObserverKind("xml_extractor.telemetry.traces", "opentelemetry", _wants_opentelemetry),
    ObserverKind("xml_extractor.telemetry.lineage_events", "openlineage", _wants_openlineage),
)


class Telemetry:
    """Reports a run to all systems that the environment asks for.

    A thread does so, so that a system that does not answer delays a run by `LAST_SECONDS` at most, and never ends it.

    Args:
        contract: The contract of the run.
    """

    def __init__(self, contract: Contract) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._observers = [
            observer for kind in KINDS if kind.is_wanted(os.environ) and (observer := _made(kind, contract))
        ]
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    def start(self, result: RunResult) -> None:
        """Report that a run has started."""
        if self._observers:
            self._thread.start()
        for observer in self._observers:
            self._calls.put(partial(observer.start, result))

    def report(self, result: RunResult) -> None:
        """Report the figures of a run that is running."""
        taken = tuple(figures(result)) if self._observers else ()
        for observer in self._observers:
            self._calls.put(partial(observer.report, taken))

    def finish(self, result: RunResult) -> None:
        """Report the end of a run."""
        if not self._thread.is_alive():
            return
        taken = tuple(figures(result))
        for observer in self._observers:
            self._calls.put(partial(observer.finish, result, taken))
        self._calls.put(None)
        self._thread.join(LAST_SECONDS)
        if self._thread.is_alive():
            logger.warning("Telemetry is incomplete: it was not sent within %d s", LAST_SECONDS)

    def _run(self) -> None:
        for call in iter(self._calls.get, None):
            try:
                call()
            except Exception as error:  # noqa: BLE001 - whatever fails there, the run continues
                logger.warning("Telemetry is incomplete: %s", type(error).__name__)


def _made(kind: ObserverKind, contract: Contract) -> Observer | None:
    try:
        observer: Observer = import_module(kind.module).open_observer(contract)
    except ImportError as error:
        missing = error.name or kind.package
        logger.warning("Telemetry is off: %s is not installed (pip install '%s[otel]')", missing, DISTRIBUTION)
    except Exception as error:  # noqa: BLE001 - a wrong setting of telemetry is no reason not to load
        logger.warning("Telemetry is off: %s cannot be set up (%s)", kind.package, type(error).__name__)
    else:
        return observer
    return None
