"""The HTML pages that commands write: self-contained, without scripts, for light and dark screens, phones and paper.

Content is built by `element`, which escapes all text that is not `Html`: a name from a document is never markup.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from xml_extractor.atomic_files import write_text
from xml_extractor.distribution import DISTRIBUTION, VERSION
from xml_extractor.errors import RunError
from xml_extractor.escaping import escaped

_LIGHT = """
color-scheme: light; --ink: #1f2328; --faint: #59636e; --grid: #d8dee4; --paper: #ffffff; --panel: #f6f8fa;
--good: #1a7f37; --warn: #9a6700; --bad: #c21c28;
--s0: #2a78d6; --s1: #c4561b; --s2: #1b8f6a; --s3: #8250df; --s4: #9a6700; --s5: #bf3989
"""
_DARK = """
color-scheme: dark; --ink: #e6edf3; --faint: #9aa4ae; --grid: #343b43; --paper: #0d1117; --panel: #161b22;
--good: #4ac26b; --warn: #d4a72c; --bad: #ff7b72;
--s0: #6cb0ff; --s1: #f0883e; --s2: #4cc38a; --s3: #b392f0; --s4: #d4a72c; --s5: #f778ba
"""

SERIES = 6
"""The number of colours for series; further series repeat them."""

COLOURS = f"""
:root {{ {_LIGHT} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {_DARK} }} }}
{" ".join(f".s{number} {{ fill: var(--s{number}); stroke: var(--s{number}) }}" for number in range(SERIES))}
.bad {{ fill: var(--bad) }} .rest {{ fill: var(--faint) }}
.grid {{ stroke: var(--grid) }}
text {{ fill: var(--ink); stroke: none; font: 12px system-ui, sans-serif }} .axis text {{ fill: var(--faint) }}
.mark {{ stroke: var(--ink); stroke-opacity: .65 }}
"""
"""Colours of plots, in pages and in image files."""

_STYLE = f"""{COLOURS}
* {{ box-sizing: border-box }}
body {{ font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 0 auto; padding: 1.5rem clamp(1rem, 4vw, 3rem) 3rem; max-width: 80rem; overflow-wrap: anywhere }}
h1 {{ font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem }}
h2 {{ font-size: 1.15rem; margin: 2.25rem 0 .25rem; break-after: avoid }}
h3 {{ font-size: .95rem; margin: 0 }}
p {{ margin: .25rem 0; max-width: 60rem }} section > p {{ break-after: avoid }}
code {{ font: .92em ui-monospace, monospace }}
small, .faint, figcaption, footer {{ color: var(--faint); font-size: .85rem }}
table {{ border-collapse: collapse; width: 100%; margin: .5rem 0 }}
th, td {{ padding: .3rem .75rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--grid) }}
th {{ font-weight: 600 }} tbody th {{ font-weight: 400 }}
thead th, dt {{ overflow-wrap: break-word }}
thead th {{ vertical-align: bottom; color: var(--faint); font-size: .85rem; font-weight: 600 }}
td.n {{ white-space: nowrap }}
.n {{ text-align: right; font-variant-numeric: tabular-nums; padding: .3rem 0 .3rem .6rem }}
.key {{ width: 3rem; white-space: nowrap; font-weight: 600 }}
.bars {{ table-layout: fixed }} .bars .plot {{ width: 45% }} .bars .n {{ width: 6.5rem; white-space: normal }}
.plot svg {{ display: block; width: 100%; height: 1.1rem; overflow: visible; margin-top: .2rem }}
tr {{ break-inside: avoid }}
th {{ position: relative }}
.hidden {{ position: absolute; right: 0; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap }}
small {{ display: block }}
.cards {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: 1rem;
  margin: 1rem 0 }}
.card {{ background: var(--panel); border: 1px solid var(--grid); border-radius: .5rem; padding: .8rem 1rem;
  break-inside: avoid }}
.card dl {{ display: grid; grid-template-columns: auto 1fr; gap: .1rem .9rem; margin: .6rem 0 0 }}
dt {{ color: var(--faint) }} dd {{ margin: 0; font-variant-numeric: tabular-nums }}
.state {{ border-left: .3rem solid var(--faint); padding-left: .6rem; margin: .3rem 0; font-weight: 600 }}
.state.good {{ border-color: var(--good) }} .state.warn {{ border-color: var(--warn) }}
.state.bad {{ border-color: var(--bad) }}
.plots {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem 2rem }}
figure {{ margin: .5rem 0; padding: .4rem 1.2rem 1.6rem 3.6rem; break-inside: avoid; min-width: 0 }}
figcaption {{ margin: 0 0 .5rem -3.6rem }}
figure > svg {{ display: block; width: 100%; height: 9rem; overflow: visible }}
figure > svg svg {{ overflow: visible }}
path, line {{ vector-effect: non-scaling-stroke }} path.curve {{ fill: none; stroke-width: 1.75 }}
path.area {{ stroke: none; fill-opacity: .18 }}
.mean {{ stroke: var(--faint); stroke-dasharray: 5 4 }}
.legend {{ display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0; margin: .4rem 0;
  font-size: .85rem }}
