"""The values that `preview` shows, as the target stores them."""

import json
from pathlib import Path

import pytest

from xml_extractor.cli.preview import preview

CONTRACT = """\
contract: values
version: 1
document: {root: D}
tables:
  d:
    rows: "."
    columns:
      milliseconds: {path: "@at", type: datetime2(3)}
      finest: {path: "@fine", type: datetime2(7)}
      seconds: {path: "@at", type: datetime2(0), on_invalid: truncate}
      datetime: {path: "@at", type: datetime}
      time: {path: "@time", type: time(2)}
      offset: {path: "@zoned", type: datetimeoffset(1)}
      flag: {path: "@flag", type: bit}
      text: {path: "@text", type: nvarchar(20)}
"""
DOCUMENT = """\
<D at="2026-03-05T09:30:00.12" fine="2026-03-05T09:30:00.1234567" time="09:30" zoned="2026-03-05T09:30:00+02:00"
   flag="true" text="a&#9;b&#13;&#10;c&#x9b;31m&#x202e;d"/>
"""


@pytest.fixture
def document(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "contract.yaml").write_text(CONTRACT, encoding="utf-8")
    (tmp_path / "1.xml").write_text(DOCUMENT, encoding="utf-8")
    return str(tmp_path / "1.xml"), str(tmp_path / "contract.yaml")


def test_times_have_the_decimals_of_their_type(document: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    preview(*document, None, None, as_json=True)
    (row,) = json.loads(capsys.readouterr().out)["d"]
    assert row == {
        "milliseconds": "2026-03-05T09:30:00.120",
        "finest": "2026-03-05T09:30:00.1234567",
        "seconds": "2026-03-05T09:30:00",
        "datetime": "2026-03-05T09:30:00.120",
        "time": "09:30:00.00",
        "offset": "2026-03-05T09:30:00.0+02:00",
        "flag": True,
        "text": "a\tb\r\nc\x9b31m\u202ed",
    }


def test_a_table_shows_control_characters_as_escapes(
    document: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    preview(*document, None, None, as_json=False)
    line = capsys.readouterr().out.rstrip("\n").rpartition("\n")[2]
    assert line.split("  ")[-1].strip() == r"a\tb\r\nc\u009b31m\u202ed"
    assert line.startswith("2026-03-05 09:30:00.120")
    assert " 1 " in line
