"""Documents made to read files, to reach the network, or to exhaust memory or time."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from xml_extractor.parsing import DocumentParser, ParseError, ParsingRules

LARGE = 10_000_001
PATIENCE = 20.0

PARSERS = {
    (allow, until): DocumentParser(ParsingRules(("a",), (("b",),) if until else (), allow_doctype=allow))
    for allow in (False, True)
    for until in (False, True)
}
both_ways = pytest.mark.parametrize("until", [False, True], ids=["whole", "until"])


@pytest.fixture(autouse=True)
def _in_bounded_time() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < PATIENCE


def code_of(content: bytes, *, until: bool, allow: bool = True) -> str:
    with pytest.raises(ParseError) as caught:
        PARSERS[allow, until].parse(content)
    return caught.value.failure.code


def billion_laughs(reference: bytes) -> bytes:
    entities = [b'<!ENTITY l0 "lol">']
    entities += [b'<!ENTITY l%d "%s">' % (level, b"&l%d;" % (level - 1) * 10) for level in range(1, 10)]
    return b"<!DOCTYPE a [" + b"".join(entities) + b"]>" + reference


ENTITY_DOCUMENTS = {
    "internal": b'<!DOCTYPE a [<!ENTITY e "x">]><a>12&e;34</a>',
    "unused": b'<!DOCTYPE a [<!ENTITY e "x">]><a/>',
    "external file": b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
    "external url": b'<!DOCTYPE a [<!ENTITY e SYSTEM "http://127.0.0.1:9/">]><a>&e;</a>',
    "parameter": b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><a/>',
    "parameter undeclared": b"<!DOCTYPE a [%p;]><a/>",
    "billion laughs": billion_laughs(b"<a>&l9;</a>"),
    "billion laughs in an attribute": billion_laughs(b'<a x="&l9;"/>'),
    "quadratic": b'<!DOCTYPE a [<!ENTITY e "' + b"x" * 100_000 + b'">]><a>' + b"&e;" * 100_000 + b"</a>",
    "loop": b'<!DOCTYPE a [<!ENTITY e "&f;"><!ENTITY f "&e;">]><a>&e;</a>',
    "predefined again": b'<!DOCTYPE a [<!ENTITY lt "&#38;#60;">]><a>&lt;</a>',
    "after a comment": b'<!DOCTYPE a [<!-- ]> --><!ENTITY e "x">]><a>&e;</a>',
    "after a literal": b"<!DOCTYPE a [<!ATTLIST a x CDATA ']>'><!ENTITY e 'x'>]><a>&e;</a>",
    "after an instruction": b'<!DOCTYPE a [<?pi ]> ?><!ENTITY e "x">]><a>&e;</a>',
    "after a public name": b'<!DOCTYPE a PUBLIC "-//[>" \'[>\' [<!ENTITY e "x">]><a>&e;</a>',
}


@both_ways
@pytest.mark.parametrize("content", ENTITY_DOCUMENTS.values(), ids=ENTITY_DOCUMENTS.keys())
def test_an_entity_is_rejected_even_where_a_doctype_is_allowed(content: bytes, *, until: bool) -> None:
    assert code_of(content, until=until) == "entity"
    assert code_of(content.decode().encode("utf-16"), until=until) == "entity"


@both_ways
@pytest.mark.parametrize("content", ENTITY_DOCUMENTS.values(), ids=ENTITY_DOCUMENTS.keys())
def test_a_doctype_is_rejected_unless_it_is_allowed(content: bytes, *, until: bool) -> None:
    assert code_of(content, until=until, allow=False) == "doctype"
    assert code_of(content.decode().encode("utf-16"), until=until, allow=False) == "doctype"


@both_ways
@pytest.mark.parametrize(
    "before",
    [b"", b"\xef\xbb\xbf", b"\n", b"<?xml version='1.0'?>", b"<!-- <a> -->", b"<?x <a> ?>\n<!---->", b"<!-- ' -->"],
)
def test_a_doctype_is_found_after_anything_that_may_precede_it(before: bytes, *, until: bool) -> None:
    content = before + b'<!DOCTYPE a SYSTEM "x.dtd"><a/>'
    assert code_of(content, until=until, allow=False) == "doctype"
    assert PARSERS[True, until].parse(content).tag == "a"


@both_ways
@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE a SYSTEM "x.dtd"><a>12&e;34</a>',
        b'<!DOCTYPE a SYSTEM "x.dtd"><a><c k="12&e;34"/></a>',
        b'<!DOCTYPE a PUBLIC "-//W3C//DTD XHTML 1.0//EN" "x.dtd"><a>12&nbsp;34</a>',
        b"<!DOCTYPE a><a>12&e;34</a>",
        b"<a>12&e;34</a>",
        b'<a k="12&e;34"/>',
        b'<!DOCTYPE a SYSTEM "x.dtd"><a>12&e;34<b/></a>',
        b'<!DOCTYPE a SYSTEM "x.dtd"><a k="12&e;34"><b></b></a>',
    ],
)
def test_a_reference_to_an_undeclared_entity_never_loses_text(content: bytes, *, until: bool) -> None:
    assert code_of(content, until=until) == "entity"


@both_ways
def test_many_warnings_cannot_hide_an_undeclared_entity(*, until: bool) -> None:
    # libxml2 keeps a hundred warnings, and an entity missing in an attribute is only a warning.
    content = b'<!DOCTYPE a SYSTEM "x.dtd"><a>' + b'<c xmlns="relative"/>' * 200 + b'<c k="12&e;34"/><b></b></a>'
    assert code_of(content, until=until) == "malformed"


@both_ways
@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE a [", b"<!DOCTYPE a", b"<!DOCTYPE a [<!-- ]><a/>", b"<!DOCTYPE a '><a/>"]
)
def test_a_doctype_that_is_not_closed_is_malformed(content: bytes, *, until: bool) -> None:
    assert code_of(content, until=until) == "malformed"


@both_ways
@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE a [<![INCLUDE[<!ENTITY e 'x'>]]>]><a/>",
        b"<!DOCTYPE a><!DOCTYPE a><a/>",
        b"<!DOCTYPE a [[]]><a/>",
    ],
)
def test_a_doctype_that_xml_does_not_allow_is_rejected(content: bytes, *, until: bool) -> None:
    assert code_of(content, until=until) in ("malformed", "entity")


@both_ways
def test_an_allowed_doctype_is_skipped(*, until: bool) -> None:
    content = b"""<!DOCTYPE a PUBLIC "-//X//Y" "../x.dtd" [
        <!-- <!ENTITY e "x"> % ]> --> <?pi <!ENTITY ]> ?>
        <!ELEMENT a (b | c)*> <!ATTLIST a k CDATA "]>%[" d CDATA "default"> <!NOTATION n SYSTEM "n">
    ]><!-- x --><a k=" v "><b>1</b></a>"""
    root = PARSERS[True, until].parse(content)
    assert dict(root.attrib) == {"k": " v "}
    assert root.findtext("b") == "1"


@both_ways
@pytest.mark.parametrize("reference", ["{path}", "file://{path}"])
def test_an_external_subset_is_not_read_from_disk(tmp_path: Path, reference: str, *, until: bool) -> None:
    dtd = tmp_path / "x.dtd"
    dtd.write_text('<!ENTITY e "LEAK"><!ATTLIST a k CDATA "LEAK">')
    doctype = f'<!DOCTYPE a SYSTEM "{reference.format(path=dtd)}">'.encode()
    assert dict(PARSERS[True, until].parse(doctype + b"<a><b></b></a>").attrib) == {}
    assert code_of(doctype + b"<a>&e;<b></b></a>", until=until) == "entity"
    assert code_of(doctype + b'<a x="&e;"><b></b></a>', until=until) == "entity"


@both_ways
def test_nothing_is_fetched_from_the_network(*, until: bool) -> None:
    calls: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)

        def answer() -> None:
            try:
                calls.append(server.accept())
            except TimeoutError:
                return

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x.dtd".encode()
        assert PARSERS[True, until].parse(b'<!DOCTYPE a SYSTEM "' + address + b'"><a><b></b></a>').tag == "a"
        thread.join()
    assert calls == []


@both_ways
@pytest.mark.parametrize(
    "content",
    [
        b"<a>" + b"x" * LARGE + b"</a>",
        b'<a x="' + b"x" * LARGE + b'"/>',
        b"<a><![CDATA[" + b"x" * LARGE + b"]]></a>",
        b"<a><c><![CDATA[" + b"x" * 2 * LARGE + b"]]></c></a>",
        b"<a><!--" + b"x" * LARGE + b"--></a>",
        b"<a><?x " + b"x" * 2 * LARGE + b"?></a>",
        b"<!--" + b"x" * LARGE + b"--><a/>",
        b"<a><" + b"x" * 50_001 + b"/></a>",
        b"<a " + b"x" * 50_001 + b'="1"/>',
        b"<a " + b" ".join(b'x%d="%s"' % (number, b"y" * 1000) for number in range(11_000)) + b"/>",
    ],
    ids=[
        "text",
        "attribute",
        "cdata",
        "longer cdata",
        "comment",
        "instruction",
        "comment before",
        "element name",
        "attribute name",
        "start tag",
    ],
)
def test_a_giant_part_is_read(content: bytes, *, until: bool) -> None:
    for given in (content, content.decode()):
        assert PARSERS[False, until].parse(given).tag == "a"


@both_ways
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<a>" + b"x" * LARGE + b"<c>" * 256 + b"</c>" * 256 + b"</a>", "too_deep"),
        (b"<a>" + b"x" * LARGE + b"<c>" * 5000 + b"</c>" * 5000 + b"</a>", "too_deep"),
        (b"<a>" + b"x" * LARGE + b"&e;</a>", "entity"),
        (b"<a>" + b"x" * LARGE + b"<c></a>", "malformed"),
        (b"<a><" + b"x" * 10_000_001 + b"/></a>", "too_large"),
    ],
    ids=["depth", "great depth", "entity", "malformed", "name"],
)
def test_a_giant_part_hides_nothing_else(content: bytes, code: str, *, until: bool) -> None:
    assert code_of(content, until=until) == code


@both_ways
def test_an_unclosed_comment_that_quotes_libxml2_is_not_too_large(*, until: bool) -> None:
    assert code_of(b"<a><!-- Comment too big found", until=until) == "malformed"


@both_ways
def test_a_text_of_exactly_ten_million_bytes_is_read(*, until: bool) -> None:
    root = PARSERS[False, until].parse(b"<a>" + b"x" * (LARGE - 2) + b"<b/></a>")
    assert len(root.text or "") == LARGE - 2


@both_ways
@pytest.mark.parametrize("content", [b"<a>" * 257, b"<a>" * 1_000_000, b"<a><c>" * 300 + b"</c></a>" * 300])
def test_deep_nesting_is_rejected(content: bytes, *, until: bool) -> None:
    assert code_of(content, until=until) == "too_deep"


@both_ways
@pytest.mark.parametrize(
    "content",
    [
        b"<!--x-->" * 500_000 + b"<a/>",
        b"<?x?>" * 500_000 + b"<a/>",
        b" " * 5_000_000 + b"<a/>",
        b"<a/>" + b"<!--x-->" * 500_000,
        b"<a>" + b"<b1></b1>" * 200_000 + b"</a>",
        b"<a>" + b"<c><b></b></c>" * 200_000 + b"</a>",
    ],
    ids=["comments", "instructions", "space", "comments after", "similar ends", "ends elsewhere"],
)
def test_a_document_made_to_be_slow_is_read_in_bounded_time(content: bytes, *, until: bool) -> None:
    assert PARSERS[False, until].parse(content).tag == "a"


@both_ways
@pytest.mark.parametrize(
    "content",
    [
        b"<!--" * 1_000_000,
        b"<?" * 1_000_000,
        b"<!DOCTYPE a [" + b"'" * 1_000_001,
        b"<a " * 300_000,
        b"<a" + b"'" * 1_000_000,
    ],
)
def test_a_document_made_to_be_slow_that_is_not_closed_is_malformed(content: bytes, *, until: bool) -> None:
    assert code_of(content, until=until) == "malformed"
