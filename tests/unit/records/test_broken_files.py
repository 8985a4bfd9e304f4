"""Broken files of records: whatever they contain, each part is loaded or rejected, under a key of its own."""

import random
from contextlib import suppress

import pytest

from tests.unit.records.conftest import FilesInMemory, contract, fetched, listed
from xml_extractor.documents import SourceDocument
from xml_extractor.parsing import DocumentParser, ParseError, parsing_rules
from xml_extractor.records import RecordSource
from xml_extractor.records import scanner as scanner_module

CONTRACTS = [
    contract('{root: "m:S", records: ["m:R", "m:U/m:R"], header: "m:H", key: "@id"}'),
    contract('{root: "m:S", records: "//m:R[@a]", header: ["m:H"], key: "m:K"}'),
    contract('{root: "m:S", records: "m:R", fallback_encoding: cp1252}'),
    contract('{root: "m:S", records: "m:R", doctype: allow, other_roots: skip}'),
]
DOCTYPE = '<!DOCTYPE S [<!ENTITY e "x">]>'
WHOLE = (
    f'<?xml version="1.0"?>{DOCTYPE}<m:S xmlns:m="urn:m" a="1"><m:H k="v"><m:R a="">h</m:R></m:H>'
    '<m:R id="1" a="&lt;"><m:K>1</m:K><!-- </m:R> --></m:R><m:U><m:H/><m:R id="2" a=">"><![CDATA[</m:R>]]></m:R></m:U>'
    '<m:R id="3"/><?p x?><m:x><m:R a="y"/></m:x>é</m:S>\n'
)
PIECES = (b"<", b">", b"</m:R>", b"<m:R>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?", b'"', b"'", b"&", b"/", b"\0")
MORE_PIECES = (b"\xff", b"\xef\xbb\xbf", b"xmlns=''", b" ", b"=", b"<!DOCTYPE", b"</m:S>", b"m:", b"[", b"]", b"?>")
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-16", "utf-16-le", "latin-1")


def broken(chance: random.Random) -> bytes:
    text = WHOLE if chance.random() < 0.5 else WHOLE.replace(DOCTYPE, "")
    content = bytearray(text.encode(chance.choice(ENCODINGS)))
    for _ in range(chance.randint(1, 5)):
        position = chance.randrange(len(content) + 1)
        match chance.randrange(4):
            case 0 | 1:
                content[position:position] = chance.choice((*PIECES, *MORE_PIECES))
            case 2:
                del content[position : position + chance.randint(1, 12)]
            case _:
                del content[position:]
    return bytes(content)


@pytest.mark.parametrize("piece", [1, 17, 2**20])
def test_broken_files_give_records_and_rejects_and_no_errors(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner_module, "PIECE", piece)
    parsers = [DocumentParser(parsing_rules(each)) for each in CONTRACTS]
    for seed in range(200):
        content = broken(random.Random(seed))
        for checked, parser in zip(CONTRACTS, parsers, strict=True):
            source = RecordSource(FilesInMemory({"f": content}), checked)
            keys = listed(source)
            assert len(set(keys)) == len(keys), seed
            for document in source.fetch(keys):
                if isinstance(document, SourceDocument):
                    with suppress(ParseError):
                        parser.parse(document.content, document.envelope)
            assert len(list(source.fetch(keys, whole=True))) == len(keys)


@pytest.mark.parametrize(
    ("start", "code"),
    [
        ('<m:S xmlns:m="urn:m" a=1>', "malformed"),
        ('<m:S xmlns:m="urn:m" x:a="">', "namespace"),
        ('<m:S xmlns:m="urn:m" a="&e;">', "entity"),
        ('<m:S xmlns:m="urn:m" a="\1">', "control_character"),
        ('<m:S xmlns:m="urn:m"><m:H><x></m:H>', "malformed"),
    ],
)
def test_what_surrounds_all_records_rejects_the_file_once(start: str, code: str) -> None:
    content = f"{start}{'<m:R/>' * 10}</m:S>".encode()
    for checked in CONTRACTS[:1]:
        found = fetched(RecordSource(FilesInMemory({"f": content}), checked))
        assert [(key, reason.partition(":")[0]) for key, reason in found.items()] == [("f", code)]
