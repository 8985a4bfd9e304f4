"""Check XPaths, their prefixes, functions and results, and the names of elements and namespaces."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, get_args

from lxml import etree

from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath, did_you_mean, one_of, shown
from xml_extractor.contract.model import Column, Select, Table
from xml_extractor.contract.names import EXSLT_NAMESPACE, with_all_namespaces
from xml_extractor.contract.rewriting import NAME_FUNCTIONS, READ_CONTEXT
from xml_extractor.contract.xpath import (
    ANY_NUMBER,
    EXSLT_FUNCTIONS,
    FUNCTIONS,
    LARGEST_EXACT,
    Call,
    Constant,
    Expression,
    Function,
    Operation,
    Path,
    Step,
    XPathError,
    is_exact,
    kind_of,
    parse_xpath,
    variable_name,
    walk,
)
from xml_extractor.values.sqltypes import Family

_ELEMENT_NAME = re.compile(r"(?:([^\W\d][\w.-]*):)?[^\W\d][\w.-]*")

_FUNCTIONS_OF_XSLT: dict[tuple[str | None, str], Callable[..., Any]] = {
    (None, "current"): lambda _: [],
    (None, "key"): lambda *_: [],
}

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
    """An XPath of a contract.

    Attributes:
        key_path: The key path.
        text: The XPath.
        finds: What the nodes are that it must find; empty for a path that may have any value.
        names: The named nodes that it can use; None where neither they nor `current()` and `key()` have a meaning.
    """

    key_path: KeyPath
    text: str
    finds: str = ""
    names: tuple[str, ...] | None = None


def written_paths(draft: Draft) -> Iterator[WrittenPath]:
    """Yield every XPath that could be read."""
    document = draft.contract.document
    locations: dict[KeyPath, tuple[str, ...] | None] = {
        ("document", "records"): document.records,
        ("document", "header"): document.header,
        ("ignore",): draft.contract.ignore,
    }
    for place, paths in locations.items():
        yield from (WrittenPath(draft.entry_path(place, index), path) for index, path in enumerate(paths or ()))
    for key_path, xpath in document_paths(draft):
        yield WrittenPath(key_path, xpath)
    for name, key in draft.contract.keys.items():
        yield WrittenPath(("keys", name, "match"), key.match)
        yield WrittenPath(("keys", name, "use"), key.use)
    for path, _, table in draft.tables():
        yield from _paths_of_table(draft, path, table)
    for path, value_rule in draft.values():
        names = tuple(draft.contract.tables[str(path[1])].nodes) if path[0] == "tables" else ()
        if value_rule.path is not None:
            yield WrittenPath((*path, "path"), value_rule.path, names=names)
        if value_rule.each is not None:
            yield WrittenPath((*path, "each"), value_rule.each, names=names)
        if isinstance(value_rule, Column) and value_rule.at is not None:
            yield WrittenPath((*path, "at"), value_rule.at, "the node whose row is meant", names)


def _paths_of_table(draft: Draft, path: KeyPath, table: Table) -> Iterator[WrittenPath]:
    parent = draft.contract.tables.get(table.parent or "")
    outer = () if parent is None else tuple(parent.nodes)
    for index, rule in enumerate(table.rows):
        rule_path = (*path, "rows", index, "path")
        if not draft.lost(rule_path):
            yield WrittenPath(rule_path, rule.path, "the nodes that become rows", outer)
    names = tuple(table.nodes)
    for index, (name, text) in enumerate(table.nodes.items()):
        yield WrittenPath((*path, "nodes", name), text, "the nodes of that name", names[:index])
    if table.recursive is not None:
        yield WrittenPath((*path, "recursive"), table.recursive, "the rows directly within a row", names)
    if table.base is not None:
        yield WrittenPath((*path, "base"), table.base, "the node where the paths of the columns start", names)


def document_paths(draft: Draft) -> Iterator[tuple[KeyPath, str]]:
    """Yield the paths that are read from the root element for the document as a whole, without those of its order."""
    document = draft.contract.document
    revision_of: KeyPath = ("document", "revision", "of")
    if document.key is not None:
        yield ("document", "key"), document.key
    for index, path in enumerate(document.revision.of if document.revision is not None else ()):
        key_path = draft.entry_path(revision_of, index)
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
        yield from _name_faults(draft, draft.entry_path(("document", "root"), index), name)
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
    if not path.finds:
        return
    kind = kind_of(expression)
    if kind not in ("node-set", "unknown"):
        found = f"a path whose value is a {kind}"
        yield draft.text.fault(path.key_path, found=found, expected=f"a path to {path.finds}")
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
        case Constant("variable", text) if variable_name(part) not in (path.names or ()):
            names = path.names or ()
            known = f"{one_of(f'${name}' for name in names)}, which nodes declares"
            meant = did_you_mean(variable_name(part), names)
            yield draft.text.fault(
                path.key_path,
                found=f"the unknown variable {text}",
                expected=known if names else "a name that nodes declares",
                suggestion=f"${meant}" if meant else "",
                within=within,
            )
        case Constant("number", text) if not is_exact(text):
            found = f"a number of {len(text)} characters, which XPath does not compute exactly"
            expected = f"at most {LARGEST_EXACT} (2^53), or text in quotes, which is compared exactly"
            yield draft.text.fault(path.key_path, found=found, expected=expected, within=within)
        case Call():
            yield from _call_faults(draft, path, part, within)


def _call_faults(draft: Draft, path: WrittenPath, call: Call, within: tuple[int, int]) -> Iterator[Fault]:
    name, arguments = call.name, len(call.arguments)
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
        expected = "key('NAME', value), with a key such as keys: {NAME: {match: '*', use: '@id'}}"
        yield draft.text.fault(path.key_path, found=found, expected=expected, within=within)
    elif not function.fewest <= arguments <= function.most:
        found = f"{name}() with {arguments or 'no'} argument{'' if arguments == 1 else 's'}"
        yield draft.text.fault(path.key_path, found=found, expected=_arguments(function), within=within)
    elif name in ("current", "key") and path.names is None:
        expected = "a path from this node alone; current() and key() belong to paths of tables"
        yield draft.text.fault(path.key_path, found=f"the function {name}()", expected=expected, within=within)
    elif name == "key":
        yield from _key_faults(draft, path, call.arguments[0])


def _key_faults(draft: Draft, path: WrittenPath, name: Expression) -> Iterator[Fault]:
    within, known = position_within(path.text, name.offset), tuple(draft.contract.keys)
    if not isinstance(name, Constant) or name.kind != "text":
        expected = "the name of a key in quotes, because keys are known before the document"
        yield draft.text.fault(path.key_path, found="a computed name of a key", expected=expected, within=within)
        return
    key = name.text[1:-1]
    if key not in known and not draft.lost(("keys", key)):
        yield draft.text.unknown(path.key_path, "key", key, known, "a key that keys declares", within=within)


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
        compiled = etree.XPath(rewritten, namespaces=prefixes, extensions=_FUNCTIONS_OF_XSLT, smart_strings=False)
        compiled(etree.Element("document"), **{name: [] for name in path.names or ()})
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
            selects = [select for select in get_args(Select) if target.family in _SELECTED.get(select, _ANY_BUT_XML)]
            message, expected = f"{rule.select} cannot give a value of type {target}", one_of(selects) or "no select"
            yield draft.text.fault((*path, key), message, expected=expected)


def value_row_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the faults of paths that start from an attribute or text as if it were an element."""
    tables = {name for _, name, table in draft.tables() if any(finds_values(rule.path) for rule in table.rows)}
    for path, name, rule in draft.rules():
        if name in tables and rule.path is not None:
            yield from _value_row_fault(draft, (*path, "path"), rule.path)
        if rule.path is not None and rule.each is not None:
            starts_at_values = finds_values(rule.path) or (rule.path == "." and name in tables)
            yield from _value_row_fault(draft, (*path, "each"), rule.each) if starts_at_values else ()
        if name in tables and isinstance(rule, Column) and rule.at is not None:
            yield from _value_row_fault(draft, (*path, "at"), rule.at)
    for path, _, table in draft.tables():
        if table.parent in tables:
            for key_path, text in _row_paths(path, table):
                yield from _value_row_fault(draft, key_path, text)


