"""Text to text, bytes and unique identifiers."""

import base64
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xml_extractor.documents import Value
from xml_extractor.values.conversions import Converter, converter
from xml_extractor.values.sqltypes import InvalidValueError, parse_type


def convert(type_name: str, text: str, encoding: str = "hex", code_page: str = "cp1252") -> Value:
    return converter(parse_type(type_name), encoding=encoding, code_page=code_page)(text)


def rejection(type_name: str, text: str, encoding: str = "hex", code_page: str = "cp1252") -> InvalidValueError:
    with pytest.raises(InvalidValueError) as caught:
        convert(type_name, text, encoding, code_page)
    return caught.value


def value_or_cut(convert_text: Converter, text: str) -> str:
    try:
        return str(convert_text(text))
    except InvalidValueError as error:
        return str(error.truncated)


@pytest.mark.parametrize("type_name", ["varchar(20)", "text", "nvarchar(20)", "ntext", "xml", "varchar(max)"])
@pytest.mark.parametrize("text", ["", " a b ", "\ta\r\n", "a\xa0", "é"])
def test_text_is_kept_as_it_is(type_name: str, text: str) -> None:
    assert convert(type_name, text) == text


@pytest.mark.parametrize(
    ("type_name", "text", "code_page", "value"),
    [
        ("char(4)", "ab", "cp1252", "ab  "),
        ("char(4)", "é", "cp1252", "é   "),
        ("char(4)", "é", "utf-8", "é  "),
        ("char(4)", "abcd", "cp1252", "abcd"),
        ("nchar(4)", "", "cp1252", "    "),
        ("nchar(4)", "\U0001f600", "cp1252", "\U0001f600  "),
    ],
)
def test_text_of_a_fixed_length_is_filled_up_with_spaces(type_name: str, text: str, code_page: str, value: str) -> None:
    assert convert(type_name, text, code_page=code_page) == value


@pytest.mark.parametrize(
    ("type_name", "text", "code_page", "truncated"),
    [
        ("varchar(3)", "abcd", "cp1252", "abc"),
        ("char(3)", "éééé", "cp1252", "ééé"),
        ("varchar(3)", "ab ", "cp1252", None),
        ("varchar(3)", "ééé", "cp1252", None),
        ("varchar(3)", "€€€", "cp1252", None),
        ("varchar(3)", "éé", "utf-8", "é"),
        ("varchar(3)", "€€", "utf-8", "€"),
        ("varchar(3)", "日本", "cp932", "日"),
        ("varchar(4)", "日本", "cp932", None),
        ("nvarchar(3)", "日本語", "cp1252", None),
        ("nvarchar(3)", "日本語だ", "cp1252", "日本語"),
        ("nvarchar(3)", "a\U0001f600", "cp1252", None),
        ("nvarchar(3)", "ab\U0001f600", "cp1252", "ab"),
        ("nchar(1)", "\U0001f600", "cp1252", " "),
        ("nvarchar(3)", "abcd", "cp1252", "abc"),
        ("varchar(max)", "x" * 10_000, "cp1252", None),
        ("nvarchar(max)", "é" * 10_000, "cp1252", None),
        ("text", "x" * 10_000, "cp1252", None),
        ("ntext", "é" * 10_000, "cp1252", None),
    ],
)
def test_text_longer_than_its_type_is_refused(type_name: str, text: str, code_page: str, truncated: str | None) -> None:
    if truncated is None:
        assert convert(type_name, text, code_page=code_page) == text
    else:
        error = rejection(type_name, text, code_page=code_page)
        assert (error.code, error.truncated) == ("too_long", truncated)


@given(st.text(), st.integers(1, 8), st.sampled_from(["varchar", "nvarchar"]))
def test_cut_text_always_fits(text: str, length: int, type_name: str) -> None:
    convert_text = converter(parse_type(f"{type_name}({length})"), code_page="utf-8")
    result = value_or_cut(convert_text, text)
    assert text.startswith(result)
    assert convert_text(result) == result


@pytest.mark.parametrize("text", ["日", "Ż", "\u2009", "\x81", "a\ud800"])
def test_a_character_outside_the_code_page_is_refused(text: str) -> None:
    error = rejection("varchar(10)", text)
    assert (error.code, error.truncated) == ("not_in_code_page", None)
    assert text not in str(error)


