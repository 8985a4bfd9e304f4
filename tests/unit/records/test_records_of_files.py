"""What real files contain: each line of a file is one that a simple search for tags would misread."""

import codecs
import gzip
import secrets
from io import BytesIO
from typing import IO, cast

import pytest

from tests.unit.records.conftest import FilesInMemory, OpenRecords, contract, fetched, listed, whole_of
from xml_extractor.documents import DocumentKey, RecordKey, Skipped, SourceDocument
from xml_extractor.parsing import DocumentParser, parsing_rules
from xml_extractor.records import RecordSource
from xml_extractor.records import scanner as scanner_module
from xml_extractor.settings import KeyRange

SET = '{root: "m:Set", records: "m:R", key: "@id", header: ["m:Head"]}'
OPEN, CLOSE = '<m:Set xmlns:m="urn:m">', "</m:Set>"


def in_set(*parts: str) -> bytes:
    return f"{OPEN}{''.join(parts)}{CLOSE}".encode()


@pytest.mark.parametrize(
    "record",
    [
        '<m:R id="1"><m:R id="2"><m:R/></m:R></m:R>',
        '<m:R id="1"><R/><o:R xmlns:o="urn:o"></o:R></m:R>',
        '<m:R id="1"><!-- </m:R> --><![CDATA[</m:R>]]><?p </m:R> ?></m:R>',
        '<m:R id="1"><!-- <m:R> --><![CDATA[<m:R>]]><?p <m:R> ?></m:R>',
        '<m:R\n id = "1"\t>text</m:R\n>',
        '<m:R a="/>" b=\'">\' id="1"><x c="&lt;/m:R>"/></m:R>',
        '<m:R id="1"/>',
        '<R xmlns="urn:m" id="1"><R/></R>',
        '<m:R id="1"><m:Records/><m:R.x/></m:R>',
    ],
)
def test_a_record_is_found_whatever_it_contains(open_records: OpenRecords, record: str) -> None:
    other = '<m:R id="2"/>'
    found = fetched(open_records({"f": in_set("text", record, "<!-- <m:R/> -->", other, "<m:End/>")}, SET))
    assert found == {"f#1": f"{OPEN}{record}{CLOSE}", "f#2": f"{OPEN}{other}{CLOSE}"}


def test_elements_elsewhere_or_in_another_namespace_are_no_records(open_records: OpenRecords) -> None:
    content = in_set('<R id="1"/>', '<m:Q><m:R id="2"/></m:Q>', '<m:R xmlns:m="urn:o" id="3"/>', '<m:R id="4"/>')
    assert list(fetched(open_records({"f": content}, SET))) == ["f#4"]


def test_several_names_and_depths_are_found_and_only_the_outermost_match(open_records: OpenRecords) -> None:
    document = '{root: "m:Set", records: ["m:A", "m:U/m:A", "//m:B"]}'
    content = in_set("<m:A><m:B/></m:A><m:U><m:A/><m:C><m:B><m:B/></m:B></m:C></m:U><m:A/>")
    assert list(fetched(open_records({"f": content}, document)).values()) == [
        f"{OPEN}<m:A><m:B/></m:A>{CLOSE}",
        f"{OPEN}<m:U><m:A/></m:U>{CLOSE}",
        f"{OPEN}<m:U><m:C><m:B><m:B/></m:B></m:C></m:U>{CLOSE}",
        f"{OPEN}<m:A/>{CLOSE}",
    ]


def test_predicates_look_at_attributes_of_any_step(open_records: OpenRecords) -> None:
    document = """{root: "m:Set", records: "m:U[@v:t = 'a' or @t]/*[not(@off)]", key: "@id"}"""
    content = in_set(
        '<m:U t="1"><m:R id="1"/><R id="2" off=""/></m:U>',
        '<m:U><m:R id="3"/></m:U>',
        '<m:U xmlns:v="urn:2" v:t="&#x61;"><x id="4"/></m:U>',
    )
    assert list(fetched(open_records({"f": content}, document))) == ["f#1", "f#4"]


def test_a_root_may_be_a_record_itself(open_records: OpenRecords) -> None:
    document = "{root: [suites, suite], records: [/suites/suite, /suite]}"
    files = {"a": b'<suite n="1"><suite/></suite>', "b": b"<suites><suite><suite/></suite><suite/></suites>"}
    assert fetched(open_records(files, document)) == {
        "a#1": '<suite n="1"><suite/></suite>',
        "b#1": "<suites><suite><suite/></suite></suites>",
        "b#2": "<suites><suite/></suites>",
    }


