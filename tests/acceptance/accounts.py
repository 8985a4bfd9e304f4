"""What a run said of its documents, in its summary, its metrics file and its processing log."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

SUM = re.compile(
    r"^Documents: ([\d,]+) in = ([\d,]+) loaded \+ ([\d,]+) rejected(?: \+ ([\d,]+) skipped)?"
    r" \+ ([\d,]+) already done$",
    re.MULTILINE,
)

ORDERS = """
contract: orders
version: 1
document:
  root: order
  key: "@id"
  key_type: int
tables:
  orders:
    rows: "."
    columns:
      order_id: {path: "@id", type: int, key: true}
      customer: {path: customer, type: nvarchar(20), required: true}
  line:
    rows: "line"
    columns:
      order_id: {parent: orders.order_id, key: true}
      line_no: {position: true, key: true}
      price: {path: "@price", type: "decimal(9,2)"}
"""


class Accounts(NamedTuple):
    """Documents by what became of them."""

    seen: int
    loaded: int
    rejected: int
    already_done: int
    skipped: int = 0


def order(number: int) -> str:
    """A document of the contract `ORDERS`."""
    return f'<order id="{number}"><customer>Customer {number}</customer><line price="{number}.50"/></order>'


def write_orders(directory: Path, documents: int) -> None:
    """Write the contract `orders.yaml`, and documents into the table of `orders.db`."""
    (directory / "orders.yaml").write_text(ORDERS, encoding="utf-8")
    with closing(sqlite3.connect(directory / "orders.db")) as database, database:
        database.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml TEXT)")
        rows = ((number, order(number)) for number in range(1, documents + 1))
        database.executemany("INSERT INTO app_xml VALUES (?, ?)", rows)


def query(database: Path, statement: str) -> list[tuple[Any, ...]]:
    """The rows that a statement finds."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(statement).fetchall()


def summed(summary: str) -> Accounts:
    """The sum in a summary."""
    (found,) = SUM.findall(summary)
    seen, loaded, rejected, skipped, already_done = (int(number.replace(",", "") or 0) for number in found)
    return Accounts(seen, loaded, rejected, already_done, skipped)


def last_metrics(directory: Path) -> dict[str, Any]:
    """The metrics of the last run of a directory."""
    metrics: dict[str, Any] = json.loads(max((directory / "metrics").glob("*.json")).read_text(encoding="utf-8"))
    return metrics


def logged(target: Path, run_id: str) -> tuple[int, int]:
    """Documents that a run has loaded and rejected, by the processing log."""
    statement = f"SELECT sum(status = 'loaded'), sum(status = 'rejected') FROM processing_log WHERE run_id = '{run_id}'"
    ((loaded, rejected),) = query(target, statement)
    return loaded or 0, rejected or 0


def accounts(summary: str, directory: Path, target: Path) -> Accounts:
    """The accounts of the last run, after seeing that they add up and are the same wherever they stand."""
    found = summed(summary)
    metrics = last_metrics(directory)
    assert found.seen == found.loaded + found.rejected + found.skipped + found.already_done
    assert metrics["documents"] == {**found._asdict(), "superseded": 0, "deleted": 0}
    assert logged(target, metrics["run_id"]) == (found.loaded, found.rejected)
    assert sum(reason["documents"] for reason in metrics["rejects"]) == found.rejected
    return found
