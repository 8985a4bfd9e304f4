"""A night and the morning after: the commands of the runbook, after a load that was killed and has faulty documents.

`python -m tests.acceptance.morning [DOCUMENTS] [DIRECTORY]` prints the screens. The default is 5,000 documents.
"""

import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.acceptance.accounts import query
from tests.conftest import ROOT, called_in
from xml_extractor.samples import samples

RUNBOOK = ROOT / "documentation" / "how-to" / "morning-runbook.md"
KIND, SEED = "card_application", 1
SOURCE, TARGET = "documents.db", "warehouse.db"


class Screen(NamedTuple):
    """A command, what it showed, and its exit code."""

    command: str
    shown: str
    exit_code: int


def commands() -> Iterator[tuple[str, str]]:
    """Yield the heading and the text of each command of the runbook."""
    heading = ""
    for line in RUNBOOK.read_text(encoding="utf-8").splitlines():
        heading = line.removeprefix("## ") if line.startswith("## ") else heading
        if line.startswith("$ "):
            yield heading, line.removeprefix("$ ")


class Operator:
    """Somebody who loads documents at night, and follows the runbook in the morning.

    Args:
        directory: Where everything is.
        documents: How many documents the night has; last week had a fifth of that.
    """

    def __init__(self, directory: Path, documents: int) -> None:
        self._directory = directory
        self._documents = documents
        self._last_week = documents // 5
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("XML_EXTRACTOR_")}
        self._environment |= {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}
        (config,) = re.findall(r"```toml\n(.*?)```", RUNBOOK.read_text(encoding="utf-8"), re.DOTALL)
        (directory / "xml_extractor.toml").write_text(config, encoding="utf-8")

    def execute(self, command: str) -> Screen:
        """Execute a command."""
        ended = called_in(self._directory)(*shlex.split(command)[1:], COLUMNS="80")
        return Screen(command, ended.stdout + ended.stderr, ended.returncode)

    def night(self) -> Iterator[Screen]:
        """Load last week's documents, then those of the night: the run is killed halfway, and started again."""
        number = self._documents + self._last_week
        yield self.execute(f"xml-extractor sample {KIND} {number} --to sqlite:///{SOURCE} --seed {SEED} --faulty 3%")
        yield self.execute(f"xml-extractor run --no-progress --limit {self._last_week}")
        yield self._killed("xml-extractor run --no-progress")
        yield self.execute("xml-extractor run --no-progress")

    def morning(self) -> Iterator[Screen]:
        """Follow the runbook."""
        self._hours_pass()
        for heading, command in commands():
            if heading.startswith("6."):
                self._correct_all()
            last_week, *_, resumed = self._run_ids()
            given = {"LAST-WEEK": last_week, "RUN": resumed, "KEY": self._rejected()[0] if "KEY" in command else ""}
            for placeholder, value in given.items():
                command = re.sub(rf"\b{placeholder}\b", value, command)  # noqa: PLW2901 - completed step by step
            yield self.execute(command)

    def _arguments(self, command: str) -> list[str]:
        program, *arguments = shlex.split(command)
        assert program == "xml-extractor"
        return [sys.executable, "-m", "xml_extractor", *arguments]

    def _killed(self, command: str) -> Screen:
        """Kill a run as soon as it has loaded half of the documents of the night."""
        half = self._last_week + self._documents // 2
        with subprocess.Popen(
            self._arguments(command),
            cwd=self._directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running:
            while running.poll() is None and self._logged() < half:
                time.sleep(0.02)
            running.send_signal(signal.SIGKILL)
            shown, _ = running.communicate()
        return Screen(command, shown, running.returncode)

    def _logged(self) -> int:
        with suppress(sqlite3.OperationalError):
            ((number,),) = query(self._directory / TARGET, "SELECT COUNT(*) FROM processing_log")
            return int(number)
        return 0

    def _hours_pass(self) -> None:
        """Let the killed run have reported for the last time five hours ago."""
        reported = (datetime.now(UTC) - timedelta(hours=5)).replace(tzinfo=None).isoformat(timespec="milliseconds")
        with closing(sqlite3.connect(self._directory / TARGET)) as database:
            database.execute("UPDATE processing_log_runs SET reported_at = ? WHERE status = 'running'", (reported,))
            database.commit()

    def _run_ids(self) -> list[str]:
        runs = query(self._directory / TARGET, "SELECT run_id FROM processing_log_runs ORDER BY run_id LIMIT 3")
        return [run_id for (run_id,) in runs]

    def _rejected(self) -> list[str]:
        query_keys = "SELECT document_key FROM processing_log WHERE status = 'rejected' ORDER BY reason DESC"
        return [key for (key,) in query(self._directory / TARGET, query_keys)]

    def _correct_all(self) -> None:
        """Correct the faulty documents at their source, as the producer would after a call."""
        rejected = set(self._rejected())
        with closing(sqlite3.connect(self._directory / SOURCE)) as database:
            for sample in samples(KIND, self._documents + self._last_week, SEED):
                if str(sample.key) in rejected:
                    content = sample.content if sample.content is None else sample.content.decode()
                    database.execute("UPDATE app_xml SET xml = ? WHERE app_id = ?", (content, sample.key))
            database.commit()


def main(documents: int, directory: Path) -> int:
    """Play a night and a morning, print the screens, and return 0 if the target equals the source in the end."""
    operator = Operator(directory, documents)
    screen = None
    for screen in chain(operator.night(), operator.morning()):
        print(f"$ {screen.command}\n{screen.shown}[exit code {screen.exit_code}]\n", flush=True)  # noqa: T201 - a command
    return screen.exit_code if screen is not None else 1


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with TemporaryDirectory() as temporary:
        sys.exit(main(number, Path(sys.argv[2] if len(sys.argv) > 2 else temporary)))