def test_records_have_a_namespace_and_the_root_none_or_any_version(open_records: OpenRecords) -> None:
    document = '{root: "v:Set", records: "v:R", key: "@id"}'
    content = b'<Set><x:R xmlns:x="urn:1" id="1"/><R id="2"/><R xmlns="urn:2" id="3"/><R xmlns="urn:3" id="4"/></Set>'
    assert list(fetched(open_records({"f": content}, document))) == ["f#1", "f#2", "f#3"]


def test_ancestors_show_the_header_that_stands_before_their_first_record(open_records: OpenRecords) -> None:
    document = '{root: "m:Set", records: "m:U/m:R", header: ["m:Head"], key: "@id"}'
    content = in_set(
        '<m:Other/><m:Head n="1"/> <m:Head n="2"><m:R/></m:Head>x<m:Head n="3"/>',
        '<m:U a="1"><m:Head n="4"/><m:R id="1"/><m:Head n="5"/><m:R id="2"/></m:U>',
        '<m:Head n="6"/><m:U a="2"><m:Other/><m:R id="3"/></m:U>',
    )
    head = f'{OPEN}<m:Head n="1"/> <m:Head n="2"><m:R/></m:Head><m:Head n="3"/>'
    assert fetched(open_records({"f": content}, document)) == {
        "f#1": f'{head}<m:U a="1"><m:Head n="4"/><m:R id="1"/></m:U>{CLOSE}',
        "f#2": f'{head}<m:U a="1"><m:Head n="4"/><m:R id="2"/></m:U>{CLOSE}',
        "f#3": f'{head}<m:U a="2"><m:R id="3"/></m:U>{CLOSE}',
    }


