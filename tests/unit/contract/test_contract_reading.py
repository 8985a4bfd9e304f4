"""Contracts are read from files and from the package."""

import pickle
from pathlib import Path

import pytest

from xml_extractor.contract import reading as contract_reading
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import find_faults, read_contract, shipped_contracts
from xml_extractor.errors import ContractError, UsageError
from xml_extractor.stopping import stop_requests

SMALL = """\
contract: small
version: 1
document: {root: Small}
tables: {small: {rows: ., columns: {id: {path: "@id", type: int, key: true}}}}
"""


def write(folder: Path, content: str | bytes, name: str = "small.yaml") -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def test_a_contract_is_read_from_a_file(tmp_path: Path) -> None:
    contract = read_contract(write(tmp_path, SMALL))
    assert contract.contract == "small"
    assert str(contract.tables["small"].columns["id"].type) == "int"


def test_a_contract_is_read_from_json(tmp_path: Path) -> None:
    text = (
        '{"contract": "small", "version": 1, "document": {"root": "Small"},\n'
        ' "tables": {"small": {"rows": ".", "columns": {"id": {"path": "@id", "type": "int", "key": true}}}}}'
    )
    assert read_contract(write(tmp_path, text, "small.json")) == read_contract(write(tmp_path, SMALL))


@pytest.mark.parametrize("change", [("\n", "\r\n"), ("", "")])
def test_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path: Path, change: tuple[str, str]) -> None:
    text = "\ufeff" + (SMALL.replace(*change) if change[0] else SMALL)
    assert read_contract(write(tmp_path, text)).contract == "small"


@pytest.mark.parametrize("name", shipped_contracts())
def test_a_shipped_contract_is_read_by_its_name_and_survives_a_process_border(name: str) -> None:
    contract = read_contract(name)
    assert contract.contract == name
    assert pickle.loads(pickle.dumps(contract)) == contract


def test_a_file_goes_before_a_shipped_contract_of_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, SMALL, "ubl_invoice")
    monkeypatch.chdir(tmp_path)
    assert read_contract("ubl_invoice").contract == "small"


def test_all_faults_are_in_the_message_one_a_line_and_the_tip_says_what_next(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL.replace("int", "itn").replace("version: 1", "version: 0"))
    with pytest.raises(ContractError) as caught:
        read_contract(path)
    assert caught.value.message.split("\n") == [
        f"{path}:2:10: version: found 0, expected a number from 1",
        (
            f"{path}:4:61: tables.small.columns.id.type: found 'itn', expected a SQL Server scalar type; "
            "did you mean 'int'?"
        ),
    ]
    assert caught.value.tip == f"correct these 2 faults, then run: xml-extractor check {path}"
    assert caught.value.exit_code == 2


def test_one_fault_is_not_several(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    with pytest.raises(ContractError) as caught:
        read_contract(path)
    assert caught.value.message == f"{path}:1:1: the contract is empty"
    assert caught.value.tip == f"correct this fault, then run: xml-extractor check {path}"


def test_faults_are_found_without_raising(tmp_path: Path) -> None:
    contract, faults = find_faults(write(tmp_path, SMALL.replace("int", "itn")))
    assert contract is None
    assert [(fault.line, fault.column, fault.key_path) for fault in faults] == [(4, 61, "tables.small.columns.id.type")]
    assert find_faults(write(tmp_path, SMALL))[1] == ()


def test_a_file_that_is_not_utf_8_says_where(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL.encode() + "# Gr\u00fc\u00dfe\n".encode("latin-1"))
    assert [str(fault) for fault in find_faults(path)[1]] == [
        f"{path}:5:5: the file is not UTF-8, expected a contract saved as UTF-8"
    ]


def test_a_file_far_too_large_is_not_read_as_a_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract_reading, "MAX_BYTES", 10)
    path = write(tmp_path, SMALL)
    expected = f"{path}:1:1: the file has {len(SMALL)} bytes, expected at most 10"
    assert [str(fault) for fault in find_faults(path)[1]] == [expected]


SHIPPED = "the shipped contracts are " + ", ".join(shipped_contracts())


@pytest.mark.parametrize(
    ("name", "message", "tip"),
    [
        ("no/such.yaml", "there is no contract file 'no/such.yaml'", f"check the path; {SHIPPED}"),
        ("such.yaml", "there is no contract file 'such.yaml'", f"check the path; {SHIPPED}"),
        ("nothing", "there is no contract file and no shipped contract 'nothing'", SHIPPED),
        (
            "ubl_invoce",
            "there is no contract file and no shipped contract 'ubl_invoce'; did you mean 'ubl_invoice'?",
            SHIPPED,
        ),
        ("tests", "the contract 'tests' is a directory", f"name the file in it; {SHIPPED}"),
        ("a\0b", "there is no contract file 'a\0b'", f"check the path; {SHIPPED}"),
    ],
)
def test_a_contract_that_is_not_there_lists_those_that_are(name: str, message: str, tip: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_contract(name)
    assert (caught.value.message, caught.value.tip) == (message, tip)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path, SMALL)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        read_contract(path)


def test_short_forms_mean_the_same_as_long_ones(tmp_path: Path) -> None:
    def contract(lookups: str, rows: str, transform: str, inputs: str) -> Contract:
        return read_contract(
            write(
                tmp_path,
                f"""\
contract: forms
version: 1
document: {{root: Form}}
lookups: {lookups}
tables:
  form:
    rows: {rows}
    columns:
      a: {{path: a, type: int, transform: {transform}}}
      b: {{type: int, inputs: {inputs}, expression: x + 1}}
""",
            )
        )

    short = contract("{codes: {A: 1}}", "a/b", "[trim, {lookup: codes}]", "{x: b}")
    long = contract("{codes: {values: {A: 1}}}", "[{path: a/b}]", "[{trim: }, {lookup: codes}]", "{x: {path: b}}")
    assert short == long
    assert contract("{codes: {A: 1}}", "[a/b]", "[trim, {lookup: codes}]", "{x: b}") == short


def test_null_is_a_word_where_it_is_a_choice(tmp_path: Path) -> None:
    text = (
        SMALL.replace("key: true", "on_invalid: null, blank: null") + "lookups: {x: {values: {A: 1}, unknown: null}}\n"
    )
    contract = read_contract(write(tmp_path, text))
    assert contract.tables["small"].columns["id"].on_invalid == ("null",)
    assert contract.tables["small"].columns["id"].blank == "null"
    assert "unknown" in contract.lookups["x"].model_fields_set


def test_what_an_interruption_has_made_a_fault_is_none(tmp_path: Path) -> None:
    with stop_requests() as stop:
        stop.requested = True
        with pytest.raises(KeyboardInterrupt):
            find_faults(write(tmp_path, SMALL.replace("version: 1", "version: one")))
        assert find_faults(write(tmp_path, SMALL))[1] == ()
