"""Revisions in random order, loaded by runs at the same time: `python -m tests.faults.revisions [--rounds 20]`.

Each round makes revisions of things in random order, some of them deletions, some with equal numbers, and starts two
runs of the real command on them at once. Then the newest revision of each thing must be there, with exactly its own
rows, and the processing log must say so.
"""

import argparse
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests import sqlserver
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.targets.registry import open_target

CONTRACT = """
contract: orders
version: 1
document:
  root: Order
  key: "@id"
  key_type: int
  revision: {of: "@no", order: {path: "@rev", type: int}}
  deleted: "@gone"
tables:
  article:
    rows: Line
    distinct: {by: [article_id]}
    on_conflict: keep
    columns:
      article_id: {path: "@article", type: int, key: true}
  orders:
    rows: "."
    columns:
      order_id: {path: "@id", type: int, key: true}
      number: {path: "@no", type: varchar(10)}
      rev: {path: "@rev", type: int}
  line:
    rows: Line
    columns:
      order_id: {parent: orders.order_id, key: true}
      line_no: {position: true, key: true}
      article_id: {path: "@article", type: int}
      content: {path: "@content", type: varchar(20)}
"""


class Made(NamedTuple):
    """A revision: its key in the source, its thing and number, its own key, and its lines; None deletes it."""

    key: int
    thing: int
    rev: int
    own_key: int
    lines: tuple[str, ...] | None

    @property
    def xml(self) -> str:
        """The document."""
        start = f'<Order id="{self.own_key}" no="{self.thing}" rev="{self.rev}"'
        if self.lines is None:
            return f'{start} gone="1"/>'
        lines = "".join(f'<Line article="{len(line)}" content="{line}"/>' for line in self.lines)
        return f"{start}>{lines}</Order>"


def revisions(chance: random.Random, things: int, each: int) -> list[Made]:
    """Make revisions in random order of keys. A thing has two own keys, which its revisions change."""
    keys = list(range(1, things * each + 1))
    chance.shuffle(keys)
    made = []
    for thing in range(things):
        for number in range(each):
            rev = number if chance.random() < 0.8 else max(0, number - 1)
            lines = tuple(f"c{chance.randint(0, 3)}" * chance.randint(1, 3) for _ in range(chance.randint(0, 4)))
            own_key = 2 * thing + chance.randint(1, 2)
            made.append(Made(keys.pop(), thing, rev, own_key, None if chance.random() < 0.15 else lines))
    return sorted(made)


def expected(made: Sequence[Made]) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    """Return the orders and lines that must be there, by the rules and without the product."""
    newest: dict[int, Made] = {}
    for document in made:  # in the order of the source: the later of two with equal numbers is newer
        before = newest.get(document.thing)
        if before is None or document.rev >= before.rev:
            newest[document.thing] = document
    there = [document for document in newest.values() if document.lines is not None]
    orders = {(document.own_key, str(document.thing), document.rev) for document in there}
    lines = {
        (document.own_key, number, line)
        for document in there
        for number, line in enumerate(document.lines or (), start=1)
    }
    return orders, lines


def load(target: Sequence[str], environment: dict[str, str], folder: Path, workers: int) -> list[str]:
    """Start two runs at once, and return the last lines of those that failed."""
    command = [sys.executable, "-m", "xml_extractor", "run", "--contract", "contract.yaml", *target]
    command += [
        "--source",
        "sqlite:///documents.db",
        "--workers",
        str(workers),
        "--no-progress",
        "--rejects-dir",
        "none",
    ]
    runs = [
        subprocess.Popen(
            [*command, *options], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for options in (["--insert-threads", "2", "--queue-size", "2"], ["--insert-mode", "blocking"])
    ]
    outputs = [run.communicate()[0].decode() for run in runs]
    return [output[-2000:] for run, output in zip(runs, outputs, strict=True) if run.returncode]


@contextmanager
def server_target() -> Iterator[tuple[list[str], dict[str, str], str]]:
    """Give options, variables and the address of a schema on the server."""
    with sqlserver.scratch_schema() as schema:
        options, variables = sqlserver.options(schema)
        yield options, variables, sqlserver.in_schema(schema)


def try_out(kind: str, seed: int, things: int, each: int, workers: int) -> list[str]:
    """Load the revisions of a round, and return what is wrong."""
    made = revisions(random.Random(seed), things, each)
    with tempfile.TemporaryDirectory(prefix="revisions-") as name:
        folder = Path(name)
        (folder / "contract.yaml").write_text(CONTRACT, encoding="utf-8")
        with closing(sqlite3.connect(folder / "documents.db")) as source, source:
            source.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml TEXT)")
            source.executemany("INSERT INTO app_xml VALUES (?, ?)", [(each.key, each.xml) for each in made])
        if kind == "sqlite":
            address = f"sqlite:///{folder / 'target.db'}"
            return _try_out(made, ["--target", address], {}, address, folder, workers)
        with server_target() as (options, variables, address):
            return _try_out(made, options, variables, address, folder, workers)


def _try_out(
    made: Sequence[Made], options: Sequence[str], variables: dict[str, str], address: str, folder: Path, workers: int
) -> list[str]:
    contract = read_contract(str(folder / "contract.yaml"))
    target = open_target(address, contract)
    tables = layouts(contract)
    target.create(tables)
    wrong = load(options, {**os.environ, **variables}, folder, workers)
    orders, lines = expected(made)
    with closing(target.connect()) as connection:
        there = {table.name: list(connection.read_rows(table)) for table in tables}
        log = list(ProcessingLog(connection).read())
    if sorted(there["orders"]) != sorted(orders):
        wrong.append(f"orders differ: {len(set(there['orders']) ^ orders)}")
    if sorted((own, number, content) for own, number, _, content in there["line"]) != sorted(lines):
        wrong.append("lines differ")
    counted = sum(entry.row_count - (entry.shared_count or 0) for entry in log if entry.status.value == "loaded")
    if counted != len(orders) + len(lines):
        wrong.append(f"the log counts {counted} rows, and {len(orders) + len(lines)} are expected")
    statuses = sorted({entry.status.value for entry in log})
    loaded = sum(entry.status.value == "loaded" for entry in log)
    if len(log) != len(made) or loaded != len(orders) or statuses != ["deleted", "loaded", "superseded"]:
        wrong.append(f"the log has {len(log)} rows, {loaded} loaded, with the statuses {statuses}")
    return wrong


def main(arguments: Sequence[str]) -> int:
    """Try out all rounds, and print what came of them; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.revisions", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--things", type=int, default=500)
    parser.add_argument("--revisions", type=int, default=20)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    kinds = ["sqlite", *(["mssql"] if sqlserver.is_there() else [])]
    failed = 0
    for number in range(given.rounds):
        for kind in kinds:
            began_at = time.monotonic()
            wrong = try_out(kind, given.seed + number, given.things, given.revisions, given.workers)
            failed += bool(wrong)
            outcome = "; ".join(wrong) if wrong else "the newest revisions, with exactly their rows"
            print(f"round {number + 1:2} {kind:7}{time.monotonic() - began_at:6.1f} s  {outcome}", flush=True)
    documents = given.things * given.revisions
    print(f"{given.rounds} rounds of {documents:,} revisions of {given.things:,} things: {failed} wrong")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
