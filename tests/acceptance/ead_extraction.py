"""The rows of finding aids in EAD 2002, extracted with plain lxml. The numbers from the top name a component."""

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

Element = etree._Element
Stored = str | int | None
Rows = list[dict[str, Stored]]

XLINK = "{http://www.w3.org/1999/xlink}"
COMPONENT = re.compile(r"c(0[1-9]|1[0-2])?")
NAMES = (
    "corpname",
    "famname",
    "function",
    "genreform",
    "geogname",
    "name",
    "occupation",
    "persname",
    "subject",
    "title",
)
NO_NOTES = {"did", "dsc", "controlaccess", "dao", "daogrp", "runner", "descgrp", "head", "thead"}


def local(element: Element) -> str:
    return etree.QName(element).localname


def collapsed(text: str | None) -> str | None:
    return (" ".join(text.split()) or None) if text else None


def own_text(element: Element | None) -> str | None:
    return None if element is None else collapsed("".join(map(str, element.itertext())))


def at(element: Element | None, *path: str) -> list[Element]:
    """Return the elements at a path of local names, whatever their namespace."""
    found = [] if element is None else [element]
    for name in path:
        found = [child for parent in found for child in parent if local(child) == name]
    return found


def first(element: Element | None, *path: str) -> Element | None:
    return next(iter(at(element, *path)), None)


def joined(elements: list[Element], separator: str = "; ") -> str | None:
    return separator.join(filter(None, map(own_text, elements))) or None


def value(element: Element | None, name: str) -> str | None:
    return None if element is None else collapsed(element.get(name))


def dates(did: Element | None) -> list[Element]:
    """Return the dates of a unit in document order, those within its title too."""
    found = {*at(did, "unitdate"), *at(did, "unittitle", "unitdate")}
    return [] if did is None else [each for each in did.iter() if each in found]


def languages(did: Element | None) -> str | None:
    codes = [
        each.get("langcode") for one in at(did, "langmaterial") for each in one.iter() if local(each) == "language"
    ]
    return " ".join(filter(None, codes)) or None


def is_component(element: Element) -> bool:
    return COMPONENT.fullmatch(local(element)) is not None


def components(element: Element) -> list[Element]:
    return [
        each
        for child in element
        for each in ([child] if is_component(child) else [*child] if local(child) == "dsc" else [])
        if is_component(each)
    ]


def tree(element: Element, path: tuple[int, ...] = ()) -> Iterator[tuple[str, Element]]:
    for number, each in enumerate(components(element), 1):
        yield ".".join(map(str, (*path, number))), each
        yield from tree(each, (*path, number))


def unit(element: Element) -> dict[str, Stored]:
    did = first(element, "did")
    return {
        "unit_id": own_text(first(did, "unitid")),
        "unit_title": own_text(first(did, "unittitle")),
        "unit_dates": joined(dates(did)),
        "creator": joined(at(did, "origination")),
        "extent": joined(at(did, "physdesc")),
        "languages": languages(did),
        "abstract": joined(at(did, "abstract"), "\n"),
    }


def notes(element: Element) -> Rows:
    found = [each for each in element if local(each) not in NO_NOTES and not is_component(each)]
    found += [each for each in at(element, "descgrp") for each in each if local(each) not in ("head", "controlaccess")]
    rows: Rows = []
    for each in found:
        parts = [collapsed(each.text)]
        for child in each:
            parts += [own_text(child) if local(child) != "head" else None, collapsed(child.tail)]
        text = "\n".join(filter(None, parts)) or None
        rows.append({"kind": local(each), "heading": own_text(first(each, "head")), "text": text})
    return rows


def names(element: Element) -> Rows:
    return [
        {
            "kind": local(each),
            "name": own_text(each),
            "source": value(each, "source"),
            "rules": value(each, "rules"),
            "role": value(each, "role"),
            "authority_id": value(each, "authfilenumber"),
        }
        for group in at(element, "controlaccess")
        for each in group.iter()
        if local(each) in NAMES and each is not group
    ]


def objects(element: Element) -> list[Element]:
    did = first(element, "did")
    found = {*at(did, "dao"), *at(did, "daogrp", "daoloc"), *at(element, "dao"), *at(element, "daogrp", "daoloc")}
    return [each for each in element.iter() if each in found]