.legend svg {{ width: .8rem; height: .8rem; margin-right: .4rem; vertical-align: -.05rem }}
.list {{ columns: 22rem; column-gap: 3rem; margin: .5rem 0 }}
.list div {{ display: flex; gap: 1rem; justify-content: space-between; break-inside: avoid; padding: .15rem 0;
  border-bottom: 1px solid var(--grid) }}
.list dd {{ text-align: right }}
details {{ margin: .5rem 0 }} summary {{ cursor: pointer; color: var(--faint) }}
footer {{ margin-top: 3rem; border-top: 1px solid var(--grid); padding-top: .5rem }}
@media (max-width: 40rem) {{ body {{ font-size: 14px }} .minor {{ display: none }} th, td {{ padding-right: .5rem }}
  .bars tr {{ display: flex; flex-wrap: wrap; border-bottom: 1px solid var(--grid) }}
  .bars th, .bars td {{ border-style: none; padding-bottom: .1rem }} .bars tr > :first-child {{ flex: 1 0 100% }}
  .bars tr > .key {{ flex: 0 0 2.6rem }} .bars tr > .plot {{ flex: 1 0 0; width: auto }} .bars .n {{ width: 5.5rem }} }}
@media print {{ body {{ padding: 0; font-size: 10pt; print-color-adjust: exact; -webkit-print-color-adjust: exact }}
  details {{ display: none }} @page {{ margin: 14mm }} }}
"""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: object) -> Html:
    """Return a value as HTML: escaped, unless it is HTML already."""
    return value if isinstance(value, Html) else Html(escape(escaped(str(value))))


def joined(parts: Iterable[object]) -> Html:
    """Return parts, one after the other."""
    return Html("".join(map(text, parts)))


def element(name: str, *content: object, **attributes: object) -> Html:
    """Return an element.

    Args:
        name: Of the element, not one of those without an end tag.
        content: Texts are escaped.
        attributes: An underscore in a name stands for a hyphen, except at the end; those that are None are left out.
    """
    given = (
        f' {attribute.rstrip("_").replace("_", "-")}="{text(value)}"'
        for attribute, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{''.join(given)}>{joined(content)}</{name}>")


def page(title: str, content: Iterable[object]) -> str:
    """Return a whole page. Its content security policy forbids scripts, and to fetch anything."""
    style_hash = b64encode(sha256(_STYLE.encode()).digest()).decode()
    body = joined(
        (
            element("main", element("h1", title), *content),
            element("footer", f"Made by {DISTRIBUTION} {VERSION}. It has no values of documents."),
        )
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'sha256-{style_hash}'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style></head>\n<body>{body}</body></html>\n"
    )


def write_page(path: Path, content: str) -> None:
    """Write a page to a file atomically.

    Raises:
        RunError: It cannot be written.
    """
    try:
        write_text(path, content)
    except OSError as error:
        raise RunError(
            f"the page cannot be written to {path}: {error.strerror}", "give another file with --html"
        ) from error


def key(name: str) -> Html:
    """Return the cell, or the heading of cells, that names one of the things that are compared."""
    return element("span", name, class_="key")


def section(heading: str, *content: object, explained: str = "") -> Html:
    """Return a part of a page; without content it says that there is nothing.

    Args:
        heading: Of the part.
        content: Empty for none.
        explained: A sentence below the heading.
    """
    said = element("p", explained, class_="faint") if explained else ""
    return element("section", element("h2", heading), said, *content)


def table(
    headings: Sequence[object], rows: Iterable[Sequence[object]], numbers: int = 0, *, kind: str | None = None
) -> Html:
    """Return a table. Cells of the first column that are equal one below the other are joined.

    Args:
        headings: Of the columns; without any text there is no heading.
        rows: Their cells.
        numbers: How many columns at the end are numbers.
        kind: A CSS class.
    """
    texts = len(headings) - numbers
    body: list[Html] = []
    for _, group in groupby(rows, itemgetter(0)):
        cells = list(group)
        for position, row in enumerate(cells):
            others = (
                element("td", cell, class_=_kind(column, texts, cell)) for column, cell in enumerate(row[1:], start=1)
            )
            span = {"scope": "rowgroup", "rowspan": len(cells)} if len(cells) > 1 else {"scope": "row"}
            body.append(element("tr", "" if position else element("th", row[0], **span), *others))
    head = (element("th", cell, scope="col", class_=_kind(column, texts, cell)) for column, cell in enumerate(headings))
    heading = element("thead", element("tr", *head)) if any(headings) else ""
    return element("table", heading, element("tbody", *body), class_=kind)


def _kind(column: int, texts: int, cell: object) -> str | None:
    if column >= texts:
        return "n"
    kinds = (
        kind for kind, sign in (("plot", "<svg"), ("key", 'class="key"')) if isinstance(cell, Html) and sign in cell
    )
    return next(kinds, None)


def pairs(values: Iterable[tuple[object, object]]) -> Html:
    """Return names with their values, in as many columns as there is room for."""
    rows = (element("div", element("dt", name), element("dd", value)) for name, value in values)
    return element("dl", *rows, class_="list")