def test_a_key_that_repeats_in_a_file_has_a_number(open_records: OpenRecords) -> None:
    files = {"a": in_set(*['<m:R id="x"/>'] * 3, "<m:R/>", '<m:R id=" "/>'), 7: in_set('<m:R id="x"/>')}
    keys = listed(open_records(files, SET))
    assert keys == ["7#x", "a#x", "a#x#2", "a#x#3", "a#4", "a#5"]
    assert [key.place.number for key in keys if isinstance(key, RecordKey)] == [1, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("key", ["@id", "m:Id", "string(@id)"])
def test_a_key_is_what_the_default_transforms_make_of_it(open_records: OpenRecords, key: str) -> None:
    document = f'{{root: "m:Set", records: "m:R", key: "{key}"}}\ndefaults: {{transform: [digits]}}'
    parts = [f'<m:R id="{text}"><m:Id>{text}</m:Id></m:R>' for text in ("No 7", "a", "7")]
    assert listed(open_records({"f": in_set(*parts)}, document)) == ["f#7", "f#2", "f#7#2"]


@pytest.mark.parametrize("key", ["@id", "m:Id", "../m:Head/@id", "concat(../@a, '-', m:Id)", "string(@id)"])
def test_a_key_may_be_any_path(open_records: OpenRecords, key: str) -> None:
    document = f'{{root: "m:Set", records: "m:R", header: "m:Head", key: "{key}"}}'
    content = in_set('<m:Head id="1"/>', '<m:R id="1"><m:Id>1</m:Id></m:R>')
    assert listed(open_records({"f": content}, document)) == ["f#-1" if "concat" in key else "f#1"]


@pytest.mark.parametrize(
    ("key", "record", "own_key"),
    [
        ("m:Id", "<m:Id>a</m:Id><m:Id>b</m:Id>", "a"),
        ("m:Id", "<m:Id> <!-- b -->a<![CDATA[&]]> </m:Id>", "a&"),
        ("m:Id", "<m:Id/><m:Id>b</m:Id>", None),
        ("m:Id", "<m:X><m:Id>b</m:Id></m:X><m:Id>a<m:Id>b</m:Id></m:Id>", "ab"),
        ("m:Id", f"<m:X>{'x' * 5000}</m:X><m:Id>a</m:Id>", "a"),
        ("m:Id", "<m:Id>a</m:Id><u:undeclared/>", "a"),
        ("m:Id", "<Id>b</Id><o:Id xmlns:o='urn:o'>b</o:Id><Id xmlns='urn:m'>a</Id>", "a"),
        ("m:Id", "<m:Head/>", None),
        ("m:X/m:Id", "<m:Id>b</m:Id><m:X><m:Y><m:Id>b</m:Id></m:Y></m:X><m:X/><m:X><m:Id>a</m:Id></m:X>", "a"),
        ("m:Id/@v", "<m:Id/><m:Id v='a'/><m:Id v='b'/>", "a"),
        ("v:Id", "<Id>a</Id>", "a"),
        ("m:Id[2]", "<m:Id>b</m:Id><m:Id>a</m:Id>", "a"),
        (".//m:Id", "<m:X><m:Id>a</m:Id></m:X><m:Id>b</m:Id>", "a"),
    ],
)
@pytest.mark.parametrize("around", ["{}", '<m:U xmlns:k="urn:k">{}</m:U>'])
def test_a_key_may_be_an_element(open_records: OpenRecords, key: str, record: str, own_key: str, around: str) -> None:
    document = f'{{root: "m:Set", records: "//m:R", key: "{key}"}}'
    content = in_set(around.format(f'<m:R id="1">{record}</m:R>'))
    assert listed(open_records({"f": content}, document)) == [f"f#{own_key or 1}"]


@pytest.mark.parametrize(
    "tag", ["<m:R id='&#x61;'/>", '<m:R x=\'id="b"\' id=\t"\ta " ></m:R>', "<m:R m:id='b' id='a'/>"]
)
def test_a_key_may_be_an_attribute_however_it_is_written(open_records: OpenRecords, tag: str) -> None:
    assert listed(open_records({"f": in_set(tag)}, SET)) == ["f#a"]


def test_a_doctype_with_entities_is_refused_or_skipped(open_records: OpenRecords) -> None:
    doctype = '<!DOCTYPE Set [<!ENTITY e "<m:R/>"> <!-- ]> <m:R/> -->]>'
    content = in_set('<m:R id="1">&amp;</m:R>').decode()
    files = {"f": f'<?xml version="1.0"?>\n{doctype}{content}'.encode()}
    assert fetched(open_records(files, SET))["f"].startswith("doctype: ")
    allowing = SET.replace("{", "{doctype: allow, ")
    assert fetched(open_records(files, allowing)) == {"f#1": f'{OPEN}<m:R id="1">&amp;</m:R>{CLOSE}'}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "latin-1", "cp1252"])
def test_files_of_any_encoding_hold_records(open_records: OpenRecords, encoding: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>' if encoding in ("latin-1", "cp1252") else ""
    text = declaration + in_set('<m:R id="é"/>', '<m:R id="ü">ß</m:R>').decode()
    found = fetched(open_records({"f": text.encode(encoding)}, SET))
    assert found == {"f#é": f'{OPEN}<m:R id="é"/>{CLOSE}', "f#ü": f'{OPEN}<m:R id="ü">ß</m:R>{CLOSE}'}


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("declaration", ["", '<?xml version="1.0"?>', '<?xml version="1.0" encoding="UTF-16"?>'])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read_in_either_order_with_and_without_mark_and_declaration(
    open_records: OpenRecords, encoding: str, declaration: str, mark: str
) -> None:
    text = f"{mark}{declaration}{OPEN}<m:R id='\u20ac'/><m:R id='\U0001f98a'><a></m:R>{CLOSE}"
    source = open_records({"f": text.encode(encoding)}, SET)
    assert list(fetched(source)) == ["f#\u20ac", "f#\U0001f98a"]
    (rest,) = source.fetch(listed(source)[1:], whole=True)
    assert whole_of(rest).decode() == f"{OPEN}<m:R id='\U0001f98a'><a></m:R>{CLOSE}"


def test_text_of_a_database_holds_records_whatever_encoding_it_declares(open_records: OpenRecords) -> None:
    text = '<?xml version="1.0" encoding="utf-16"?>' + in_set('<m:R id="é"/>').decode()
    assert list(fetched(open_records({1: text, 2: None, 3: codecs.BOM_UTF8 + text.encode()}, SET))) == [
        "1#é",
        "2",
        "3#é",
    ]


def test_a_contract_may_name_the_encoding_or_a_fallback(open_records: OpenRecords) -> None:
    content = '<?xml version="1.0" encoding="utf-8"?>' + in_set('<m:R id="1"/>', '<m:R id="é"/>').decode()
    for key in ("encoding", "fallback_encoding"):
        document = SET.replace("{", f"{{{key}: windows-1252, ")
        assert list(fetched(open_records({"f": content.encode("cp1252")}, document))) == ["f#1", "f#é"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty: "),
        (b" \n\t", "empty: "),
        (codecs.BOM_UTF8, "empty: "),
        (b"not XML", "malformed: "),
        (b"<m:Set", "malformed: "),
        (b'<m:Set xmlns:m="urn:o"><m:R/></m:Set>', "wrong_root: "),
        (b"<?xml version='1.0' encoding='klingon'?><a/>", "wrong_encoding: "),
    ],
)
def test_a_file_that_cannot_be_read_is_one_reject(open_records: OpenRecords, content: bytes, reason: str) -> None:
    ((key, found),) = fetched(open_records({"f.xml": content}, SET)).items()
    assert key == "f.xml"
    assert found.startswith(reason)


