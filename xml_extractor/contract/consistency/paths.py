"""Check XPaths, their prefixes, functions and results, and the names of elements and namespaces."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lxml import etree

from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath, did_you_mean, one_of, shown
from xml_extractor.contract.model import Table
from xml_extractor.contract.names import EXSLT_NAMESPACE, with_all_namespaces
from xml_extractor.contract.xpath import (
    ANY_NUMBER,
    EXSLT_FUNCTIONS,
    FUNCTIONS,
    Call,
    Constant,
    Expression,
    Function,
    Operation,
    Path,
    Step,
    XPathError,
    kind_of,
    parse_xpath,
    walk,
)
from xml_extractor.values.sqltypes import Family

_ELEMENT_NAME = re.compile(r"(?:([^\W\d][\w.-]*):)?[^\W\d][\w.-]*")

_NAME_FUNCTIONS = ("name", "local-name")


_NUMBERS = frozenset((Family.INTEGER, Family.DECIMAL, Family.MONEY, Family.FLOAT))
_TIMES = frozenset((Family.DATE, Family.TIME, Family.DATETIME, Family.OFFSET))
_ANY_BUT_XML = frozenset(Family) - {Family.XML}
_SELECTED: dict[str, frozenset[Family]] = {
    "join": frozenset((Family.TEXT,)),
    "sum": _NUMBERS,
    "min": _NUMBERS | _TIMES | {Family.TEXT},
    "max": _NUMBERS | _TIMES | {Family.TEXT},
}
"""The types of values that a `select` can give, where it cannot give all."""


class WrittenPath(NamedTuple):
    """An XPath of a contract: its key path, its text, and whether its nodes become rows."""

    key_path: KeyPath
    text: str
    is_rows: bool = False


def written_paths(draft: Draft) -> Iterator[WrittenPath]:
    """Yield every XPath that could be read."""
    document = draft.contract.document
    for name, paths in (("records", document.records), ("header", document.header)):
        for index, location in enumerate(paths or ()):
            yield WrittenPath(one_or_list_path(draft, ("document", name), index), location)
    for key_path, xpath in document_paths(draft):
        yield WrittenPath(key_path, xpath)
    for path, _, table in draft.tables():
        for index, rule in enumerate(table.rows):
            rule_path = (*path, "rows", index, "path")
            if not draft.lost(rule_path):
                yield WrittenPath(rule_path, rule.path, is_rows=True)
    for path, value_rule in draft.values():
        if value_rule.path is not None:
            yield WrittenPath((*path, "path"), value_rule.path)
        if value_rule.each is not None:
            yield WrittenPath((*path, "each"), value_rule.each)


def document_paths(draft: Draft) -> Iterator[tuple[KeyPath, str]]:
    """Yield the paths that are read from the root element for the document as a whole, without those of its order."""
    document = draft.contract.document
    revision_of: KeyPath = ("document", "revision", "of")
    if document.key is not None:
        yield ("document", "key"), document.key
    for index, path in enumerate(document.revision.of if document.revision is not None else ()):
        key_path = one_or_list_path(draft, revision_of, index)
        if not draft.lost(key_path):
            yield key_path, path
    if document.deleted is not None:
        yield ("document", "deleted"), document.deleted


def path_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the faults of every XPath: syntax, prefixes, variables, functions, and paths to rows."""
    for path in written_paths(draft):
        faults = list(_faults(draft, path))
        yield from faults
        if not faults:
            yield from _lxml_faults(draft, path)


def parsed(text: str) -> Expression | None:
    """Return the parsed expression, or None if it is not XPath 1.0, which `path_faults` reports."""
    try:
        return parse_xpath(text)
    except (XPathError, RecursionError):
        return None


def position_within(text: str, offset: int) -> tuple[int, int]:
    """Return line and column, from 1, of an offset in a text."""
    before = text[:offset]
    return before.count("\n") + 1, offset - before.rfind("\n")


