"""A document with another root element is skipped whatever follows, if the contract says so."""

import pytest

from xml_extractor.parsing import DocumentParser, OtherRootError, ParseError, ParsingRules

ROOTS = ("{urn:1}Set", "{urn:2}Set", "Update")
SKIPPING = DocumentParser(ParsingRules(ROOTS, skip_other_roots=True))
REJECTING = DocumentParser(ParsingRules(ROOTS))


@pytest.mark.parametrize(
    "content",
    [
        b"<Other/>",
        b"<Set/>",
        b"<Set xmlns='urn:3'/>",
        b"<Other a='>' b=\"'/>\"><not well-formed",
        b"<?xml version='1.0'?><!-- <Update/> --><?p <Update>?><Other><a></b>",
        b"<!DOCTYPE Other [<!ENTITY a '<Update>'> %p; <!-- ]> -->]><Other>&a;",
        b"<!DOCTYPE Other SYSTEM 'file:///etc/passwd'><o:Other xmlns:o='urn:o'>",
        b"<?xml version='1.0' encoding='latin-1'?><\xd6ther>",
        "<Other>\ud800".encode("utf-16", "surrogatepass"),
        "<Other>".encode("utf-16-be"),
        "\ufeff<Other>",
        b"<Other>" + b" " * 2_000_000 + b"\xff",
    ],
)
def test_another_root_is_skipped_whatever_follows_it(content: bytes | str) -> None:
    with pytest.raises(OtherRootError) as caught:
        SKIPPING.parse(content)
    assert caught.value.failure.code == "wrong_root"
    with pytest.raises(ParseError) as rejected:
        REJECTING.parse(content)
    assert not isinstance(rejected.value, OtherRootError)


@pytest.mark.parametrize("content", [b"<s:Set xmlns:s='urn:1'/>", b"<Set xmlns='urn:2'></Set>", "<Update/>"])
def test_each_root_of_the_list_is_read(content: bytes | str) -> None:
    assert SKIPPING.parse(content).tag == REJECTING.parse(content).tag


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b" \n", "empty"),
        (b"<Update><a></Update>", "malformed"),
        (b"<!DOCTYPE Update><Update/>", "doctype"),
        (b"<o:Other/>", "wrong_root"),
        (b"<Other a=b/>", "wrong_root"),
        (b"PK\x03\x04", "control_character"),
    ],
)
def test_a_document_whose_root_cannot_be_read_or_is_right_is_rejected_as_before(
    content: bytes | None, code: str
) -> None:
    with pytest.raises(ParseError) as caught:
        SKIPPING.parse(content)
    assert not isinstance(caught.value, OtherRootError)
    assert caught.value.failure.code == code
