"""Damage a document's elements and attributes. Each function changes the markup in place."""

from collections.abc import Callable
from random import Random

from tests.fuzz.edge_values import edge_value, escaped, well_formed_value
from tests.fuzz.markup import (
    ATTRIBUTE,
    Markup,
    any_element,
    any_start,
    any_with_attributes,
    end_of,
    is_empty,
    is_text,
    name_of,
    put_at_end_of_tag,
    renamed,
)

Mutation = Callable[[Markup, Random], None]

ODD_NAMES = (
    *("a", "A", "_", "ns:a", "cbc:ID", "xml:id", "xmlns:x", "xmlns", ":", "a:b:c", "1a", "-", "é", "🦊", "a b", ""),
    *("x" * 300, "y" * 60_000, "a\x00b", "Application", "CardApplication", "inv:Invoice", "cac:InvoiceLine", "\ud800"),
)
NAMESPACES = (
    *(' xmlns="urn:x"', ' xmlns=""', ' xmlns:cbc="urn:x"', ' xmlns:x=""', ' xmlns:xml="urn:x"', ' xmlns:x="a b"'),
    *(' xml:base="http://127.0.0.1:9/"', ' xml:space="preserve"', ' xml:id="1"', ' xml:lang=""', ' x:y="1"'),
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x http://127.0.0.1:9/x.xsd"',
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true" xsi:type="x"',
)


def drop_element(markup: Markup, random: Random) -> None:
    start, end = any_element(markup, random)
    del markup[start:end]


def repeat_element(markup: Markup, random: Random) -> None:
    start, end = any_element(markup, random)
    times = random.choice((1, 1, 2, 5, 300)) if end - start < 50 else 1
    markup[start:start] = markup[start:end] * times


def move_element(markup: Markup, random: Random) -> None:
    start, end = any_element(markup, random)
    moved = markup[start:end]
    del markup[start:end]
    place = random.randrange(len(markup) + 1)
    markup[place:place] = moved


def swap_elements(markup: Markup, random: Random) -> None:
    (start, end), (other_start, other_end) = sorted((any_element(markup, random), any_element(markup, random)))
    if end <= other_start:
        swapped = markup[other_start:other_end], markup[end:other_start], markup[start:end]
        markup[start:other_end] = [token for part in swapped for token in part]


def rename_element(markup: Markup, random: Random) -> None:
    start, end = any_element(markup, random)
    name = name_of(markup[any_start(markup, random)]) if random.random() < 0.5 else random.choice(ODD_NAMES)
    if not is_empty(markup[start]) and random.random() < 0.9:
        markup[end - 1] = renamed(markup[end - 1], name)
    markup[start] = renamed(markup[start], name)


def drop_tag(markup: Markup, random: Random) -> None:
    del markup[any_start(markup, random)]


def put_end_tag(markup: Markup, random: Random) -> None:
    markup.insert(random.randrange(len(markup) + 1), f"</{name_of(markup[any_start(markup, random)])}>")


def nest_deeply(markup: Markup, random: Random) -> None:
    start, end = any_element(markup, random)
    levels = random.choice((2, 100, 240, 251, 256, 300, 5_000))
    name = random.choice(("a", name_of(markup[start])))
    markup[start:end] = [f"<{name}>"] * levels + markup[start:end] + [f"</{name}>"] * levels


def put_text(markup: Markup, random: Random) -> None:
    place = any_start(markup, random) + 1
    text = edge_value(random)
    markup.insert(place, escaped(text) if random.random() < 0.5 else text)


def change_text(markup: Markup, random: Random) -> None:
    for _ in range(20):
        place = random.randrange(len(markup))
        if is_text(markup[place]) and markup[place].strip():
            text = edge_value(random)
            markup[place] = escaped(text) if random.random() < 0.7 else text
            return


def break_up_text(markup: Markup, random: Random) -> None:
    for _ in range(20):
        place = random.randrange(len(markup))
        text = markup[place]
        if is_text(text) and text.strip():
            cut = random.randrange(len(text))
            between = random.choice(("<!-- x -->", "<?x y?>", "<![CDATA[]]>", "<![CDATA[ ]]>", "<b/>", "&#32;", "&lt;"))
            markup[place : place + 1] = [text[:cut] or " ", between, text[cut:]]
            return