@pytest.mark.parametrize("type_name", ["nvarchar(10)", "nvarchar(max)", "nchar(10)", "ntext"])
def test_half_a_character_is_refused(type_name: str) -> None:
    assert rejection(type_name, "a\ud83d").code == "lone_surrogate"


@pytest.mark.parametrize("code_page", ["cp1250", "cp932", "utf-8", "latin-1", "cp437"])
def test_a_code_page_is_chosen_by_its_name(code_page: str) -> None:
    assert convert("varchar(5)", "abc", code_page=code_page) == "abc"


@pytest.mark.parametrize("code_page", ["klingon", "", "utf-16", "utf-7", "cp037", "hex", "idna", "rot13"])
def test_what_is_no_code_page_is_a_fault_of_the_contract(code_page: str) -> None:
    with pytest.raises(ValueError, match="code page"):
        converter(parse_type("varchar(5)"), code_page=code_page)


@pytest.mark.parametrize(
    ("text", "encoding", "value"),
    [
        ("0aFF", "hex", b"\x0a\xff"),
        ("0x0AfF", "hex", b"\x0a\xff"),
        ("0X0A", "hex", b"\x0a"),
        (" 0a\n", "hex", b"\x0a"),
        ("0x", "hex", b""),
        ("Cv8=", "base64", b"\x0a\xff"),
        (" C\nv8\t= ", "base64", b"\x0a\xff"),
        ("", "base64", b""),
    ],
)
def test_bytes_are_written_as_hexadecimal_digits_or_base64(text: str, encoding: str, value: bytes) -> None:
    for type_name in ("varbinary(10)", "image", "varbinary(max)"):
        assert convert(type_name, text, encoding) == value


def test_bytes_of_a_fixed_length_are_filled_up_with_zero_bytes() -> None:
    assert convert("binary(3)", "0a", "hex") == b"\x0a\x00\x00"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *(("0a0", "hex"), ("0g", "hex"), ("0x0x0a", "hex"), ("0a 0b", "hex"), ("٣٣", "hex"), ("x0a", "hex")),
        *(
            ("Cv8", "base64"),
            ("C", "base64"),
            ("Cv8=Cv8=", "base64"),
            ("C_8=", "base64"),
            ("=", "base64"),
            ("é===", "base64"),
        ),
        ("Cv\xa08=", "base64"),
    ],
)
def test_what_is_not_written_so_is_not_binary(text: str, encoding: str) -> None:
    assert rejection("varbinary(10)", text, encoding).code == "not_binary"


def test_bytes_longer_than_their_type_are_refused() -> None:
    error = rejection("varbinary(2)", "0a0b0c")
    assert (error.code, error.truncated) == ("too_long", b"\x0a\x0b")


def test_an_unknown_encoding_of_bytes_is_a_fault_of_the_contract() -> None:
    with pytest.raises(ValueError, match="expected hex or base64"):
        converter(parse_type("varbinary(5)"), encoding="base32")


@given(st.binary(max_size=50))
def test_all_bytes_come_back_as_they_were(value: bytes) -> None:
    assert convert("varbinary(50)", value.hex()) == value
    assert convert("varbinary(50)", base64.encodebytes(value).decode(), "base64") == value


@pytest.mark.parametrize(
    "text",
    [
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "{0F8FAD5B-D9CB-469F-A165-70867728950E}",
        "\n0f8fAD5b-d9cb-469f-a165-70867728950e ",
    ],
)
def test_a_unique_identifier_becomes_upper_case_without_braces(text: str) -> None:
    assert convert("uniqueidentifier", text) == "0F8FAD5B-D9CB-469F-A165-70867728950E"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0f8fad5bd9cb469fa16570867728950e",
        "0f8fad5b-d9cb-469f-a165-70867728950",
        "0f8fad5b-d9cb-469f-a165-70867728950ee",
        "0g8fad5b-d9cb-469f-a165-70867728950e",
        "{0f8fad5b-d9cb-469f-a165-70867728950e",
        "0f8fad5b-d9cb-469f-a165-70867728950e}",
        "urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e",
        "0f8fad5b-d9cb-469f-a165-7086772895٣e",
    ],
)
def test_a_unique_identifier_of_another_form_is_refused(text: str) -> None:
    assert rejection("uniqueidentifier", text).code == "not_a_uuid"


def test_a_rejection_survives_being_pickled() -> None:
    error = rejection("varchar(3)", "abcd")
    again = pickle.loads(pickle.dumps(error))
    assert (again.code, again.explanation, again.truncated) == (error.code, error.explanation, error.truncated)
