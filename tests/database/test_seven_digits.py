"""Keys with seven digits of a second, on every target and by every way of sending rows: found, replaced and deleted."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests import sqlserver
from tests.database.binding import bound
from tests.database.server_differences import as_kept_elsewhere
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.documents import MappedDocument, Replaced, Row, Status, Value
from xml_extractor.targets.delete_plan import plan_deletion
from xml_extractor.targets.interfaces import TargetConnection
from xml_extractor.targets.loader import Loader, LogIdentity
from xml_extractor.targets.registry import open_target
from xml_extractor.values.times import later, parse_datetime

AT = parse_datetime("2024-05-20T10:11:12.1234567")


def contract_of(on_conflict: str) -> Contract:
    columns = {
        "at": {"run": "document_key", "type": "datetime2(7)", "key": True},
        "clock": {"path": "@clock", "type": "time(7)", "key": True},
        "offset_at": {"path": "@at", "type": "datetimeoffset(7)", "time_zone": "UTC", "key": True},
        "no": {"path": "@no", "type": "int"},
    }
    return Contract.model_validate(
        {
            "contract": "events",
            "version": 1,
            "document": {"root": "event", "key": "@at", "key_type": "datetime2(7)"},
            "tables": {"event": {"rows": ".", "columns": columns, "on_conflict": on_conflict}},
        }
    )


class Events:
    """A target with one table, and the rows that it should have."""

    def __init__(self, contract: Contract, connection: TargetConnection, *, rounds: bool) -> None:
        self.contract, self.connection, self._rounds = contract, connection, rounds
        self.tables = layouts(contract)

    def load(self, number: int, at: Value, no: int, replaced: str = "") -> Status:
        plan = (plan_deletion(self.contract),) if replaced else ()
        loader = Loader(self.connection, self.tables, LogIdentity("events", 1, "", f"run {no}"), 500, *plan)
        replaces = Replaced(replaced, "", at) if replaced else None
        document = MappedDocument(number, ((self.row(at, no),),), f"{no:032x}", 0.0, replaces)
        (outcome,) = loader.load([bound(self.connection, self.tables, document)])
        return outcome.status

    @staticmethod
    def row(at: Value, no: int) -> Row:
        moment = parse_datetime(str(at))
        return moment, moment.time(), parse_datetime(f"{moment}+00:00"), no

    def has(self, *rows: Row) -> bool:
        kept = [tuple(map(as_kept_elsewhere, row)) if self._rounds else row for row in rows]
        return sorted(self.connection.read_rows(self.tables[0])) == sorted(kept)


@pytest.fixture(params=["fail", "keep", "replace"])
def events(request: pytest.FixtureRequest, target_address: str) -> Iterator[Events]:
    contract = contract_of(request.param)
    target = open_target(target_address, contract)
    target.create(layouts(contract))
    assert [str(difference) for difference in target.differences(layouts(contract))] == []
    rounds = target_address.startswith("mssql") and not sqlserver.is_sql_server()
    with closing(target.connect()) as connection:
        yield Events(contract, connection, rounds=rounds)


def test_keys_with_seven_digits_are_kept_found_and_deleted(events: Events) -> None:
    other = later(AT, 13)
    assert (events.load(1, AT, 1), events.load(2, other, 2)) == (Status.LOADED, Status.LOADED)
    assert events.has(events.row(AT, 1), events.row(other, 2))
    match events.contract.tables["event"].on_conflict:
        case "fail":
            assert events.load(3, AT, 3) is Status.REJECTED
            assert events.has(events.row(AT, 1), events.row(other, 2))
            assert events.load(1, AT, 4, replaced="run 1") is Status.LOADED
            assert events.has(events.row(AT, 4), events.row(other, 2))
        case "keep":
            events.load(3, AT, 3)
            assert events.has(events.row(AT, 1), events.row(other, 2))
        case "replace":
            events.load(3, AT, 3)
            assert events.has(events.row(AT, 3), events.row(other, 2))
