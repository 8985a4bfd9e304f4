"""A condition on the source is one search condition, and stays one wherever it is put."""

import pytest

from xml_extractor.tsql import is_search_condition


@pytest.mark.parametrize(
    "text",
    [
        "status = 'NEW'",
        "status = 'NEW' AND received_at > '2026-01-01' OR retry = 1",
        "app_id IN (SELECT app_id FROM dbo.pending WHERE state = 'open')",
        "NOT EXISTS (SELECT 1 FROM done AS d WHERE d.app_id = s.app_id)",
        "note LIKE '%--%'",
        "status = 'NEW' -- only the new ones",
        "[group by] = 1",
        "DATEDIFF(day, received_at, GETUTCDATE()) < 30",
    ],
)
def test_search_conditions_are_taken(text: str) -> None:
    assert is_search_condition(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 = 1) OR (1 = 1",
        "1 = 1); DROP TABLE app_xml; --",
        "1 = 1) ORDER BY (app_id",
        "1 = 1) UNION SELECT 1 AS one WHERE (1 = 1",
        "status = ",
        "status = 'NEW",
        "1 = 1) /* (",
        "SELECT",
    ],
)
def test_what_is_not_one_condition_is_refused(text: str) -> None:
    assert not is_search_condition(text)
