"""`xml-extractor contracts` lists and prints the shipped contracts."""

import json
from functools import cache
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner

from xml_extractor.cli.commands import cli
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract, shipped_contracts
from xml_extractor.errors import UsageError


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["contracts", *arguments], standalone_mode=False, catch_exceptions=False)
    return result.stdout


shipped = cache(read_contract)


def test_each_shipped_contract_is_listed_with_its_version_and_description() -> None:
    lines = printed().splitlines()

    assert [line.split()[0] for line in lines] == list(shipped_contracts())
    for line, name in zip(lines, shipped_contracts(), strict=True):
        assert line.endswith(f"  version {shipped(name).version}  {shipped(name).description}")


def test_the_list_as_json_names_the_tables() -> None:
    for entry in json.loads(printed("--json")):
        contract = shipped(entry["name"])
        assert entry["version"] == contract.version
        assert entry["description"] == contract.description
        assert entry["tables"] == list(contract.tables)


@pytest.mark.parametrize("name", shipped_contracts())
def test_a_contract_is_printed_as_it_is_shipped(name: str) -> None:
    file = resources.files("xml_extractor") / "contracts" / f"{name}.yaml"

    assert printed(name) == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", shipped_contracts())
def test_a_contract_as_json_is_the_same_contract(name: str, tmp_path: Path) -> None:
    (tmp_path / "printed.json").write_text(printed(name, "--json"), encoding="utf-8")

    assert layouts(read_contract(str(tmp_path / "printed.json"))) == layouts(shipped(name))


def test_a_local_file_of_the_same_name_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ubl_invoice").write_text("contract: mine", encoding="utf-8")

    assert "ubl_invoice       version 2" in printed()


def test_an_unknown_name_is_refused_with_a_suggestion() -> None:
    result = CliRunner().invoke(cli, ["contracts", "ubl_invoise"], standalone_mode=False)

    assert isinstance(result.exception, UsageError)
    assert result.exception.message == "there is no shipped contract 'ubl_invoise'; did you mean 'ubl_invoice'?"
