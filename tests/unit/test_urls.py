"""Database URLs are read and written as by SQLAlchemy."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.engine import URL as REFERENCE
from sqlalchemy.engine import make_url

from xml_extractor.urls import URL, parse_url

URLS = [
    "sqlite://",
    "sqlite:///x.db",
    "sqlite:////absolute/x.db",
    "sqlite:///with space+plus%20percent/ä.db?mode=ro&cache=shared",
    "sqlite:///C:\\data\\x.db",
    "mssql://host/db",
    "mssql+pyodbc://user:p%40ss%2Fw%3Ard@host:1433/db?Encrypt=yes&schema=etl",
    "mssql://user@host",
    "mssql://user:@host/db",
    "mssql://:secret@host/db",
    "mssql://u:a@b@host/db",
    "mssql://[::1]:1433/db",
    "mssql://host,1433/db",
    "mssql://?odbc_connect=SERVER%3Dh%3BUID%3Du",
    "mssql://h/d?a=1&a=2&b=&a=3",
    "mssql://h/d?a=1\nb=2",
    "postgresql://h/d",
]


def parts(url: URL | REFERENCE) -> tuple[object, ...]:
    query = {key: value if isinstance(value, str) else tuple(value) for key, value in url.query.items()}
    return url.drivername, url.username, url.password, url.host, url.port, url.database, query


@pytest.mark.parametrize("text", URLS)
def test_a_url_has_the_same_parts_and_the_same_text(text: str) -> None:
    mine, reference = parse_url(text), make_url(text)
    assert parts(mine) == parts(reference)
    assert mine.get_backend_name() == reference.get_backend_name()
    assert mine.render_as_string() == repr(mine) == str(mine)
    assert mine.render_as_string() == reference.render_as_string()
    assert mine.render_as_string(hide_password=False) == reference.render_as_string(hide_password=False)


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@given(st.none() | TEXT, st.none() | TEXT, st.none() | TEXT, st.dictionaries(TEXT, TEXT | st.tuples(TEXT, TEXT)))
@example("u", "a@b:c/d", "x y+z", {"odbc_connect": "SERVER=h;PWD={a;b}"})
def test_what_is_written_is_written_as_by_the_reference(
    username: str | None, password: str | None, database: str | None, query: dict[str, str | tuple[str, ...]]
) -> None:
    mine = URL("mssql", username, password, "host", 1433, database, query)
    reference = REFERENCE.create("mssql", username, password, "host", 1433, database, query)
    text = mine.render_as_string(hide_password=False)
    assert text == reference.render_as_string(hide_password=False)
    assert parts(parse_url(text)) == parts(make_url(text))


@pytest.mark.parametrize(
    "text", ["", "x.db", "://host", "sqlite:/x.db", "mssql://host:port/db", "mssql://host:/db", "a b://c"]
)
def test_other_texts_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="database URL") as error:
        parse_url(text)
    assert not text or text not in str(error.value)
