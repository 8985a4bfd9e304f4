"""ODBC connection strings: every value survives, and words that the driver would pass over are refused."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xml_extractor.errors import UsageError
from xml_extractor.targets.sqlserver.address import (
    check_keywords,
    is_secret,
    read_connection_string,
    write_connection_string,
)

KEYWORDS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_ ", min_size=1, max_size=12).map(str.strip).filter(bool)
VALUES = st.text(max_size=20) | st.text("{};=@% \t\n+'\"[]()?*!,é中😀", max_size=12)


@given(st.dictionaries(KEYWORDS, VALUES, max_size=5))
@example({"PWD": "}a;b{=%@é"})
@example({"PWD": "}}", "UID": "{"})
@example({"PWD": " leading and trailing ", "UID": "\u00a0"})
@example({"PWD": "", "UID": "x"})
def test_what_is_written_is_read_back(words: dict[str, str]) -> None:
    assert read_connection_string(write_connection_string(words)) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SERVER=h;UID=u", {"SERVER": "h", "UID": "u"}),
        (" Server = h ; Uid=u ;; ", {"SERVER": "h", "UID": "u"}),
        (
            "DRIVER={ODBC Driver 18 for SQL Server};PWD={a}}b;c}",
            {"DRIVER": "ODBC Driver 18 for SQL Server", "PWD": "a}b;c"},
        ),
        ("PWD=a}b{c", {"PWD": "a}b{c"}),
        ("UID=first;UID=second", {"UID": "first"}),
        ("PWD=;UID=u", {"PWD": "", "UID": "u"}),
        ("", {}),
    ],
)
def test_connection_strings_are_read_as_odbc_reads_them(text: str, words: dict[str, str]) -> None:
    assert read_connection_string(text) == words


@pytest.mark.parametrize(
    "text", ["hunter2", "UID=u;hunter2", "PWD={hunter2", "PWD={hunt}er2", "PWD={a};hunter2;", "=hunter2"]
)
def test_what_is_no_connection_string_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"character \d+ of the connection string") as refused:
        read_connection_string(text)
    assert "hunt" not in str(refused.value)


@pytest.mark.parametrize(
    ("word", "tip"),
    [
        ("USER ID", "write UID"),
        ("User", "write UID"),
        ("Password", "write PWD"),
        ("Initial Catalog", "write DATABASE"),
        ("Data Source", "write SERVER=HOST,PORT"),
        ("Addr", "write SERVER=HOST,PORT"),
        ("PORT", "write SERVER=HOST,PORT"),
        ("Integrated Security", "write Trusted_Connection=yes"),
        ("integratedSecurity", "write Trusted_Connection=yes"),
        ("Application Name", "write APP"),
        ("Pooling", "omit it; this program sets it"),
        ("Max Pool Size", "omit it; this program sets it"),
        ("MultipleActiveResultSets", "omit it; this program sets it"),
        ("Connect Timeout", "omit it; this program sets it"),
        ("Provider", "write DRIVER, or omit it"),
    ],
)
def test_words_of_other_connection_strings_are_refused_with_what_is_meant(word: str, tip: str) -> None:
    with pytest.raises(UsageError, match=f"{word} is not a keyword of ODBC connection strings") as refused:
        check_keywords(["SERVER", word])
    assert refused.value.tip == tip


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("TRUST SERVER CERTIFICATE", "did you mean TrustServerCertificate?"),
        ("TRUSTSERVERCERTFICATE", "did you mean TrustServerCertificate?"),
        ("TRUSTED CONNECTION", "did you mean Trusted_Connection?"),
        ("HOST NAME IN CERTIFICATE", "did you mean HostnameInCertificate?"),
        ("ENCRPYT", "did you mean Encrypt?"),
        ("PASSWROD", "write PWD"),
    ],
)
def test_a_misspelt_word_is_refused_without_repeating_it(word: str, meant: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_keywords([word])
    assert refused.value.tip == meant
    assert word not in refused.value.message


def test_words_of_odbc_and_unknown_ones_are_left_to_the_driver() -> None:
    check_keywords(["server", "Encrypt", "MARS_Connection", "SOMETHING_NEW"])


@pytest.mark.parametrize(
    ("word", "value", "secret"),
    [
        ("PWD", "x", True),
        ("PWD", "", False),
        ("KEYSTORESECRET", "x", True),
        ("CLIENTCERTIFICATE", "file:/a.pfx,password:x", True),
        ("CLIENTCERTIFICATE", "file:/a.pem", False),
        ("UID", "x", False),
    ],
)
def test_values_that_nobody_may_see_are_known(word: str, value: str, *, secret: bool) -> None:
    assert is_secret(word, value) is secret