def name_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the faults of the names of elements, and of prefixes and addresses of namespaces."""
    document = draft.contract.document
    for index, name in enumerate(document.root):
        yield from _name_faults(draft, one_or_list_path(draft, ("document", "root"), index), name)
    for name in (document.read_until or "").split("/") if document.read_until else ():
        yield from _name_faults(draft, ("document", "read_until"), name)
    for index, name in enumerate(document.preceded_by):
        yield from _name_faults(draft, ("document", "preceded_by", index), name)
    for prefix, addresses in draft.contract.namespaces.items():
        path = ("namespaces", prefix)
        if not re.fullmatch(r"[^\W\d][\w.-]*", prefix):
            expected = "a prefix; XPath 1.0 has no default namespace, so give it a name and use that in the paths"
            yield draft.text.fault(path, found=shown(prefix), expected=expected, key=True)
        if addresses == ("",) and draft.text.data_at(path) == "":
            expected = 'the address of a namespace, or a list; ["", …] is for elements without a namespace'
            yield draft.text.fault(path, found=shown(""), expected=expected)
        for index, address in enumerate(addresses):
            if address in addresses[:index]:
                found = f"the address {shown(address)} again"
                yield draft.text.fault((*path, index), found=found, expected="each address once")


def one_or_list_path(draft: Draft, path: KeyPath, index: int) -> KeyPath:
    """Return the key path of an entry of a list that may also be written as its only entry."""
    return (*path, index) if isinstance(draft.text.data_at(path), list) else path


def _name_faults(draft: Draft, path: KeyPath, name: str) -> Iterator[Fault]:
    if draft.lost(path):
        return
    match = _ELEMENT_NAME.fullmatch(name)
    if match is None:
        expected = "names of child elements, as in a/b" if path[-1] == "read_until" else "the name of an element"
        yield draft.text.fault(path, found=shown(name), expected=expected)
    elif match[1] is not None:
        yield from _prefix_faults(draft, path, match[1], None)


def _prefix_faults(draft: Draft, path: KeyPath, prefix: str, within: tuple[int, int] | None) -> Iterator[Fault]:
    known = draft.contract.namespaces
    if prefix not in known and prefix != "xml" and not draft.lost(("namespaces", prefix)):
        expected = f"a prefix from namespaces: {', '.join(known)}" if known else "a prefix that namespaces declares"
        suggestion = did_you_mean(prefix, known)
        found = f"the prefix '{prefix}'"
        yield draft.text.fault(path, found=found, expected=expected, suggestion=suggestion, within=within)


def _faults(draft: Draft, path: WrittenPath) -> Iterator[Fault]:
    try:
        expression = parse_xpath(path.text)
    except XPathError as error:
        within = position_within(path.text, error.offset)
        message = "this is not XPath 1.0"
        yield draft.text.fault(path.key_path, message, found=error.found, expected=error.expected, within=within)
        return
    except RecursionError:
        yield draft.text.fault(path.key_path, "this XPath is nested too deeply")
        return
    for part in walk(expression):
        yield from _part_faults(draft, path, part)
    if not path.is_rows:
        return
    kind = kind_of(expression)
    if kind not in ("node-set", "unknown"):
        found = f"a path whose value is a {kind}"
        yield draft.text.fault(path.key_path, found=found, expected="a path to the nodes that become rows")
    for found in _other_nodes(expression):
        expected = "a path to elements, attributes or text()"
        yield draft.text.fault(path.key_path, found=f"a path to {found}", expected=expected)


def _other_nodes(expression: Expression) -> Iterator[str]:
    """Yield the nodes that an expression finds and that cannot be rows."""
    match expression:
        case Operation("|", operands):
            for operand in operands:
                yield from _other_nodes(operand)
        case Path("document", steps=()):
            yield "the document itself"
        case Path(start, steps=steps):
            last = next((step for step in reversed(steps) if (step.axis, step.test) != ("self", "node()")), None)
            if last is None:
                yield from () if isinstance(start, str) else _other_nodes(start)
            elif last.axis == "namespace" or last.test.startswith(("comment(", "processing-instruction(")):
                yield f"{last.axis}::{last.test}"
            elif last.test == "node()" and last.axis not in ("parent", "attribute"):
                yield "nodes of any kind, such as text between elements"


def _part_faults(draft: Draft, path: WrittenPath, part: Expression | Step) -> Iterator[Fault]:
    within = position_within(path.text, part.offset)
    match part:
        case Step(_, test) if ":" in test:
            yield from _prefix_faults(draft, path.key_path, test.partition(":")[0], within)
        case Constant("variable", text):
            found = f"the variable {text}"
            yield draft.text.fault(path.key_path, found=found, expected="a path without variables", within=within)
        case Call(name, arguments):
            yield from _call_faults(draft, path, name, len(arguments), within)


def _call_faults(
    draft: Draft, path: WrittenPath, name: str, arguments: int, within: tuple[int, int]
) -> Iterator[Fault]:
    prefix, colon, local = name.rpartition(":")
    functions: Mapping[str, Function] = FUNCTIONS
    if colon:
        faults = list(_prefix_faults(draft, path.key_path, prefix, within))
        yield from faults
        if faults or draft.lost(("namespaces", prefix)):
            return
        functions = EXSLT_FUNCTIONS if draft.contract.namespaces.get(prefix) == (EXSLT_NAMESPACE,) else {}
    function = functions.get(local)
    if function is None:
        meant = did_you_mean(local, functions)
        expected = one_of(functions) if functions else "a function of XPath 1.0"
        found = f"the unknown function {name}()"
        yield draft.text.fault(path.key_path, found=found, expected=expected, suggestion=meant, within=within)
    elif function is FUNCTIONS["id"]:
        found = "the function id(), which finds nothing, because no DTD is read"
        expected = "a comparison with the attribute, such as //*[@id = 'x']"
        yield draft.text.fault(path.key_path, found=found, expected=expected, within=within)
    elif not function.fewest <= arguments <= function.most:
        found = f"{name}() with {arguments or 'no'} argument{'' if arguments == 1 else 's'}"
        yield draft.text.fault(path.key_path, found=found, expected=_arguments(function), within=within)


def _arguments(function: Function) -> str:
    if function.most == ANY_NUMBER:
        return f"{function.fewest} arguments or more"
    if function.fewest == function.most:
        return f"{function.most or 'no'} argument{'' if function.most == 1 else 's'}"
    return f"{function.fewest} to {function.most} arguments"


def _lxml_faults(draft: Draft, path: WrittenPath) -> Iterator[Fault]:
    """Yield what lxml refuses beyond the grammar, such as a union of texts."""
    namespaces = {prefix: addresses for prefix, addresses in draft.contract.namespaces.items() if prefix}
    try:
        rewritten, prefixes = with_all_namespaces(path.text, namespaces)
        compiled = etree.XPath(rewritten, namespaces=prefixes, smart_strings=False)
        compiled(etree.Element("document"))
    except (etree.XPathError, ValueError) as error:
        yield draft.text.fault(path.key_path, f"this is not XPath 1.0: {str(error).lower()}", found=shown(path.text))


def selection_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the faults of `select`, `separator` and `each`."""
    for path, rule in draft.values():
        if rule.separator is not None and rule.select != "join" and draft.whole((*path, "select")):
            message, expected = "separator has no effect without select: join", "select: join, or no separator"
            yield draft.text.fault((*path, "separator"), message, expected=expected, key=True)
        if not rule.selects or not draft.whole(path):
            continue
        key = "each" if rule.select == "first" else "select"
        expression, target = parsed(rule.path or ""), draft.type_of(path, rule)
        if expression is not None and kind_of(expression) not in ("node-set", "unknown"):
            message = f"the path's value is a {kind_of(expression)}"
            yield draft.text.fault((*path, key), message, expected=f"a path to nodes, or no {key}", key=True)
        if rule.select == "join" and rule.separator is None and not draft.lost((*path, "separator")):
            yield draft.text.fault((*path, "select"), found="join without a separator", expected="a separator")
        if target is not None and target.family not in _SELECTED.get(rule.select, _ANY_BUT_XML):
            expected = "a select for this type"
            yield draft.text.fault(
                (*path, key), f"{rule.select} cannot give a value of type {target}", expected=expected
            )


