"""Text at the edges of its types. Carriage returns are written as references, so that parsers keep them."""

from tests.database.edges import NOT_IN_CODE_PAGE, TOO_LONG, ByTarget, Cases, Refused, edge
from xml_extractor.reasons import Stage

NOT_XML = Refused("wrong_type", Stage.LOAD)
NOT_A_UUID = Refused("not_a_uuid")
MEGABYTES = 5 * 2**20
UUID = "6F9619FF-8B86-D011-B42D-00C04FC964FF"


def as_it_is(*texts: str) -> Cases:
    return [(text, text) for text in texts]


SIGNS = as_it_is(
    "O'Brien",
    'say "so"',
    "'' ''",
    "{d '2026-03-05'}",
    "{}{",
    "back\\slash\\",
    "100%",
    "%s %d %(x)s",
    "_[a-z]^",
    "?",
    "@P1; DROP TABLE x--",
    "NULL",
    "007",
    "1e5",
    "a\tb",
    "a\nb",
    "a\r\nb\r",
    "trailing  ",
    "tab at the end\t",
    "\n line",
    "  leading",
    "<b>&amp;</b>",
    "]]>",
)

CODE_PAGE_TEXTS = {
    "char_3": edge(
        "char(3)",
        [
            ("abc", "abc"),
            ("a", "a  "),
            ("a  ", "a  "),
            ("äöü", "äöü"),
            ("€", "€  "),
            ("abcd", TOO_LONG),
            ("abc ", TOO_LONG),
            ("Ж", NOT_IN_CODE_PAGE),
        ],
    ),
    "char_default": edge("char", [("a", "a"), ("ab", TOO_LONG)]),
    "varchar_40": edge(
        "varchar(40)",
        [
            *SIGNS,
            *as_it_is("€uro", "\u00a0", "Größe", "x" * 40, "ÿ" * 40),
            ("x" * 41, TOO_LONG),
            ("x" * 40 + " ", TOO_LONG),
            ("日本", NOT_IN_CODE_PAGE),
            ("e\u0301", NOT_IN_CODE_PAGE),
            ("\u0081", NOT_IN_CODE_PAGE),
            ("😀", NOT_IN_CODE_PAGE),
            ("?Ж", NOT_IN_CODE_PAGE),
        ],
    ),
    "varchar_kept": edge("varchar(4)", [*as_it_is("", " ", "\t", "    ", "a   "), ("     ", TOO_LONG)], blank="keep"),
    "varchar_8000": edge("varchar(8000)", [*as_it_is("x", "y" * 4000, "y" * 4001, "€" * 8000), ("x" * 8001, TOO_LONG)]),
    "varchar_max": edge(
        "varchar(max)",
        [
            *as_it_is("x", *("é" * length for length in (3999, 4000, 4001, 7999, 8000, 8001)), "0123456789" * 10_000),
            ("x" * MEGABYTES,) * 2,
            ("x" * 8001 + "Ж", NOT_IN_CODE_PAGE),
        ],
    ),
    "text": edge("text", [*as_it_is("text", "€" * 9000, *(sign for sign, _ in SIGNS[:4])), ("ж", NOT_IN_CODE_PAGE)]),
}

CHARACTERS = as_it_is(
    "Größe",
    "日本語",
    "😀",
    "e\u0301",
    "\u00e9",
    "o\u0302\u0323",
    "\u1ed9",
    "\u200f\u05d0\u200e",
    "👩\u200d👧",
    "\ufeffmark",
    "mark\ufeff",
    "\ufffd",
    "\ud7ff\ue000",
    "\U0010fffd",
    "\ufdd0",
    "\u0085\u2028\u2029",
    "\u0081\u009f",
    "\u00a0",
    "ﬁ Ⅷ ²",
    "İıſß",
)

UNICODE_TEXTS = {
    "nchar_4": edge(
        "nchar(4)",
        [("äß", "äß  "), ("😀", "😀  "), ("😀😀", "😀😀"), ("abcd", "abcd"), ("abcde", TOO_LONG), ("😀😀a", TOO_LONG)],
    ),
    "nvarchar_4": edge(
        "nvarchar(4)",
        [
            *as_it_is("abcd", "😀😀", "a😀b", "e\u0301e\u0301"),
            ("abcde", TOO_LONG),
            ("😀😀a", TOO_LONG),
            ("e\u0301e\u0301e", TOO_LONG),
        ],
    ),
    "nvarchar_40": edge("nvarchar(40)", [*SIGNS, *CHARACTERS]),
    "nvarchar_kept": edge(
        "nvarchar(4)", [*as_it_is("", " ", "\n", "    ", "a   ", "\u3000"), ("     ", TOO_LONG)], blank="keep"
    ),
    "nvarchar_4000": edge(
        "nvarchar(4000)",
        [*as_it_is("x", "ж" * 4000, "😀" * 2000), ("x" * 4001, TOO_LONG), ("😀" * 2000 + "x", TOO_LONG)],
    ),
    "nvarchar_max": edge(
        "nvarchar(max)",
        [
            *as_it_is("x", *("ж" * length for length in (3999, 4000, 4001, 8000, 8001)), "😀" * 2000, "😀" * 2001),
            ("ж" * (MEGABYTES // 2),) * 2,
        ],
    ),
    "nvarchar_max_kept": edge("nvarchar(max)", as_it_is("", " ", "\r\n", " " * 5000), blank="keep"),
    "ntext": edge("ntext", [*as_it_is("ntext ж", "😀" * 2500, "ж" * 9000), *CHARACTERS[:5]]),
}

IDENTIFIERS = {
    "uuid": edge(
        "uniqueidentifier",
        [
            (UUID, UUID),
            (UUID.lower(), UUID),
            (f"{{{UUID}}}", UUID),
            (f" {UUID}\n", UUID),
            ("00000000-0000-0000-0000-000000000000",) * 2,
            (f"{{{UUID}", NOT_A_UUID),
            (UUID.replace("-", ""), NOT_A_UUID),
            (f"{UUID}0", NOT_A_UUID),
            (UUID.replace("F", "G"), NOT_A_UUID),
        ],
    ),
}


REFUSED_XML = (
    "<a>",
    "a & b",
    "<a>&undefined;</a>",
    "<a>" * 129 + "</a>" * 129,
    "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
    "<?xml version='1.0' encoding='utf-8'?><a/>",
)
"""What SQL Server does not take for a value of `xml`; the last one because a parameter is UTF-16."""


XML = {
    "xml": edge(
        "xml",
        [
            *as_it_is(
                "<a/>",
                "plain text",
                "<a/><b/>tail",
                "<a>ж &amp; &lt; <b x='\"1\"'>😀</b></a>",
                "<a> <b> </b>\n</a>",
                "  <a/>  ",
                "<a><![CDATA[x < y]]><!-- c --><?p i?></a>",
                "<p:a xmlns:p='urn:x' p:b='&#9;&#10;'/>",
                f"<a>{'x' * 4000}</a>",
                "<a>" * 128 + "</a>" * 128,
                f"<a>{'ж' * 100_000}</a>",
            ),
            ("<a>" + "<b>01234567</b>" * (MEGABYTES // 15) + "</a>",) * 2,
            *[(text, ByTarget(server=NOT_XML, file=text)) for text in REFUSED_XML],
        ],
        path="xml/text()",
    ),
}
