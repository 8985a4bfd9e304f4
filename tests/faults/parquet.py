"""Load into Parquet datasets while the run is killed at random moments, and resume; they must hold what SQLite holds.

    python -m tests.faults.parquet --documents 600 --rounds 20 [--log-on-server]

A round kills all processes of the command, or only its main process, until a run is left to end. In between, a reader
must never see a row twice. Nothing in the product knows of this.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from tests import sqlserver
from tests.faults.spark import ROOT, sample_source
from tests.table_hashes import table_hashes
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract
from xml_extractor.targets.parquet.address import LOG_TARGET_KEY
from xml_extractor.targets.registry import PARQUET, open_target
from xml_extractor.urls import URL

CONTRACT = "card_application"
KILLS = 3
"""Kills in a round at most, so that it ends."""


def command(source: str) -> list[str]:
    """The command of a run in small batches."""
    given = [sys.executable, str(ROOT / "production_processor.py"), "--contract", CONTRACT, "--source", source]
    given += ["--workers", "2", "--batch-size", "20", "--metrics-dir", "", "--rejects-dir", ""]
    return [*given, "--no-progress"]


def environment(target: str) -> dict[str, str]:
    """The environment of the command, with the target, which may have a password."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "XML_EXTRACTOR_TARGET": target}


def held(target: str) -> dict[str, object]:
    """What a target holds: the rows of each table, and the hash of the processing log."""
    contract = read_contract(CONTRACT)
    with closing(open_target(target, contract).connect()) as connection:
        rows = {table.name: Counter(connection.read_rows(table)) for table in layouts(contract)}
        return {**rows, **table_hashes(connection, ())}


def repeated(directory: Path) -> int:
    """How many documents a reader sees twice."""
    files = directory / "application" / "**" / "*.parquet"
    ((found,),) = duckdb.sql(f"SELECT count(*) - count(DISTINCT app_id) FROM read_parquet('{files}')").fetchall()
    return int(found)


def round_of(source: str, directory: Path, target: str, chance: random.Random, longest: float) -> tuple[int, int]:
    """Load with kills; return the number of kills, and of documents that a reader saw twice in between."""
    twice = 0
    for kills in range(KILLS + 1):
        process = subprocess.Popen(
            command(source),
            env=environment(target),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(None if kills == KILLS else chance.uniform(0.3, 1) * longest)
        except subprocess.TimeoutExpired:
            if chance.random() < 0.5:
                os.kill(process.pid, signal.SIGKILL)
                time.sleep(1)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if (directory / "application").is_dir() and any(directory.glob("application/*/*.parquet")):
                twice += repeated(directory)
            continue
        return kills, twice
    raise AssertionError


def main() -> int:
    """Run the rounds that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log-on-server", action="store_true", help="the SQL Server of XML_EXTRACTOR_TEST_MSSQL")
    given = parser.parse_args()
    chance, faults, killed = random.Random(given.seed), 0, 0
    with TemporaryDirectory(prefix="parquet-") as name:
        directory = Path(name)
        source, embedded = sample_source(directory, given.documents), f"sqlite:///{directory / 'loads.db'}"
        began_at = time.monotonic()
        subprocess.run(
            command(source),
            env=environment(embedded),
            check=False,
            stdout=subprocess.DEVNULL,
        )
        longest = 1.2 * (time.monotonic() - began_at)
        expected = held(embedded)
        for number in range(1, given.rounds + 1):
            lake = directory / f"lake{number}"
            with sqlserver.scratch_schema() if given.log_on_server else nullcontext("") as schema:
                log = {LOG_TARGET_KEY: sqlserver.in_schema(schema)} if schema else {}
                target = URL(PARQUET, database=str(lake), query=log).render_as_string(hide_password=False)
                if schema:
                    init = [sys.executable, "-m", "xml_extractor", "init", "--contract", CONTRACT]
                    subprocess.run(init, env=environment(target), check=True, stdout=subprocess.DEVNULL)
                kills, twice = round_of(source, lake, target, chance, longest)
                found = held(target)
            wrong = [table for table, rows in expected.items() if found[table] != rows]
            left = len(list(lake.glob("_pending/*")))
            faults += bool(wrong or twice or left)
            killed += kills
            print(
                f"{number:3} {kills} kills: {', '.join(wrong) or 'equal'}, {twice} seen twice, {left} batches left",
                flush=True,
            )
    print(f"{given.rounds} rounds, {killed} kills, {faults} wrong")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