def value_row_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the faults of paths that start from an attribute or text as if it were an element."""
    tables = {name for _, name, table in draft.tables() if any(_finds_values(rule.path) for rule in table.rows)}
    for path, name, rule in draft.rules():
        if name in tables and rule.path is not None:
            yield from _value_row_fault(draft, (*path, "path"), rule.path)
    for path, _, table in draft.tables():
        if table.parent in tables:
            for key_path, text in _row_paths(path, table):
                yield from _value_row_fault(draft, key_path, text)


def _row_paths(path: KeyPath, table: Table) -> Iterator[tuple[KeyPath, str]]:
    for index, rule in enumerate(table.rows):
        yield (*path, "rows", index, "path"), rule.path


def _finds_values(text: str) -> bool:
    match parsed(text):
        case Path(steps=(*_, last)):
            return last.axis == "attribute" or last.test == "text()"
    return False


def _value_row_fault(draft: Draft, key_path: KeyPath, text: str) -> Iterator[Fault]:
    expression = parsed(text)
    if expression is not None and not _starts_from_values(expression) and not draft.lost(key_path):
        yield draft.text.fault(
            key_path,
            "the row is an attribute or text",
            found=shown(text),
            expected="., name(), local-name(), or a path that begins with .. or /",
        )


def _starts_from_values(expression: Expression) -> bool:
    match expression:
        case Path(start="document"):
            return True
        case Path(start="context", steps=(first, *others)):
            is_itself = first.axis == "self" and not others and not first.predicates
            return is_itself or first.axis == "parent"
        case Call(name=name, arguments=()):
            return name in _NAME_FUNCTIONS
    return False
