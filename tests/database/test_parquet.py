"""Parquet datasets: what readers find in them, and what is left of a batch when its process is killed at each step."""

import os
import re
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.database.demo_tables import CONTRACT, ORDERS, TABLES, loader_of, order
from xml_extractor.cli.commands import cli
from xml_extractor.connections import DatabaseError, ErrorClass
from xml_extractor.contract.layout import ColumnLayout, TableLayout, layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import read_contract, shipped_text
from xml_extractor.documents import Row, Status, Value
from xml_extractor.errors import TablesError, UsageError
from xml_extractor.pipeline import run
from xml_extractor.reasons import Reason
from xml_extractor.samples import KINDS, samples
from xml_extractor.settings import RunSettings
from xml_extractor.sources.registry import open_source_writer
from xml_extractor.targets.registry import open_target
from xml_extractor.values.sqltypes import parse_type
from xml_extractor.values.times import with_seventh_digit

pa = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
duckdb = pytest.importorskip("duckdb", reason="it is installed for development only")

import pyarrow.dataset as ds  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from xml_extractor.targets.parquet import connection as parquet  # noqa: E402
from xml_extractor.targets.parquet.target import ParquetTarget  # noqa: E402

EAST = timezone(timedelta(hours=5, minutes=30))
NAIVE = datetime(2024, 2, 29, 23, 59, 59, 123456)  # noqa: DTZ001 - as in datetime2
EARLY, LATE = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001
VALUES: dict[str, tuple[str, tuple[Value, ...]]] = {
    "bit": ("bool", (True, False, None)),
    "tinyint": ("uint8", (0, 255, None)),
    "smallint": ("int16", (-(2**15), 2**15 - 1)),
    "int": ("int32", (-(2**31), 2**31 - 1)),
    "bigint": ("int64", (-(2**63), 2**63 - 1)),
    "decimal(38,10)": (
        "decimal128(38, 10)",
        (Decimal("1234567890123456789012345678.0123456789"), Decimal("-1.5"), None),
    ),
    "decimal(5,0)": ("decimal128(5, 0)", (Decimal(99999), Decimal(-1))),
    "money": ("decimal128(19, 4)", (Decimal("922337203685477.5807"), Decimal("-922337203685477.5808"))),
    "smallmoney": ("decimal128(10, 4)", (Decimal("-214748.3648"),)),
    "float": ("double", (1.7976931348623157e308, -5e-324, 0.1, None)),
    "real": ("float", (0.5, 16777216.0)),
    "char(5)": ("string", ("ab   ", "")),
    "nvarchar(max)": ("string", ("Größe 漢字 \U0001f600\n\x85", None)),
    "xml": ("string", ("<a>&amp;</a>",)),
    "uniqueidentifier": ("string", ("0123ABCD-0123-0123-0123-0123456789AB",)),
    "varbinary(max)": ("binary", (b"\x00\xff", b"", None)),
    "date": ("date32[day]", (date(1, 1, 1), date(9999, 12, 31), None)),
    "time(3)": ("time64[us]", (time(23, 59, 59, 999000), time(0))),
    "time(7)": ("time64[ns]", (with_seventh_digit(time(23, 59, 59, 999999), 9), time(0), None)),
    "datetime2(6)": ("timestamp[us]", (NAIVE, EARLY, LATE, None)),
    "datetime2(7)": ("timestamp[ns]", (with_seventh_digit(NAIVE, 7), NAIVE, None)),
    "datetime": ("timestamp[us]", (datetime(1753, 1, 1, 0, 0, 0, 3000),)),  # noqa: DTZ001
    "smalldatetime": ("timestamp[us]", (datetime(2079, 6, 6, 23, 59),)),  # noqa: DTZ001
    "datetimeoffset(3)": ("timestamp[us, tz=UTC]", (NAIVE.replace(microsecond=1000, tzinfo=EAST), None)),
    "datetimeoffset(7)": ("timestamp[ns, tz=UTC]", (with_seventh_digit(NAIVE.replace(tzinfo=EAST), 1),)),
}
"""For each type: the type in files, and values."""


def table_of(**columns: str) -> TableLayout:
    made = tuple(ColumnLayout(name, parse_type(text)) for name, text in columns.items())
    return TableLayout("things", "dbo.things", made, (), (), (), "fail")


def target_in(directory: Path) -> ParquetTarget:
    target = open_target(f"parquet:{directory}", CONTRACT)
    assert isinstance(target, ParquetTarget)
    return target


def inserted(directory: Path, table: TableLayout, *rows: Row) -> ParquetTarget:
    target = target_in(directory)
    target.prepare([table])
    with closing(target.connect()) as connection, connection.transaction():
        connection.insert_batch([(table, rows)])
    return target


@pytest.mark.parametrize("sql_type", VALUES)
def test_values_of_each_type_are_read_again_in_their_own_type(tmp_path: Path, sql_type: str) -> None:
    kind, values = VALUES[sql_type]
    table = table_of(value=sql_type)
    target = inserted(tmp_path, table, *((value,) for value in values))
    found = ds.dataset(tmp_path / "things", partitioning="hive")
    assert str(found.schema.field("value").type) == kind
    with closing(target.connect()) as connection:
        assert Counter(connection.read_rows(table)) == Counter((value,) for value in values)
    read = duckdb.sql(f"SELECT count(*), count(value) FROM read_parquet('{tmp_path}/things/**/*.parquet')").fetchall()
    assert read[0] == (len(values), sum(value is not None for value in values))