@pytest.mark.parametrize(
    ("rest", "key"),
    [
        ('<m:R id="C"><x>', "f#C"),
        ('<m:R id="1"><x>', "f#1#2"),
        ('<m:R id="C"><a></b></m:R><m:R id="D"/></m:Set>', "f#C"),
        ('<m:R id="C"><a b="1" b="2"/></m:R><m:R id="D"/></m:Set>', "f#C"),
        ('<m:R id="C">a & b</m:R><m:R id="D">&amp;</m:R></m:Set>', "f#C"),
        ('<m:R id="C">&nbsp;</m:R><m:R id="D"/></m:Set>', "f#C"),
        ('<m:R id="C">&#1;</m:R><m:R id="D"/></m:Set>', "f#C"),
        ('<m:R id="C">]]></m:R><m:R id="D"/></m:Set>', "f#C"),
        ('<m:R id="C"><!-- -- --></m:R><m:R id="D"/></m:Set>', "f#C"),
        ('<m:R id="C"><![CDATA[ & ]]><!-- & --><?p & ?><x a="&"/></m:R><m:R id="D"/></m:Set>', "f#C"),
        ('<m:R id="C"><?xml version="1.0"?></m:R></m:Set>', "f#C"),
        ('<m:R id="C" id="D"></m:R><m:R id="D"/></m:Set>', "f"),
        ('<m:R id="C"', "f"),
        ("<m:R><x>", "f"),
        ("<m:Q>", "f"),
        ("<m:Q><a></b></m:Q><m:R id='D'/></m:Set>", "f"),
        ("<m:U><m:V x=1><m:R id='D'/></m:V></m:U></m:Set>", "f"),
        ("a & b<m:R id='D'/></m:Set>", "f"),
        ("</m:X>", "f"),
        ("<!-- ", "f"),
        ("<m:R><![CDATA[", "f"),
        ("</m:Set>text", "f"),
        ("</m:Set><m:Set/>", "f"),
        ("</m:Set>\n\0", "f"),
        ("<m:Q a='<'/></m:Set>", "f"),
    ],
)
@pytest.mark.parametrize("piece", [1, 2**20])
def test_records_before_a_break_are_loaded_and_the_rest_is_one_reject(
    open_records: OpenRecords, monkeypatch: pytest.MonkeyPatch, piece: int, rest: str, key: str
) -> None:
    monkeypatch.setattr(scanner_module, "PIECE", piece)
    before = f'{OPEN}<m:Head/><m:R id="1">&amp;</m:R><m:R id="2">; & amp;<![CDATA[&]]></m:R>'.replace(" & amp;", "&lt;")
    source = open_records({"f": f"{before}{rest}".encode()}, SET)
    found = fetched(source)
    assert list(found) == ["f#1", "f#2", key]
    code, _, explanation = found[key].partition(": ")
    assert code in ("malformed", "entity", "control_character")
    assert explanation.startswith("the file breaks off after record 2: ")
    keys = listed(source)
    assert isinstance(keys[-1], RecordKey)
    assert keys[-1].place.number == 3
    (whole,) = source.fetch(keys[-1:], whole=True)
    assert whole_of(whole) == f"{OPEN}<m:Head/>{rest}".encode()


