"""Loads into a SQL Server through a proxy that breaks connections, and what is left of them."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests import sqlserver
from tests.faults.bench import (
    CONTRACT,
    ENDED_IN_ORDER,
    HERE,
    BrokenPromiseError,
    Launcher,
    Result,
    make_source,
    metrics,
    see_that_it_ended,
    see_that_no_file_is_left,
)
from tests.table_hashes import table_hashes
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract
from xml_extractor.pipeline import run
from xml_extractor.schema.names import t_sql_name
from xml_extractor.settings import RunSettings
from xml_extractor.targets.registry import open_target
from xml_extractor.targets.sqlserver.address import SqlServerAddress, read_address

TABLES = ("remark", "line", "orders", "processing_log")

ACTIONS = ("cut before", "cut after", "half close", "delay")
PACKETS = range(15, 150)
COMMITS = range(1, 25)

TIME_LIMIT_SECONDS = 300.0
"""For all that a run may have to send again, with pauses."""


class ServerFault(NamedTuple):
    """What the proxy is to do, at which occurrence of an event; see `tds_proxy.py`."""

    event: str
    number: int
    action: str


def faults_of_run(chance: random.Random, number: int) -> list[ServerFault]:
    """So many faults for one run, some of them in a commit."""
    faults = [
        ServerFault("commit", occurrence, chance.choice(ACTIONS[:3]))
        for occurrence in chance.sample(COMMITS, number // 3)
    ]
    faults += [
        ServerFault("request", occurrence, chance.choice(ACTIONS))
        for occurrence in chance.sample(PACKETS, number - len(faults) - 1)
    ]
    return [*faults, ServerFault("connect", chance.randint(3, 7), "refuse")]


class ServerBench:
    """A source, and a schema of the server that is emptied before each run."""

    def __init__(self, directory: Path, launcher: Launcher, schema: str) -> None:
        self._directory = directory
        self._launcher = launcher
        self._schema = schema
        self._address = read_address(sqlserver.server_url()).with_schema(schema)
        self._contract = directory / "orders.yaml"
        self._contract.write_text(CONTRACT)
        self._source = directory / "source.db"
        make_source(self._source)
        contract = read_contract(str(self._contract))
        open_target(self._address.address, contract).create(layouts(contract))
        self._resume()
        self.expected = self.hashes()

    def try_out(self, faults: Sequence[ServerFault], options: Sequence[str] = ()) -> Result:
        """Run with faults, then without until all is loaded, and judge what is left."""
        place = self._directory / f"{len(list(self._directory.iterdir())):04}"
        (place / "temporary").mkdir(parents=True)
        self._empty()
        with broken_connections(self._address, faults) as (address, happenings):
            running = self._launcher.start(
                [
                    *("--contract", str(self._contract), "--source", f"sqlite:///{self._source}"),
                    *("--workers", "2", "--batch-size", "20", "--insert-batch-rows", "20", *options),
                ],
                place,
                {"XML_EXTRACTOR_TARGET": address, "TMPDIR": str(place / "temporary")},
            )
            ended = running.wait(TIME_LIMIT_SECONDS)
        happened = len(happenings)
        try:
            see_that_it_ended(ended, running.process_id, is_killed=False)
            see_that_no_file_is_left(place)
            self._see_that_no_document_is_in_parts()
            if ended.code in ENDED_IN_ORDER:
                self._see_that_the_sum_is_right(place)
            recovered = ended.code in ENDED_IN_ORDER and self.hashes() == self.expected
            self._complete()
        except BrokenPromiseError as broken:
            return Result(broken.outcome, happened, f"{place}: {broken.detail} {happenings}", ended.seconds)
        return Result("recovered" if recovered else "resumed", happened, seconds=ended.seconds)

    def hashes(self) -> dict[str, str]:
        """Hashes of all tables, read past the proxy."""
        contract = read_contract(str(self._contract))
        with closing(open_target(self._address.address, contract).connect()) as connection:
            return table_hashes(connection, layouts(contract))

    def _complete(self) -> None:
        self._resume()
        if self.hashes() != self.expected:
            raise BrokenPromiseError("different", f"{self.hashes()}")

    def _resume(self) -> None:
        failure = run(
            RunSettings(str(self._contract), f"sqlite:///{self._source}", self._address.address, 1, 20)
        ).failure
        if failure is not None:
            raise BrokenPromiseError("not resumed", f"{failure}")

    def _empty(self) -> None:
        with closing(sqlserver.session()) as session:
            for table in TABLES:
                session.execute(f"DELETE FROM {self._table(table)}").close()

    def _see_that_no_document_is_in_parts(self) -> None:
        """Rows by the log and rows in tables are the same, in sum and of each document."""
        rows = " UNION ALL ".join(f"SELECT order_id FROM {self._table(table)}" for table in TABLES[:3])
        query = (
            f"SELECT l.document_key, l.row_count, (SELECT count(*) FROM ({rows}) r "
            f"WHERE CAST(r.order_id AS nvarchar(20)) = l.document_key) FROM {self._table('processing_log')} l"
        )
        with closing(sqlserver.session()) as session:
            logged = session.execute(query).fetchall()
            ((there,),) = session.execute(f"SELECT count(*) FROM ({rows}) r").fetchall()
        wrong = [key for key, number, found in logged if number != found]
        if wrong or there != sum(number for _, number, _ in logged):
            raise BrokenPromiseError("half", f"documents {wrong}, {there} rows")

    def _see_that_the_sum_is_right(self, place: Path) -> None:
        found = metrics(place)
        if found is None:
            raise BrokenPromiseError("no metrics", place.name)
        query = f"SELECT status, count(*) FROM {self._table('processing_log')} WHERE run_id = ? GROUP BY status"
        with closing(sqlserver.session()) as session:
            counted = dict(map(tuple, session.execute(query, found["run_id"]).fetchall()))
        documents = found["documents"]
        if (documents["loaded"], documents["rejected"]) != (counted.get("loaded", 0), counted.get("rejected", 0)):
            raise BrokenPromiseError("miscounted", f"{documents} but the log has {counted}")

    def _table(self, name: str) -> str:
        return f"{t_sql_name(self._schema)}.{t_sql_name(name)}"


@contextmanager
def broken_connections(address: SqlServerAddress, faults: Sequence[ServerFault]) -> Iterator[tuple[str, list[str]]]:
    """The address of a proxy, and what has happened there, complete at the end of the block.

    Packets are not encrypted, so that the proxy can tell a commit.
    """
    host, _, port = address.words["SERVER"].removeprefix("tcp:").partition(",")
    happenings: list[str] = []
    with subprocess.Popen(
        [sys.executable, str(HERE / "tds_proxy.py"), host, port or "1433", json.dumps(faults)],
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != sqlserver.VARIABLE},
    ) as proxy:
        if proxy.stdout is None:
            raise AssertionError
        try:
            own_port = int(proxy.stdout.readline())
            words = {"SERVER": f"127.0.0.1,{own_port}", "ENCRYPT": "no"}
            yield address.with_words(words).address, happenings
        finally:
            proxy.kill()
            happenings.extend(proxy.stdout.read().splitlines())
