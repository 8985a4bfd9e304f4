"""Damaged files: records in files of every encoding, and such files in containers, which may be damaged themselves."""

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.fuzz.driver import BadOutcomeError, Outcome, documented_reasons
from tests.fuzz.edge_values import escaped, well_formed_value
from tests.fuzz.encodings import cut, spoilt, with_prolog, written
from tests.fuzz.markup import markup_of
from tests.fuzz.structure import MUTATIONS
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import check_text
from xml_extractor.documents import Rejection, RunValues, Skipped, SourceDocument
from xml_extractor.errors import SourceError, UsageError
from xml_extractor.mapping import MappingError, Plan, compile_plan, map_document
from xml_extractor.parsing import DocumentParser, ParseError, parsing_rules
from xml_extractor.records import open_documents

NAME = "files of records"

CONTRACT = """
contract: fuzzed
version: 1
namespaces: {m: ["urn:m", "urn:n", ""]}
keys: {person: {match: "m:person", use: "@id"}}
document:
  root: ["m:set", "m:update"]
  other_roots: skip
  records: ["m:item", "m:part/m:item"]
  header: ["m:source", "m:people"]
  key: "@id"
  fallback_encoding: windows-1252
  max_bytes: 100000
ignore: ["m:raw"]
tables:
  item:
    rows: "."
    nodes: {names: "m:name"}
    columns:
      item_id: {path: "@id", type: varchar(20), key: true}
      name: {path: "$names", select: join, separator: "; ", type: nvarchar(40), on_invalid: [truncate, "null"]}
      total: {path: "m:amount", select: sum, type: "decimal(9,2)", on_invalid: [round, "null"]}
      source: {path: "../m:source/@code", type: nvarchar(10), on_invalid: truncate}
      person: {path: "key('person', @by)/m:name", type: nvarchar(20), on_invalid: truncate}
      day: {path: "@day", type: date, formats: ["%Y-%m-%d", "%Y-%m", "%Y"], partial: last, on_invalid: "null"}
      file: {run: source_file}
      number: {run: record_number}
  section:
    parent: item
    rows: "m:section"
    recursive: "m:section"
    columns:
      section_id: {derived: true, type: bigint, key: true}
      item_id: {parent: item.item_id}
      within_id: {parent: section.section_id}
      number: {position: true}
"""


class FuzzedFile(NamedTuple):
    """A file, and its name in a directory that is a source."""

    corpus: str
    name: str
    content: bytes


@cache
def _contract() -> tuple[Contract, Plan, frozenset[tuple[str, str]]]:
    contract, faults = check_text(NAME, CONTRACT)
    if contract is None or faults:
        raise ValueError("\n".join(map(str, faults)))
    return contract, compile_plan(contract), documented_reasons()


def fuzzed_file(random: Random) -> FuzzedFile:
    """Return a file of records, whole or damaged, alone or in containers."""
    markup = markup_of(_file(random))
    for _ in range(random.choice((0, 0, 1, 2, 5))):
        random.choice(MUTATIONS)(markup, random)
        markup = markup or [""]
    text = "".join(markup)
    content = written(with_prolog(text, random) if random.random() < 0.2 else text, random)
    content = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    name = "a.xml"
    for _ in range(random.choice((0, 0, 1, 1, 2))):
        content = _damaged(content, random)
        name, content = _packed(name, content, random)
    return FuzzedFile(NAME, f"{random.choice(('', 'x.', 'y'))}{name}", _damaged(content, random))


def _damaged(content: bytes, random: Random) -> bytes:
    chance = random.random()
    if chance < 0.8 or not content:
        return content
    return spoilt(content, random) if chance < 0.9 else cut(content, random)