def test_a_record_without_a_key_of_its_own_has_its_number_also_if_the_file_breaks_off_in_it(
    open_records: OpenRecords,
) -> None:
    document = '{root: "m:Set", records: "m:R"}'
    found = fetched(open_records({"f": f"{OPEN}<m:R/><m:R><a></m:R><m:R/>{CLOSE}".encode()}, document))
    assert list(found) == ["f#1", "f#2"]


def test_a_record_with_an_undeclared_prefix_or_too_many_levels_is_well_formed_and_rejected_alone(
    open_records: OpenRecords,
) -> None:
    deep = "<x>" * 3000 + "</x>" * 3000
    content = in_set('<m:R id="1"><u:x/></m:R>', f'<m:R id="2">{deep}</m:R>', '<m:R id="3"/>')
    assert list(fetched(open_records({"f": content}, SET))) == ["f#1", "f#2", "f#3"]


def test_entities_that_expand_without_limits_do_not_break_a_file_off(open_records: OpenRecords) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 20}">' for n in range(1, 12))
    content = in_set('<m:R id="1" a="&e11;"/>', '<m:R id="2"/>').decode()
    doctype = f'<!DOCTYPE m:Set [<!ENTITY e0 "0123456789">{entities}]>'
    allowing = SET.replace("{", "{doctype: allow, ")
    assert list(fetched(open_records({"f": f"{doctype}{content}".encode()}, allowing))) == ["f#1", "f#2"]


def test_bytes_that_are_invalid_in_the_encoding_break_a_file_off(open_records: OpenRecords) -> None:
    content = in_set('<m:R id="1"/>', '<m:R id="2"/>').decode().encode("utf-16-le")
    found = fetched(open_records({"f": content[:-20] + b"\x00\xdc\x00\x00" + content[-20:]}, SET))
    assert list(found) == ["f#1", "f"]
    assert found["f"].startswith("wrong_encoding: ")


def test_the_rest_of_a_file_is_written_whatever_its_size(open_records: OpenRecords) -> None:
    document = SET.replace("{", "{max_bytes: 100, ")
    rest = f'<m:R id="2"><a></m:R>{"<m:R/>" * 500_000}{CLOSE}'
    source = open_records({"f": f'{OPEN}<m:R id="1"/>{rest}'.encode()}, document)
    keys = listed(source)
    assert keys == ["f#1", "f#2"]
    (document_of_rest,) = source.fetch(keys[1:], whole=True)
    assert isinstance(document_of_rest, SourceDocument)
    assert document_of_rest.pieces is not None
    pieces = list(document_of_rest.pieces)
    assert max(map(len, pieces)) <= 2**20
    assert b"".join(pieces).decode() == OPEN + rest


def test_what_is_written_of_a_file_in_the_contract_s_encoding_is_read_again_by_the_same_contract(
    open_records: OpenRecords,
) -> None:
    document = SET.replace("{", "{encoding: windows-1252, ")
    content = in_set('<m:R id="é"/>', '<m:R id="ü"><a></m:R>', '<m:R id="ß"/>').decode().encode("windows-1252")
    source = open_records({"f": content}, document)
    keys = listed(source)
    assert keys == ["f#é", "f#ü"]
    record, rest = map(whole_of, source.fetch(keys, whole=True))
    assert listed(open_records({"g": record}, document)) == ["g#é"]
    assert listed(open_records({"g": rest.replace(b"<a>", b"")}, document)) == ["g#ü", "g#ß"]
    whole = open_records({"f": "<m:Set é<".encode("windows-1252")}, document)
    assert [whole_of(each) for each in whole.fetch(listed(whole), whole=True)] == ["<m:Set é<".encode("windows-1252")]