@pytest.mark.parametrize(
    ("sql_type", "value"),
    [("datetime2(7)", LATE), ("datetime2(7)", EARLY), ("datetimeoffset(7)", EARLY.replace(tzinfo=EAST))],
)
def test_a_time_that_a_column_cannot_hold_is_its_documents_fault(tmp_path: Path, sql_type: str, value: Value) -> None:
    with pytest.raises(DatabaseError) as refused:
        inserted(tmp_path, table_of(number="int", value=sql_type), (1, value))
    assert (refused.value.code, refused.value.column) == ("overflow", "value")
    assert not list(tmp_path.glob("_pending/*"))


def test_a_document_that_does_not_fit_costs_one_document(tmp_path: Path) -> None:
    table = table_of(order_id="int", at="datetime2(7)")
    target = target_in(tmp_path)
    target.prepare([table])
    documents = [order(number)._replace(rows=(((number, NAIVE if number != 3 else LATE),),)) for number in range(1, 6)]
    with closing(target.connect()) as connection:
        outcomes = loader_of(connection, [table]).load(documents)
        assert sorted(str(row[0]) for row in connection.read_rows(table)) == ["1", "2", "4", "5"]
    assert [outcome.status for outcome in outcomes].count(Status.REJECTED) == 1


def test_a_dataset_without_rows_can_be_read_with_its_types(tmp_path: Path) -> None:
    target_in(tmp_path).prepare(TABLES)
    found = ds.dataset(tmp_path / "demo_orders", partitioning="hive")
    assert (found.count_rows(), found.schema.field("order_id").nullable) == (0, False)
    assert duckdb.sql(f"SELECT * FROM read_parquet('{tmp_path}/demo_lines/**/*.parquet')").fetchall() == []


def test_a_dataset_with_other_columns_is_refused(tmp_path: Path) -> None:
    inserted(tmp_path, table_of(number="int", text="varchar(5)"), (1, "a"))
    with pytest.raises(TablesError, match=r"things\.text.*varchar\(9\).*varchar\(5\)"):
        target_in(tmp_path).prepare([table_of(number="int", text="varchar(9)", more="bit")])


