"""XPaths are parsed as lxml parses them, and what a promise leaves whole is known."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from xml_extractor.contract.reading import check_text
from xml_extractor.contract.xpath import Call, Operation, Step, XPathError, kind_of, parse_xpath, walk

TOKENS = (
    *("a", "b:c", "b:*", "*", "@", "/", "//", ".", "..", "[", "]", "(", ")", "1", "2.5", ".5", "'x'", '"y"', "|"),
    *("+", "-", "=", "!=", "<", "<=", ">", ">=", " and ", " or ", " div ", " mod ", "text()", "node()", "count(", "$v"),
    *("child::", "self::", "ancestor-or-self::", ",", "position()", "last()", "not(", "concat(", "a-b", "comment()"),
    *("processing-instruction('x')", "following-sibling::a"),
)


def is_xpath(text: str) -> bool:
    try:
        parse_xpath(text)
    except XPathError:
        return False
    return True


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=8).map("".join))
def test_what_is_accepted_here_is_accepted_by_lxml(text: str) -> None:
    if is_xpath(text):
        etree.XPath(text)


@pytest.mark.parametrize(
    "text",
    [
        "@id",
        ".",
        "..",
        "/",
        "/*",
        "//a",
        "a//b/@c",
        "a [ 1 ] / b",
        "a[@b='x' or @c=\"y\"][last()]",
        "count(a/b) + 2 * -3",
        "a | b/c | //d",
        "(a | b)[1]/c",
        "concat(a, ' ', string(b))",
        "text()",
        "processing-instruction('x')",
        "processing-instruction()",
        "attribute::a/parent::node()/descendant-or-self::node()",
        "div div div",
        "and and and",
        "* * *",
        "a - b",
        "a-b",
        "a[. mod 2 = 0]",
        "a:b/a:*",
        "--1",
        "not(a) and true()",
        "5.",
        "self::node()[position()=1]",
        "a[b[c[d]]]",
        "straße/@größe",
        "string-length(normalize-space())",
        "id('x')/a",
        "a/text()[1]",
    ],
)
def test_every_form_of_the_grammar_is_read(text: str) -> None:
    assert is_xpath(text)
    etree.XPath(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a/",
        "a[",
        "a]",
        "[a]",
        "a b",
        "a//",
        "@",
        "a:",
        "a::b",
        "::a",
        "a(",
        "(a",
        "1a",
        "a/1",
        "'x",
        "$",
        "a||b",
    ],
)
def test_what_is_no_xpath_is_refused(text: str) -> None:
    assert not is_xpath(text)


def operators(text: str) -> list[str]:
    return [part.operator for part in walk(parse_xpath(text)) if isinstance(part, Operation)]


def test_operators_bind_as_the_recommendation_says() -> None:
    assert operators("a or b and c = 1 + 2 * 3") == ["or", "and", "=", "+", "*"]
    assert operators("a * b + c < d != e and f or g") == ["or", "and", "!=", "<", "+", "*"]
    assert operators("-a | b") == ["-", "|"]
    assert operators("a - b - c") == ["-", "-"]


def test_all_parts_of_an_expression_are_walked() -> None:
    parts = list(walk(parse_xpath("concat(a[b/@c], -(d | e)[f()])")))
    assert [part.test for part in parts if isinstance(part, Step)] == ["a", "b", "c", "d", "e"]
    assert [part.name for part in parts if isinstance(part, Call)] == ["concat", "f"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a/b", "node-set"),
        ("a | b", "node-set"),
        ("(a)[1]", "node-set"),
        ("id('x')", "node-set"),
        ("1", "number"),
        ("a * 2", "number"),
        ("-a", "number"),
        ("count(a)", "number"),
        ("'x'", "text"),
        ("concat(a, b)", "text"),
        ("a = b", "boolean"),
        ("a and b", "boolean"),
        ("not(a)", "boolean"),
        ("$x", "node-set"),
        ("re:match(a, b)", "unknown"),
    ],
)
def test_the_kind_of_a_value_is_seen_without_a_document(text: str, kind: str) -> None:
    assert kind_of(parse_xpath(text)) == kind


def faults_of(path: str, rows: str = ".", read_until: str = "Data", namespaces: str = "") -> list[str]:
    text = f"""\
contract: cards
version: 1
document: {{root: Card, read_until: "{read_until}", preceded_by: [Head, Info]}}
{namespaces}
tables:
  card:
    rows: "{rows}"
    columns:
      a: {{path: "{path}", type: varchar(5)}}
