"""Pages are self-contained, and nothing that is shown becomes markup."""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from xml_extractor.errors import RunError
from xml_extractor.reporting.html import _DARK, _LIGHT, element, page, table, write_page


def test_texts_are_escaped_and_elements_are_not() -> None:
    assert element("td", "<b>", element("i", "a & b"), title='"', class_=None) == (
        '<td title="&quot;">&lt;b&gt;<i>a &amp; b</i></td>'
    )


def test_characters_that_are_not_printable_are_shown_as_escapes() -> None:
    assert element("p", "a\u202eb\x1b\ud800") == "<p>a\\u202eb\\u001b\\ud800</p>"


def test_a_page_allows_its_own_style_and_nothing_else() -> None:
    text = page("<title>", [element("p", "text")])
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'"
    assert "<title>&lt;title&gt;</title>" in text
    assert not re.search(r"<(script|link|img|iframe|object)\b|\b(src|href|style)=|@import|url\(", text)


def test_equal_first_cells_below_each_other_are_joined() -> None:
    rows = [["a", 1], ["a", 2], ["b", 3]]
    assert re.findall(r"<th [^>]*>", table(["Name", "Number"], rows, numbers=1)) == [
        '<th scope="col">',
        '<th scope="col" class="n">',
        '<th scope="rowgroup" rowspan="2">',
        '<th scope="row">',
    ]


def test_a_page_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the page cannot be written to"):
        write_page(tmp_path / "missing" / "report.html", "")


def luminance(colour: str) -> float:
    """The relative luminance of a colour (WCAG 2.2)."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [_LIGHT, _DARK], ids=["light", "dark"])
def test_texts_and_bars_stand_out_from_what_is_behind_them(scheme: str) -> None:
    colours = dict(re.findall(r"--(\w+): (#\w{6})", scheme))

    def contrast(one: str, other: str) -> float:
        darker, lighter = sorted((luminance(colours[one]), luminance(colours[other])))
        return (lighter + 0.05) / (darker + 0.05)

    for behind in ("paper", "panel"):
        assert min(contrast(name, behind) for name in ("ink", "faint")) >= 4.5
        bars = ("good", "warn", "bad", *(name for name in colours if re.fullmatch(r"s\d", name)))
        assert min(contrast(name, behind) for name in bars) >= 3
