"""Load into Parquet datasets while the run is killed at random moments, and resume; they must hold what SQLite holds.

    python -m tests.faults.parquet --documents 600 --rounds 20

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
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from tests.faults.spark import ROOT, sample_source
from tests.table_hashes import table_hashes
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract
from xml_extractor.targets.registry import open_target

CONTRACT = "card_application"
KILLS = 3
"""Kills in a round at most, so that it ends."""


def command(source: str, target: str) -> list[str]:
    """The command of a run in small batches."""
    given = [sys.executable, str(ROOT / "production_processor.py"), "--contract", CONTRACT, "--source", source]
    given += ["--target", target, "--workers", "2", "--batch-size", "20", "--metrics-dir", "", "--rejects-dir", ""]
    return [*given, "--no-progress"]


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


def round_of(source: str, directory: Path, chance: random.Random, longest: float) -> tuple[int, int]:
    """Load with kills; return the number of kills, and of documents that a reader saw twice in between."""
    twice = 0
    for kills in range(KILLS + 1):
        process = subprocess.Popen(
            command(source, f"parquet:{directory}"),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
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
    given = parser.parse_args()
    chance, faults, killed = random.Random(given.seed), 0, 0
    with TemporaryDirectory(prefix="parquet-") as name:
        directory = Path(name)
        source, embedded = sample_source(directory, given.documents), f"sqlite:///{directory / 'loads.db'}"
        began_at = time.monotonic()
        subprocess.run(
            command(source, embedded),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
            stdout=subprocess.DEVNULL,
        )
        longest = 1.2 * (time.monotonic() - began_at)
        expected = held(embedded)
        for number in range(1, given.rounds + 1):
            lake = directory / f"lake{number}"
            kills, twice = round_of(source, lake, chance, longest)
            found = held(f"parquet:{lake}")
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
