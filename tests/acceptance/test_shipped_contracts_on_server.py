"""The shipped contracts, as a user runs them on SQL Server: the same outcome of each document as in SQLite."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import sqlserver
from tests.acceptance.accounts import Accounts, accounts, last_metrics, summed
from tests.conftest import ROOT, Completed, command_in
from tests.database.binding import read_log
from tests.table_hashes import table_hashes
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import SourceDocument
from xml_extractor.processing_log.log_table import LogEntry
from xml_extractor.samples import KINDS, samples
from xml_extractor.sources.registry import open_source_writer
from xml_extractor.targets.registry import open_target

pytestmark = [
    pytest.mark.mssql,
    pytest.mark.slow,
]

DOCUMENTS = 500
FAULTY = 25
SHARE = "5%"
LIMIT = 100

OF_THE_RUN = {"card_application": set[str](), "ubl_invoice": {"invoice.source_key"}}
"""Columns that say by which key a document was loaded: of two copies it may be either."""


class Story(NamedTuple):
    """What commands said, in this order, from an empty schema on."""

    contract: Contract
    directory: Path
    schema: str
    made: Completed
    without_tables: Completed
    init: Completed
    check: Completed
    first: Completed
    first_metrics: Mapping[str, Any]
    rest: Completed
    rest_metrics: Mapping[str, Any]
    again: Completed
    again_metrics: Mapping[str, Any]


@pytest.fixture(scope="module", params=KINDS)
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Documents of one kind, made in a schema of the server and loaded there."""
    kind, directory = str(request.param), tmp_path_factory.mktemp("server")
    xml_extractor = command_in(["-m", "xml_extractor"], directory)
    production_processor = command_in([str(ROOT / "production_processor.py")], directory)
    with sqlserver.scratch_schema() as schema:
        options, secrets = sqlserver.options(schema)
        by_variable = {"XML_EXTRACTOR_TARGET": sqlserver.in_schema(schema), "XML_EXTRACTOR_CONTRACT": kind}
        made = xml_extractor("sample", kind, str(DOCUMENTS), "--faulty", SHARE, *options, **secrets)
        without_tables = production_processor(**by_variable)
        init = xml_extractor("init", "--contract", kind, *options, **secrets)
        check = xml_extractor("check", kind, *options, **secrets)
        first = production_processor("--limit", str(LIMIT), **by_variable)
        first_metrics = last_metrics(directory)
        rest = production_processor("--insert-threads", "2", **by_variable)
        rest_metrics = last_metrics(directory)
        again = production_processor(**by_variable)
        again_metrics = last_metrics(directory)
        yield Story(
            read_contract(kind),
            directory,
            schema,
            made,
            without_tables,
            init,
            check,
            first,
            first_metrics,
            rest,
            rest_metrics,
            again,
            again_metrics,
        )


def test_samples_are_made_on_the_server_and_their_faults_are_listed(story: Story) -> None:
    assert (story.made.returncode, story.made.stderr) == (0, "")
    assert f"{DOCUMENTS} documents of {story.contract.contract} are in mssql://" in story.made.stdout
    assert len(faults(story)) == FAULTY


def test_a_run_without_tables_ends_with_one_line_that_says_how_to_make_them(story: Story) -> None:
    assert story.without_tables.returncode == 3
    message, hint = story.without_tables.stderr.splitlines()
    assert message.startswith("Error: mssql://")
    tables = ", ".join(table.table for table in layouts(story.contract))
    assert message.endswith(
        f"?schema={story.schema} lacks these tables, or this user has no permission on them: "
        f"processing_log, processing_log_runs, {tables}"
    )
    assert hint.startswith("Hint: create them with `xml-extractor init`")


def test_runs_end_with_the_codes_that_schedulers_rely_on(story: Story) -> None:
    commands = [story.made, story.init, story.check, story.first, story.rest, story.again]
    assert [command.returncode for command in commands] == [0, 0, 0, 1, 1, 1], "rejected documents stay reported"
    lines = [line for command in commands for line in command.stderr.splitlines() if not line.startswith("Loading: ")]
    # Other servers may refuse a statement now and then that they accept when it is repeated.
    complaints = lines if sqlserver.is_sql_server() else [line for line in lines if "; retried in " not in line]
    assert complaints == []
    assert "0 errors and 0 warnings in mssql://" in story.check.stdout


def test_summaries_add_up_and_a_last_run_has_nothing_to_do(story: Story) -> None:
    first, rest, again = (summed(completed.stdout) for completed in (story.first, story.rest, story.again))
    assert first == Accounts(LIMIT, LIMIT - first.rejected, first.rejected, 0)
    assert rest == Accounts(DOCUMENTS, DOCUMENTS - LIMIT - rest.rejected, rest.rejected, LIMIT)
    assert first.rejected + rest.rejected == FAULTY
    assert again == Accounts(DOCUMENTS, 0, 0, DOCUMENTS)
    assert "Nothing to do: the source has no new documents." in story.again.stdout