REFUSED = {
    "on_conflict": ({"on_conflict": "keep"}, {}, "keep"),
    "revisions": ({}, {"revision": {"of": "@id", "order": "source"}}, "revisions"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_files_cannot_do_is_refused_before_the_run(tmp_path: Path, kind: str) -> None:
    of_table, of_document, what = REFUSED[kind]
    columns = {"id": {"path": "@id", "type": "int", "key": True}}
    given = {
        "contract": "a",
        "version": 1,
        "document": {"root": "a", **of_document},
        "tables": {"a": {"rows": ".", "columns": columns, **of_table}},
    }
    with pytest.raises(UsageError, match=what):
        open_target(f"parquet:{tmp_path}", Contract.model_validate(given))


def test_a_run_that_reprocesses_loaded_documents_is_refused_at_once(tmp_path: Path) -> None:
    settings = RunSettings("card_application", str(tmp_path), f"parquet:{tmp_path}/lake", reprocess="all")
    with pytest.raises(UsageError, match="cannot replace"):
        run(settings)


STEPS = ("before the files", "before the commit", "after the commit", "between two files")


def _load_and_die(directory: str, step: str) -> None:
    stage, rename, renamed = parquet.ParquetConnection._stage, Path.replace, Counter[str]()

    def die_after(self: parquet.ParquetConnection) -> str:
        stage(self)
        os._exit(9)

    def die_in_the_middle(self: Path, other: Path) -> Path:
        renamed["files"] += 1
        return rename(self, other) if renamed["files"] == 1 else os._exit(9)

    match step:
        case "before the files":
            parquet.ParquetConnection._stage = lambda _: os._exit(9)  # type: ignore[method-assign, assignment]
        case "before the commit":
            parquet.ParquetConnection._stage = die_after  # type: ignore[method-assign]
        case "after the commit":
            parquet.publish = lambda *_: os._exit(9)
        case "between two files":
            Path.replace = die_in_the_middle  # type: ignore[method-assign, assignment]
    with closing(open_target(f"parquet:{directory}", CONTRACT).connect()) as connection:
        loader_of(connection).load([order(number) for number in range(5)])


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_batch_is_there_as_a_whole_or_not_at_all_when_the_next_run_begins(tmp_path: Path, step: str) -> None:
    target = target_in(tmp_path)
    target.prepare(TABLES)
    process = get_context("spawn").Process(target=_load_and_die, args=(str(tmp_path), step))
    process.start()
    process.join()
    assert process.exitcode == 9
    is_committed = step in STEPS[2:]
    with closing(target.connect()) as connection:
        assert len(list(connection.read_rows(ORDERS))) == (5 if step == "between two files" and _has(tmp_path) else 0)
        target.prepare(TABLES)
        assert not list(tmp_path.glob("_pending/*"))
        assert len(list(connection.read_rows(ORDERS))) == (5 if is_committed else 0)
        outcomes = loader_of(connection, run_id="run 2").load([order(number) for number in range(5)])
        expected = Status.ALREADY_DONE if is_committed else Status.LOADED
        assert {outcome.status for outcome in outcomes} == {expected}
        assert sorted(str(row[0]) for row in connection.read_rows(ORDERS)) == ["0", "1", "2", "3", "4"]
        assert [len(list(connection.read_rows(table))) for table in TABLES] == [5, 10, 5]


def _has(directory: Path) -> bool:
    return any("none" not in path.parent.name for path in directory.glob("demo_orders/*/*.parquet"))


def test_a_batch_that_another_run_gave_up_is_loaded_by_another_attempt(tmp_path: Path) -> None:
    target = target_in(tmp_path)
    target.prepare(TABLES)
    stage = parquet.ParquetConnection._decide
    given_up: list[str] = []

    def decide(self: parquet.ParquetConnection, batch: str, *, is_committed: bool) -> None:
        if is_committed and not given_up:
            given_up.append(batch)
            # As by a run that begins at this moment, on a database that does not lock the whole log.
            stage(self, batch, is_committed=True)
            raise DatabaseError(ErrorClass.DATA, Reason.DUPLICATE_KEY, "given up")
        stage(self, batch, is_committed=is_committed)

    with pytest.MonkeyPatch.context() as patch, closing(target.connect()) as connection:
        patch.setattr(parquet.ParquetConnection, "_decide", decide)
        loader_of(connection).load([order(number) for number in range(5)])
        assert sorted(str(row[0]) for row in connection.read_rows(ORDERS)) == ["0", "1", "2", "3", "4"]
    assert given_up
    assert not list(tmp_path.glob("_pending/*"))


DOCUMENTS = Path(__file__).parent.parent / "acceptance"
LOCALES = Path("/usr/share/unicode/cldr/common/main")
SHIPPED = [
    *(*KINDS, "pubmed_citation", "ead_finding_aid"),
    pytest.param("cldr_locale", marks=pytest.mark.skipif(not LOCALES.is_dir(), reason="no unicode-cldr-core")),
]


@pytest.mark.parametrize("name", SHIPPED)
def test_all_readers_find_what_sqlite_holds(tmp_path: Path, name: str) -> None:
    contract, source = _contract_and_source(tmp_path, name)
    for target in (f"sqlite:///{tmp_path / 'loads.db'}", f"parquet:{tmp_path / 'lake'}"):
        settings = RunSettings(
            contract, source, target, in_process=True, metrics_dir=None, rejects_dir=None, progress=False
        )
        assert run(settings).failure is None
    read = read_contract(contract)
    embedded, files = (
        open_target(a, read) for a in (f"sqlite:///{tmp_path / 'loads.db'}", f"parquet:{tmp_path / 'lake'}")
    )
    with closing(embedded.connect()) as rows, closing(files.connect()) as datasets:
        for table in layouts(read):
            expected = Counter(rows.read_rows(table))
            assert Counter(datasets.read_rows(table)) == expected, table.name
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            files_of_table = tmp_path / "lake" / table.table / "**" / "*.parquet"
            assert Counter(duckdb.sql(f"SELECT {names} FROM read_parquet('{files_of_table}')").fetchall()) == expected
    assert sum(pq.read_metadata(path).num_rows for path in tmp_path.glob("lake/*/*/*.parquet")) > 0


def _contract_and_source(directory: Path, name: str) -> tuple[str, str]:
    """A contract, without what makes revisions of its documents, and its documents."""
    if name in KINDS:
        source = f"sqlite:///{directory / 'documents.db'}"
        with open_source_writer(source) as writer:
            for document in samples(name, 25):
                writer.write(document)
        return name, source
    text = re.sub(r"^  (revision:\n(    .*\n)+|deleted: .*\n)", "", shipped_text(name), flags=re.MULTILINE)
    path = directory / f"{name}.yaml"
    path.write_text(text)
    if name == "cldr_locale":
        return str(path), str(LOCALES / "d?.xml")
    # Other files of these have revisions of the same things.
    return str(path), str(DOCUMENTS / f"{name.partition('_')[0]}_documents" / "*[!2].xml")


def test_the_command_writes_the_log_into_another_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sample = "sample card_application 2 --to documents"
    load = "run --contract card_application --source documents --workers 1 --target parquet:lake --log-target"
    for arguments in (sample.split(), [*load.split(), "sqlite:///log.db"]):
        assert CliRunner().invoke(cli, arguments, standalone_mode=False).return_value in (None, 0)

    with closing(sqlite3.connect("log.db")) as log:
        assert log.execute("SELECT count(*) FROM processing_log WHERE status = 'loaded'").fetchone() == (2,)
    assert not Path("lake", "_processing_log.db").exists()
    assert ds.dataset("lake/application", partitioning="hive").count_rows() == 2