def extract(path: Path) -> dict[str, Rows]:
    """Return the rows of a finding aid by table; within the tree, a component is `FINDING AID/NUMBERS`."""
    root = etree.parse(path, etree.XMLParser(remove_comments=True, remove_pis=True)).getroot()
    header, archive = first(root, "eadheader"), first(root, "archdesc")
    assert archive is not None
    head = first(header, "eadid")
    key = collapsed(f"{value(head, 'mainagencycode') or ''} {own_text(head) or ''}")
    did = first(archive, "did")
    of_all: dict[str, Stored] = {
        "finding_aid_id": key,
        "ead_id": own_text(head),
        "agency_code": value(head, "mainagencycode"),
        "country_code": value(head, "countrycode"),
        "url": value(head, "url"),
        "status": value(header, "findaidstatus"),
        "title": own_text(first(header, "filedesc", "titlestmt", "titleproper")),
        "author": joined(at(header, "filedesc", "titlestmt", "author")),
        "publisher": joined(at(header, "filedesc", "publicationstmt", "publisher")),
        "level": value(archive, "level"),
        **unit(archive),
        "repository": own_text(first(did, "repository")),
        "source_key": path.name,
    }
    top: dict[str, Stored] = {"finding_aid_id": key, "component_id": None}
    tables: dict[str, Rows] = {
        "finding_aid": [of_all],
        "note": [{**top, **each} for each in notes(archive)],
        "access_point": [{**top, **each} for each in names(archive)],
        **{name: [] for name in ("component", "container", "digital_object", "link")},
    }
    every = [(number, each) for one in (*at(archive, "dsc"),) for number, each in tree(one)]
    place = {each: f"{key}/{number}" for number, each in every}
    for number, each in every:
        own: dict[str, Stored] = {"finding_aid_id": key, "component_id": place[each]}
        tables["component"].append({**own, **component(number, each, key)})
        tables["note"] += [{**own, **row} for row in notes(each)]
        tables["access_point"] += [{**own, **row} for row in names(each)]
        for position, one in enumerate(objects(each), 1):
            shown = {name: value(one, XLINK + name) or value(one, name) for name in ("href", "title", "role")}
            extra = {"audience": value(one, "audience"), "description": own_text(first(one, "daodesc"))}
            tables["digital_object"].append({"component_id": place[each], "object_no": position, **shown, **extra})
    tables["container"] = containers(place)
    by_id = {each.get("id"): name for each, name in place.items() if each.get("id")}
    links = [each for each in archive.iter() if local(each) in ("ref", "ptr") and each.get("target")]
    for position, each in enumerate(links, 1):
        around = next((one for one in each.iterancestors() if one in place), None)
        target: dict[str, Stored] = {
            "from_component_id": None if around is None else place[around],
            "to_component_id": by_id.get(each.get("target")),
            "target": value(each, "target"),
            "text": own_text(each),
        }
        tables["link"].append({"finding_aid_id": key, "link_no": position, **target})
    return tables


def component(number_path: str, element: Element, key: str | None) -> dict[str, Stored]:
    above, _, number = number_path.rpartition(".")
    normal = [each.get("normal") or "" for each in dates(first(element, "did"))]
    starts = [int(each[:4]) for each in normal if re.match(r"\d{4}", each)]
    ends = [int(found[1]) for each in normal if (found := re.match(r"(\d{4})", each.rpartition("/")[2]))]
    return {
        "within_id": f"{key}/{above}" if above else None,
        "number": int(number),
        "depth": number_path.count(".") + 1,
        "number_path": number_path,
        "xml_id": value(element, "id"),
        "level": value(element, "level"),
        "other_level": value(element, "otherlevel"),
        "audience": value(element, "audience"),
        "dates_normal": "; ".join(filter(None, normal)) or None,
        "year_from": min(starts, default=None),
        "year_to": max(ends, default=None),
        **unit(element),
    }


def containers(place: dict[Element, str]) -> Rows:
    found = [
        (f"{name}/{position}", name, position, each)
        for element, name in place.items()
        for position, each in enumerate(at(element, "did", "container"), 1)
    ]
    by_id = {each.get("id"): name for name, _, _, each in reversed(found) if each.get("id")}
    return [
        {
            "container_id": name,
            "component_id": component_name,
            "container_no": position,
            "xml_id": value(each, "id"),
            "type": value(each, "type"),
            "label": value(each, "label"),
            "container": own_text(each),
            "within_id": by_id.get(each.get("parent")),
        }
        for name, component_name, position, each in found
    ]