def _row_paths(path: KeyPath, table: Table) -> Iterator[tuple[KeyPath, str]]:
    for index, rule in enumerate(table.rows):
        yield (*path, "rows", index, "path"), rule.path


def finds_values(text: str) -> bool:
    """Return whether a path leads to attributes or text nodes."""
    match parsed(text):
        case Path(steps=(*_, last)):
            return last.axis == "attribute" or last.test == "text()"
    return False


def _value_row_fault(draft: Draft, key_path: KeyPath, text: str) -> Iterator[Fault]:
    expression = parsed(text)
    if expression is not None and not _starts_from_values(expression) and not draft.lost(key_path):
        yield draft.text.fault(
            key_path,
            "the row is an attribute or text" if key_path[-1] == "path" else "the path finds attributes or text",
            found=shown(text),
            expected="., name(), local-name(), a path that begins with .. or /, or an expression of these",
        )


def _starts_from_values(expression: Expression, *, is_whole: bool = True) -> bool:
    match expression:
        case Path(start="document") | Constant():
            return True
        case Path(start="context", steps=(first, *others)):
            is_itself = first.axis == "self" and not others and not first.predicates
            return is_itself or first.axis == "parent"
        case Path(start=Path() | Call() | Constant() | Operation() as start):
            return _starts_from_values(start, is_whole=False)
        case Call(name=name, arguments=()) if name in READ_CONTEXT:
            return is_whole or name not in NAME_FUNCTIONS
        case Call(arguments=parts) | Operation(operands=parts):
            return all(_starts_from_values(part, is_whole=False) for part in parts)
    return False