def test_metrics_say_what_the_summary_says(story: Story) -> None:
    runs = [(story.first, story.first_metrics), (story.rest, story.rest_metrics), (story.again, story.again_metrics)]
    for completed, metrics in runs:
        assert metrics["documents"].items() >= summed(completed.stdout)._asdict().items()
        assert sum(reason["documents"] for reason in metrics["rejects"]) == metrics["documents"]["rejected"]
        assert metrics["failure"] is None
        assert metrics["source"] == metrics["target"] == f"mssql://{place()}?schema={story.schema}"
    assert len(story.rest_metrics["insert_threads"]) == 2


def place() -> str:
    """Server and database as messages name them."""
    name = open_target(sqlserver.in_schema("any"), read_contract("card_application")).name
    return name.removeprefix("mssql://").partition("?")[0]


def test_no_password_is_on_the_screen_or_in_the_metrics(story: Story) -> None:
    _, secrets = sqlserver.options(story.schema)
    shown = [str(completed) for completed in story if hasattr(completed, "stdout")]
    kept = [path.read_text(encoding="utf-8") for path in (story.directory / "metrics").iterdir()]
    for password in secrets.values():
        assert not [text for text in (*shown, *kept) if password in text]


class Held(NamedTuple):
    """What a target holds."""

    log: Sequence[LogEntry]
    hashes: Mapping[str, str]


def held(address: str, contract: Contract) -> Held:
    with closing(open_target(address, contract).connect()) as connection:
        hashes = table_hashes(connection, layouts(contract), OF_THE_RUN[contract.contract])
        return Held(list(read_log(connection)), hashes)


@pytest.fixture(scope="module")
def on_server(story: Story) -> Held:
    return held(sqlserver.in_schema(story.schema), story.contract)


@pytest.fixture(scope="module")
def in_sqlite(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Held:
    """The same documents, loaded from SQLite into SQLite."""
    directory = tmp_path_factory.mktemp("sqlite")
    kind = story.contract.contract
    with open_source_writer(f"sqlite:///{directory / 'documents.db'}") as writer:
        for sample in samples(kind, DOCUMENTS, faulty=Fraction(FAULTY, DOCUMENTS), only_text=True):
            writer.write(SourceDocument(sample.key, sample.content))
    target = f"sqlite:///{directory / 'loaded.db'}"
    command = command_in([str(ROOT / "production_processor.py")], directory)
    ran = command("--contract", kind, "--source", "sqlite:///documents.db", "--target", "sqlite:///loaded.db")
    assert accounts(ran.stdout, directory, directory / "loaded.db") == Accounts(
        DOCUMENTS, DOCUMENTS - FAULTY, FAULTY, 0
    )
    return held(target, story.contract)


def faults(story: Story) -> list[dict[str, Any]]:
    (listed,) = story.directory.glob("*.faults.jsonl")
    return [json.loads(line) for line in listed.read_text(encoding="utf-8").splitlines()]


def test_exactly_the_listed_documents_are_rejected_each_at_its_stage_for_its_reason(
    story: Story, on_server: Held
) -> None:
    found = {entry.document_key: (entry.stage, entry.reason) for entry in on_server.log if entry.stage}
    assert len(found) == FAULTY
    for fault in faults(story):
        (key,) = {str(fault["key"]), str(fault["duplicate_of"] or fault["key"])} & set(found)
        stage, reason = found.pop(key)
        assert (stage, reason.replace(":", " ").split(" ")[0]) == (fault["stage"], fault["reason"]), fault
    assert found == {}


def test_tables_hold_the_same_as_in_sqlite(on_server: Held, in_sqlite: Held) -> None:
    names = set(in_sqlite.hashes) - {"processing_log"}
    assert {name: on_server.hashes[name] for name in names} == {name: in_sqlite.hashes[name] for name in names}
    assert not [name for name in names if in_sqlite.hashes[name].startswith("0-")]


def test_the_log_has_the_same_of_each_document_as_in_sqlite(story: Story, on_server: Held, in_sqlite: Held) -> None:
    copies = {str(fault["key"]): f"{fault['duplicate_of']}" for fault in faults(story) if fault["duplicate_of"]}
    is_cut = story.contract.document.read_until is not None

    def lasting(log: Sequence[LogEntry]) -> Counter[tuple[object, ...]]:
        return Counter(
            (
                copies.get(entry.document_key, entry.document_key),
                (entry.status, entry.stage, entry.reason, entry.attempts, entry.row_count),
                (entry.contract, entry.contract_version, entry.contract_hash),
                "" if is_cut else entry.content_hash,
            )
            for entry in log
        )

    assert lasting(on_server.log) == lasting(in_sqlite.log)