class Compressed(FilesInMemory):
    """Files that are compressed, and cut after some bytes."""

    def __init__(self, content: bytes, length: int) -> None:
        super().__init__({"f": b""})
        self._compressed = gzip.compress(content)[:length]

    def open_file(self, key: DocumentKey) -> IO[bytes]:
        assert key == "f"
        return cast("IO[bytes]", gzip.GzipFile(fileobj=BytesIO(self._compressed)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_records_before_the_end_of_a_compressed_stream_that_is_cut_are_loaded(encoding: str) -> None:
    text = secrets.token_hex(500)
    content = in_set(*(f'<m:R id="{number}">{text[number:]}{number}</m:R>' for number in range(999))).decode()
    whole = content.encode(encoding)
    everything = fetched(RecordSource(Compressed(whole, len(whole)), contract(SET)))
    assert len(everything) == 999
    half = len(gzip.compress(whole)) // 2
    source = RecordSource(Compressed(whole, half), contract(SET))
    found = fetched(source)
    keys = list(found)
    assert len(keys) > 300
    assert keys[:-1] == [f"f#{number}" for number in range(len(keys) - 1)]
    assert found[keys[-1]].startswith(
        f"unreadable: the file breaks off after record {len(keys) - 1}: the compressed data end"
    )
    (rest,) = source.fetch(listed(source)[-1:], whole=True)
    assert content.startswith(whole_of(rest).decode().removeprefix(OPEN), content.index(f'<m:R id="{len(keys) - 1}"'))


def test_a_path_to_the_bounds_of_a_map_costs_the_same_for_each_of_its_73_000_nodes(open_records: OpenRecords) -> None:
    nodes = "".join(f'<node id="{number}" lat="54.1"/>' for number in range(73_000))
    document = '{root: osm, records: node, header: bounds, key: "@id"}'
    source = open_records({"f": f'<osm><bounds minlat="54"/>{nodes}</osm>'.encode()}, document)
    keys = [key for page in source.key_pages(1000) for key in page.keys]
    assert len(keys) == 73_001
    parser = DocumentParser(parsing_rules(contract(document)))
    for each in source.fetch([keys[0], keys[36_500], keys[72_999]]):
        assert isinstance(each, SourceDocument)
        assert each.envelope is not None
        assert len(each.envelope.start) == len('<osm><bounds minlat="54"/>')
        node = parser.parse(each.content, each.envelope)
        assert [element.tag for element in node.getroottree().getroot().iter()] == ["osm", "bounds", "node"]
        assert node.xpath("string(../bounds/@minlat)") == "54"


def test_max_bytes_applies_to_a_record_and_not_to_the_file(open_records: OpenRecords) -> None:
    document = SET.replace("{", "{max_bytes: 100, ")
    content = in_set(*(f'<m:R id="{number}"><a/></m:R>' for number in range(50)), f'<m:R id="x">{"y" * 100}</m:R>')
    found = fetched(open_records({"f": content}, document))
    assert [key for key, text in found.items() if text.startswith("too_large")] == ["f#x"]
    assert len(found) == 51


def test_a_file_without_records_is_counted(open_records: OpenRecords) -> None:
    source = open_records(
        {"a": in_set("<m:Head/>"), "b": in_set('<m:R id="1"/>'), "c": b'<m:Set xmlns:m="urn:m"/>'}, SET
    )
    assert list(fetched(source)) == ["b#1"]
    assert source.files_without_records == 2


def test_another_root_is_skipped_if_the_contract_says_so(open_records: OpenRecords) -> None:
    source = open_records(
        {"a": b"<!DOCTYPE x [<!ENTITY a 'b'>]><x><y>", "b": in_set('<m:R id="1"/>')},
        SET.replace("{", "{other_roots: skip, "),
    )
    keys = listed(source)
    skipped, loaded = source.fetch(keys)
    assert keys == ["a", "b#1"]
    assert isinstance(skipped, Skipped)
    assert not isinstance(loaded, Skipped)


@pytest.mark.parametrize(
    ("first", "last", "keys"),
    [
        ("b.xml#2", "b.xml#2", ["b.xml#2"]),
        ("b.xml", "b.xml", ["b.xml#1", "b.xml#2", "b.xml#3"]),
        ("a.xml#3", "b.xml#1", ["a.xml#3", "b.xml#1"]),
        ("b.xml#2", "", ["b.xml#2", "b.xml#3"]),
        ("", "a.xml#1", ["a.xml#1"]),
        ("b.xml#9", "b.xml#9", []),
    ],
)
def test_a_range_begins_and_ends_at_a_record_or_a_file(
    open_records: OpenRecords, first: str, last: str, keys: list[str]
) -> None:
    content = in_set(*(f'<m:R id="{number}"/>' for number in (1, 2, 3)))
    source = open_records({"a.xml": content, "b.xml": content}, SET)
    assert listed(source, KeyRange(first, last)) == keys