def _file(random: Random) -> str:
    namespace = random.choice((' xmlns="urn:m"', ' xmlns="urn:n"', ""))
    root = random.choice(("set", "set", "set", "update", "other"))
    people = '<people><person id="p1"><name>A</name></person></people>'
    doctype = random.choice(("", "", '<!DOCTYPE set [<!ENTITY e "x">]>'))
    items = "".join(_item(number, random) for number in range(random.choice((0, 1, 3, 40))))
    return f'<?xml version="1.0"?>{doctype}<{root}{namespace}><source code="S1"/>{people}{items}</{root}>'


def _item(number: int, random: Random) -> str:
    sections = "<section>" * number + "</section>" * number if number < 9 else ""
    inner = random.choice(
        (
            "",
            "<!-- </item> -->",
            "<![CDATA[</item>]]>",
            '<item id="i"/>',
            "<raw><item/></raw>",
            "<x:y/>",
            "&e;",
            "<?item ?>",
        )
    )
    value = escaped(well_formed_value(random))
    item = (
        f'<item id="{random.choice((number, number, "", 1))}" by="p{number % 2}" day="2024-0{number % 10}">'
        f"<name>{value}</name><amount>{number}.5</amount>{sections}{inner}</item>"
    )
    return f"<part>{item}</part>" if random.random() < 0.2 else item


def _packed(name: str, content: bytes, random: Random) -> tuple[str, bytes]:
    match random.randrange(7):
        case 0:
            return f"{name}.gz", gzip.compress(content, mtime=0)
        case 1:
            half = len(content) // 2
            return f"{name}.gz", gzip.compress(content[:half], mtime=0) + gzip.compress(content[half:], mtime=0)
        case 2:
            return f"{name}.bz2", bz2.compress(content)
        case 3:
            return f"{name}.xz", lzma.compress(content)
        case 4 | 5:
            return "a.zip", _zip(name, content)
        case _:
            return random.choice(("a.tar", "a.tar.gz", "a.zip")), _tar(name, content)


def _zip(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()


def _tar(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.TarFile(fileobj=packed, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def outcomes_of_file(fuzzed: FuzzedFile, run: RunValues) -> Iterator[Outcome]:
    """Yield the outcome of each record of a file, or why it cannot be read.

    Raises:
        BadOutcomeError: A reason is none of the documented ones, or two records have one key.
    """
    contract, plan, reasons = _contract()
    parser = DocumentParser(parsing_rules(contract))
    keys: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        (Path(name) / fuzzed.name).write_bytes(fuzzed.content)
        try:
            with closing(open_documents(name, contract)) as source:
                for page in source.key_pages(7):
                    for key, document in zip(page.keys, source.fetch(page.keys), strict=True):
                        if str(key) in keys:
                            raise BadOutcomeError("two records have the same key")
                        keys.add(str(key))
                        yield _outcome(document, parser, plan, run, reasons)
        except (SourceError, UsageError) as error:
            if "\n" in error.message or not error.message.isprintable():
                raise BadOutcomeError("the message of a source is not one line") from None
            yield Outcome("source", type(error).__name__)


def _outcome(
    document: SourceDocument | Rejection,
    parser: DocumentParser,
    plan: Plan,
    run: RunValues,
    reasons: frozenset[tuple[str, str]],
) -> Outcome:
    if isinstance(document, Skipped):
        return Outcome("skipped", document.failure.code)
    try:
        if isinstance(document, Rejection):
            failure = document.failure
        else:
            root = parser.parse(document.content, document.envelope)
            rows = map_document(plan, root, document.key, run)
            return Outcome("record", "mapped", sum(len(of_table) for of_table in rows))
    except (ParseError, MappingError) as error:
        failure = error.failure
    if (failure.stage, failure.code) not in reasons:
        raise BadOutcomeError(f"{failure.stage} {failure.code} is no documented reason")
    if "\n" in failure.reason or not failure.reason.isprintable():
        raise BadOutcomeError(f"the explanation of {failure.code} is not one line")
    return Outcome(f"record, {failure.stage}", failure.code)