"""
    return [str(fault) for fault in check_text("c", text)[1]]


SAFE = [
    *("@id", "@*", "count(@*)", "local-name()", "name(.)", "Data", "Data/@x", "Data/x//y", "Data//x", "Data/*/text()"),
    *("count(Data/x)", "Head/y", "Head[2]/y", "Info//z", "Data[1]/x", "Data[position()=1]/x", "Data/x[last()]"),
    *("(Data/x)[2]", "../Card/Data/x", "/Card/Data/x", "/*/Data", "Data/x/../y", "concat(@a, Data/x, Info)"),
    *("Data/x[../@y='2']", "Data[@type='x']/b", "string(Data)", "self::node()/Data", "Data/x/following-sibling::y"),
    *(
        "Data/preceding-sibling::Head",
        "Data/x/ancestor::Data/@id",
        "Data/x/ancestor::*/@id",
        "Data | Head",
        "'x'",
        "1 + 2",
    ),
    *(
        "Data//x/..",
        "Data//x/ancestor::y/@z",
        "Data/descendant::x",
        "Data/x/preceding-sibling::y[1]",
        "Head/.",
        "lang('en')",
    ),
    *(
        "Data[Head or @x]/y",
        "boolean(Data)",
        "not(Head)",
        "Data/x[count(y) = 2]",
        "Data[count(x) = 2]/y",
        "Data/namespace::*",
    ),
]
UNSAFE = [
    *("Bureau/x", ".", "//x", "text()", "*/x", "*", "node()", "Data[2]/x", "Data[last()]/x", "Data[position()<3]/x"),
    *(
        "Data/x/following::y",
        "Data/following-sibling::Head",
        "concat(@a, Bureau)",
        "Data[../Bureau]/x",
        "string()",
        "number()",
    ),
    *(
        "Data[../Bureau='x']/x",
        "count(*)",
        "../..",
        "normalize-space()",
        "Data/../Bureau",
        "Data/x/ancestor::*",
    ),
    *(
        "Data/x/ancestor::*/Bureau",
        "/Other/x",
        "Data[count(x)]/y",
        "Data[Bureau or ../Bureau]",
        "descendant-or-self::node()",
    ),
    *(
        "following::x",
        "(Data)[2]",
        "@x | Bureau",
        "-Bureau",
        "Data/x/preceding::y",
        "sum(Bureau/x)",
        "descendant::x",
        "/",
    ),
    *(
        "Head/following-sibling::Data",
        "(Data | Bureau)/x",
        "Data//x/ancestor::node()",
        "contains(., 'x')",
        "Data[-1]",
        "/..",
    ),
]


@pytest.mark.parametrize("path", SAFE)
def test_a_path_that_the_promise_leaves_whole_is_no_fault(path: str) -> None:
    assert faults_of(path) == []


@pytest.mark.parametrize("path", UNSAFE)
def test_a_path_that_the_promise_cuts_off_or_may_cut_off_is_a_fault(path: str) -> None:
    faults = faults_of(path)
    assert len(faults) == 1
    assert "document.read_until stops reading at the end of Data" in faults[0]


@pytest.mark.parametrize(
    ("path", "rows", "read_until", "is_safe"),
    [
        ("y", "Data/x", "Data", True),
        ("../../z", "Data/x", "Data", False),
        (".", "@x", "Data", True),
        ("../Bureau", "@x", "Data", False),
        ("Info/x", "Data", "Data/Info", True),
        ("x", "Data", "Data/Info", False),
        ("@x", "Data", "Data/Info", True),
        (".", "Data", "Data/Info", False),
        ("Data[1]/Info/x", ".", "Data/Info", True),
        ("Data[2]/Info/x", ".", "Data/Info", False),
    ],
)
def test_paths_are_followed_from_the_rows_of_their_table(
    path: str, rows: str, read_until: str, *, is_safe: bool
) -> None:
    assert (faults_of(path, rows, read_until) == []) == is_safe


def test_names_of_the_promise_and_of_paths_are_compared_with_their_namespaces() -> None:
    namespaces = "namespaces: {a: urn:same, b: urn:same, c: urn:other}"
    assert faults_of("b:Data/x", read_until="a:Data", namespaces=namespaces) == []
    assert len(faults_of("c:Data/x", read_until="a:Data", namespaces=namespaces)) == 1
    assert len(faults_of("Data/x", read_until="a:Data", namespaces=namespaces)) == 1


NAMES = ("Data", "Head", "Bureau", "x", "y")
STEPS = st.builds(
    lambda axis, name, predicate: f"{axis}{name}{predicate}",
    st.sampled_from(
        ["", "", "", "@", "descendant::", "following-sibling::", "preceding-sibling::", "ancestor::", "following::"]
    ),
    st.sampled_from([*NAMES, "*"]),
    st.sampled_from(["", "", "", "[1]", "[2]", "[last()]", "[x]", "[@x = 'v']", "[../Bureau]", "[count(../*) > 2]"]),
)
PATHS = st.builds(
    lambda start, steps, end: start + "/".join(steps) + end,
    st.sampled_from(["", "", "", "/Card/", "//", "../"]),
    st.lists(STEPS | st.sampled_from([".", "..", "text()"]), min_size=1, max_size=4),
    st.sampled_from(["", "", "/@x", "//y", " | @x"]),
).flatmap(lambda path: st.sampled_from([path, f"count({path})", f"concat({path}, '')", f"boolean({path})"]))


def inner(depth: int) -> st.SearchStrategy[str]:
    attributes = st.sampled_from(["", " x='v'", " x='w' y='z'"])
    below = st.lists(inner(depth - 1), max_size=2).map("".join) if depth else st.just("t")
    return st.builds(
        lambda name, attribute, content: f"<{name}{attribute}>{content}</{name}>",
        st.sampled_from(["x", "y"]),
        attributes,
        below,
    )


CONTENT = st.lists(inner(2), max_size=3).map("".join)


@settings(max_examples=200, deadline=None)
@given(
    path=PATHS,
    heads=st.lists(CONTENT.map(lambda content: f"<Head>{content}</Head>"), max_size=2).map("".join),
    before=st.sampled_from(["", "<Bureau><x>b</x></Bureau>"]),
    data=CONTENT,
    after=st.lists(
        CONTENT.flatmap(lambda content: st.sampled_from([f"<Bureau>{content}</Bureau>", f"<x>{content}</x>", "text"])),
        max_size=3,
    ).map("".join),
)
def test_a_path_without_a_fault_has_the_same_value_without_what_comes_later(
    path: str, heads: str, before: str, data: str, after: str
) -> None:
    if faults_of(path.replace('"', "'")):
        return
    start = f"<Card x='v'>{heads}{before}<Data x='v'>{data}</Data>"
    whole, cut = etree.fromstring(f"{start}{after}</Card>"), etree.fromstring(f"{start}</Card>")
    value = etree.XPath(f"string({path})")
    assert value(whole) == value(cut)