def put_markup(markup: Markup, random: Random) -> None:
    kinds = (
        *("<!---->", "<!-- -- -->", "<!-- </Application> -->", "<!-- \x01 -->", "<?x?>", "<?xml version='1.0'?>"),
        *("<?xml-stylesheet href='http://127.0.0.1:9/x.xsl'?>", "<![CDATA[</Application>]]>", "<![CDATA[\x00]]>"),
        *(
            "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='/etc/passwd'/>",
            "&e;",
            "&amp;",
            "<",
            "&",
            "]]>",
        ),
        f"<!--{'x' * 300_000}-->",
    )
    markup.insert(random.randrange(len(markup) + 1), random.choice(kinds))


def change_attribute(markup: Markup, random: Random) -> None:
    place = any_with_attributes(markup, random)
    if place is not None:
        match = random.choice(list(ATTRIBUTE.finditer(markup[place])))
        value = escaped(well_formed_value(random)) if random.random() < 0.8 else edge_value(random)
        markup[place] = markup[place][: match.start(2)] + value + markup[place][match.end(2) :]


def drop_attribute(markup: Markup, random: Random) -> None:
    place = any_with_attributes(markup, random)
    if place is not None:
        match = random.choice(list(ATTRIBUTE.finditer(markup[place])))
        markup[place] = markup[place][: match.start()] + markup[place][match.end() :]


def move_attribute(markup: Markup, random: Random) -> None:
    """Copy or move an attribute to another element, or twice into its own."""
    place = any_with_attributes(markup, random)
    if place is None:
        return
    match = random.choice(list(ATTRIBUTE.finditer(markup[place])))
    if random.random() < 0.5:
        markup[place] = markup[place][: match.start()] + markup[place][match.end() :]
    target = random.choice((place, any_start(markup, random)))
    markup[target] = put_at_end_of_tag(markup[target], match[0])


def rename_attribute(markup: Markup, random: Random) -> None:
    place = any_with_attributes(markup, random)
    if place is not None:
        match = random.choice(list(ATTRIBUTE.finditer(markup[place])))
        markup[place] = markup[place][: match.start(1)] + random.choice(ODD_NAMES) + markup[place][match.end(1) :]


def swap_values(markup: Markup, random: Random) -> None:
    place = any_with_attributes(markup, random)
    other = any_with_attributes(markup, random)
    if place is None or other is None or place == other:
        return
    first = random.choice(list(ATTRIBUTE.finditer(markup[place])))
    second = random.choice(list(ATTRIBUTE.finditer(markup[other])))
    markup[place] = markup[place][: first.start(2)] + second[2] + markup[place][first.end(2) :]
    markup[other] = markup[other][: second.start(2)] + first[2] + markup[other][second.end(2) :]


def declare_namespace(markup: Markup, random: Random) -> None:
    place = any_start(markup, random)
    markup[place] = put_at_end_of_tag(markup[place], random.choice(NAMESPACES))


def put_many_attributes(markup: Markup, random: Random) -> None:
    place = any_start(markup, random)
    name = random.choice(("a", "xmlns:n"))
    count = random.choice((10, 3_000))
    markup[place] = put_at_end_of_tag(markup[place], "".join(f' {name}{number}="u"' for number in range(count)))


def break_tag(markup: Markup, random: Random) -> None:
    place = random.randrange(len(markup))
    token = markup[place]
    cut = random.randrange(len(token) + 1)
    put_in = random.choice(("", "<", ">", "&", '"', "'", "=", "/", " ", "\x00", "é", "\ud800", edge_value(random)))
    markup[place] = token[:cut] + put_in + token[cut + random.randrange(3) :] or " "


def cut_off(markup: Markup, random: Random) -> None:
    del markup[random.randrange(1, len(markup) + 1) :]


MUTATIONS: tuple[Mutation, ...] = (
    *(drop_element, repeat_element, move_element, swap_elements, rename_element, drop_tag, put_end_tag, nest_deeply),
    *(put_text, change_text, break_up_text, put_markup, drop_attribute, move_attribute, rename_attribute, swap_values),
    *(declare_namespace, put_many_attributes, break_tag, cut_off),
    *(change_attribute,) * 6,
    *(change_text,) * 3,
)
"""All functions; those that keep most documents well-formed are used more often."""


def splice(markup: Markup, other: Markup, random: Random) -> Markup:
    """Join the beginning of one document and the end of another, or put an element of one into the other."""
    if random.random() < 0.5:
        return markup[: random.randrange(len(markup))] + other[random.randrange(len(other)) :]
    start = any_start(other, random)
    place = random.randrange(len(markup) + 1)
    return markup[:place] + other[start : end_of(other, start)] + markup[place:]
