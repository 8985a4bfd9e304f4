"""The encoding of documents, whatever they declare."""

import codecs

import pytest

from xml_extractor.parsing import DocumentParser, ParseError, ParsingRules

TEXT = "Größe 5 € Ż 日本 \U0001f600"
PARSERS = [DocumentParser(ParsingRules(("a",))), DocumentParser(ParsingRules(("a",), (("b",),)))]

parsers = pytest.mark.parametrize("parser", PARSERS, ids=["whole", "until"])


def parse_failure(parser: DocumentParser, content: bytes | str) -> tuple[str, str]:
    with pytest.raises(ParseError) as caught:
        parser.parse(content)
    return caught.value.failure.code, caught.value.failure.explanation


@parsers
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(
    "declared", [None, "utf-8", "UTF-16", "utf-16le", "windows-1252", "us-ascii", "ucs-2", "klingon"]
)
def test_text_is_read_whatever_encoding_it_declares(parser: DocumentParser, mark: str, declared: str | None) -> None:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    assert parser.parse(f"{mark}{declaration}<a><b>{TEXT}</b></a>").findtext("b") == TEXT


@parsers
@pytest.mark.parametrize("declared", [None, "utf-8", "utf-16", "UTF-16", "windows-1252"])
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
        (b"", "utf-32-le"),
        (b"", "utf-32-be"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_the_encoding_that_bytes_show_wins_over_the_declared_one(
    parser: DocumentParser, declared: str | None, mark: bytes, encoding: str
) -> None:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    content = mark + f"{declaration}<a><b>{TEXT}</b></a>".encode(encoding)
    assert parser.parse(content).findtext("b") == TEXT


@parsers
@pytest.mark.parametrize("declared", ["utf-8", "UTF8", "utf-16", "UTF-16LE", "ucs-2", "ISO-10646-UCS-2", "us-ascii"])
def test_bytes_that_are_not_the_declared_utf_16_are_read_as_utf_8(parser: DocumentParser, declared: str) -> None:
    content = f"<?xml version='1.0' encoding='{declared}'?><a><b>{TEXT}</b></a>".encode()
    assert parser.parse(content).findtext("b") == TEXT


@parsers
@pytest.mark.parametrize(
    ("declared", "text"),
    [
        ("windows-1252", "5 € é"),
        ("CP1252", "5 € é"),
        ("ISO-8859-1", "é\x85"),
        ("latin1", "é"),
        ("iso-8859-15", "€ é"),
        ("windows-1250", "Żółć"),
        ("windows-1251", "Жук"),
        ("koi8-r", "Жук"),
        ("ibm850", "é"),
        ("shift_jis", "日本"),
        ("gb18030", "日本"),
        ("big5", "日本"),
        ("euc-kr", "한국"),
    ],
)
def test_a_declared_code_page_is_read(parser: DocumentParser, declared: str, text: str) -> None:
    content = f'<?xml version="1.0"\n encoding = "{declared}" standalone="yes"?><a><b>{text}</b></a>'.encode(declared)
    assert parser.parse(content).findtext("b") == text


@parsers
@pytest.mark.parametrize(
    ("content", "explanation"),
    [
        (b"<a>\xe9</a>", "bytes that are invalid in UTF-8 (line 1, column 4)"),
        (b"<a>\n\n \xff</a>", "bytes that are invalid in UTF-8 (line 3, column 2)"),
        (b"<a>\xc3", "bytes that are invalid in UTF-8 (line 1, column 4)"),
        (b"<a>\xc0\x80</a>", "bytes that are invalid in UTF-8 (line 1, column 4)"),
        (b"<a>\xed\xa0\x80</a>", "bytes that are invalid in UTF-8 (line 1, column 4)"),
        (b"<a\xe9/>", "bytes that are invalid in UTF-8 (line 1, column 3)"),
        (b"\xe9<a/>", "bytes that are invalid in UTF-8 (line 1, column 1)"),
        (b'<a b="\xe9"/>', "bytes that are invalid in UTF-8 (line 1, column 7)"),
        (b'<?xml version="1.0" encoding="utf-16"?><a>\xe9</a>', "bytes that are invalid in UTF-8 (line 1, column 43)"),
        (b'<?xml version="1.0" encoding="windows-1252"?><a>\x81</a>', "bytes that are invalid in cp1252 (byte 49)"),
        ("<a>x</a>".encode("utf-16") + b"x", "bytes that are invalid in utf-16-le (byte 17)"),
        ("<a>".encode("utf-16-le") + b"\x00\xd8" + "</a>".encode("utf-16-le"), "utf-16-le (byte 7)"),
    ],
)
def test_bytes_that_are_invalid_in_their_encoding_are_rejected(
    parser: DocumentParser, content: bytes, explanation: str
) -> None:
    code, found = parse_failure(parser, content)
    assert code == "wrong_encoding"
    assert explanation in found


@parsers
@pytest.mark.parametrize(
    "declared",
    ["klingon", "utf-7", "rot13", "hex", "zlib", "unicode_escape", "raw_unicode_escape", "idna", "cp037", "undefined"],
)
def test_an_encoding_that_could_hide_markup_or_is_unknown_is_rejected(parser: DocumentParser, declared: str) -> None:
    content = f'<?xml version="1.0" encoding="{declared}"?><a/>'.encode()
    assert parse_failure(parser, content) == (
        "wrong_encoding",
        "the XML declaration names an encoding that is not supported",
    )


@parsers
def test_a_compressed_document_is_not_decompressed(parser: DocumentParser) -> None:
    import gzip

    assert parse_failure(parser, gzip.compress(b"<a/>"))[0] == "wrong_encoding"


def test_an_encoding_declared_in_a_comment_or_in_text_is_ignored() -> None:
    content = '<!-- <?xml encoding="windows-1252"?> --><a>é</a>'.encode()
    assert PARSERS[0].parse(content).text == "é"


@pytest.mark.parametrize("until", [(), (("b",),)], ids=["whole", "until"])
@pytest.mark.parametrize(
    ("encoding", "content", "text"),
    [
        ("windows-1252", b"<?xml version='1.0' encoding='utf-8'?><a><b>5 \x80</b></a>", "5 €"),
        ("windows-1252", b"<?xml version='1.0' encoding='ISO-8859-1'?><a><b>5 \x80</b></a>", "5 €"),
        ("windows-1252", b"<?xml version='1.0' encoding='klingon'?><a><b>5 \x80</b></a>", "5 €"),
        ("windows-1252", b"<a><b>\xe9</b></a>", "é"),
        ("utf-8", "<?xml version='1.0' encoding='windows-1252'?><a><b>é</b></a>".encode(), "é"),
        ("windows-1252", codecs.BOM_UTF8 + "<a><b>é</b></a>".encode(), "é"),
        ("windows-1252", "<a><b>é</b></a>".encode("utf-16-le"), "é"),
    ],
)
def test_the_contracts_encoding_replaces_the_declared_one(
    until: tuple[tuple[str, ...], ...], encoding: str, content: bytes, text: str
) -> None:
    parser = DocumentParser(ParsingRules(("a",), until, encoding=encoding))
    assert parser.parse(content).findtext("b") == text


@pytest.mark.parametrize("until", [(), (("b",),)], ids=["whole", "until"])
@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"<?xml version='1.0' encoding='utf-8'?><a><b>5 \x80</b></a>", "5 €"),
        ("<?xml version='1.0' encoding='utf-8'?><a><b>5 €</b></a>".encode(), "5 €"),
        (b"<?xml version='1.0' encoding='shift_jis'?><a><b>5 \x80</b></a>", "5 €"),
        (b"<?xml version='1.0' encoding='klingon'?><a><b>5 \x80</b></a>", "5 €"),
        ("<a><b>5 é</b></a>é".encode("cp1252"), ""),
    ],
)
def test_a_document_that_is_invalid_in_its_encoding_has_the_fallback_encoding(
    until: tuple[tuple[str, ...], ...], content: bytes, text: str
) -> None:
    parser = DocumentParser(ParsingRules(("a",), until, fallback_encoding="cp1252"))
    if text:
        assert parser.parse(content).findtext("b") == text
    elif until:
        assert parser.parse(content).findtext("b") == "5 é"
    else:
        assert parse_failure(parser, content)[0] == "malformed"


def test_bytes_that_are_invalid_in_the_fallback_encoding_too_reject() -> None:
    parser = DocumentParser(ParsingRules(("a",), fallback_encoding="cp1252"))
    assert parse_failure(parser, b"<a>\x81</a>")[0] == "wrong_encoding"
