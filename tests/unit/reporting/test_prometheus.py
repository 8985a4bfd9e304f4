"""The file for Prometheus is valid in both of its formats, and has the figures of the run."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from xml_extractor.documents import Counted
from xml_extractor.reporting.metrics import prometheus_text
from xml_extractor.reporting.result import RunResult

MakeResult = Callable[..., RunResult]
Parse = Callable[[str], Iterable[Any]]

PARSERS = [text_string_to_metric_families, openmetrics.text_string_to_metric_families]


@pytest.fixture
def text(make_result: MakeResult) -> str:
    result = make_result(loaded=2, already_done=4, reasons={"overflow": "a.xml"}, contract='odd "name"\\\n')
    result.statistics.counts["orders", "price", Counted.NULL] = 3
    result.statistics.counts["orders", "", Counted.KEPT] = 5
    return prometheus_text(result)


def samples(parse: Parse, text: str) -> Iterator[tuple[str, str, float]]:
    for family in parse(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            assert sample.labels.pop("contract") == 'odd "name"\\\n'
            yield sample.name.removeprefix("xml_extractor_run_"), ",".join(sample.labels.values()), sample.value


@pytest.mark.parametrize("parse", PARSERS)
def test_documents_rows_rejects_and_counts_are_there(parse: Parse, text: str) -> None:
    found = {(name, labels): value for name, labels, value in samples(parse, text)}
    assert found["documents", "loaded"] == 2
    assert found["documents", "already_done"] == 4
    assert found["rows", "order_line"] == 2400
    assert found["rejects", "map,overflow"] == 1
    assert found["tolerated_values", "orders,price,null"] == 3
    assert found["rows_not_inserted", "orders,kept"] == 5
    assert found["exit_code", ""] == 1
    assert found["duration_seconds", ""] == 2.5
    assert found["start_timestamp_seconds", ""] == 1772674200


def test_a_run_that_is_running_has_no_exit_code(make_result: MakeResult) -> None:
    text = prometheus_text(make_result(is_running=True))
    assert "exit_code" not in text
    assert 'xml_extractor_run_running{contract="orders"} 1\n' in text
