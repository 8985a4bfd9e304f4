"""Which paths of a document the columns of a contract get their values from."""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from xml_extractor.contract.model import Contract, Input, ValueRule
from xml_extractor.contract.rewriting import READ_CONTEXT, anywhere, written
from xml_extractor.contract.xpath import Call, Constant, Expression, Operation, Path, parse_xpath, variable_name

How = Literal["IDENTITY", "TRANSFORMATION", "AGGREGATION"]
"""What becomes of a value: only its type, or more; or one is made of several. The terms are those of OpenLineage."""

_ABBREVIATIONS = {
    "child::": "",
    "attribute::": "@",
    "self::node()": ".",
    "parent::node()": "..",
    "/descendant-or-self::node()/": "//",
    "descendant-or-self::node()/": ".//",
}
_LONG = re.compile("|".join(("\"[^\"]*\"|'[^']*'", *map(re.escape, _ABBREVIATIONS))))


class ColumnOrigin(NamedTuple):
    """An XPath from the root of the document, and what becomes of the values that it finds."""

    path: str
    how: How


class Lineage:
    """The origins of the columns of a contract.

    Paths have the prefixes of the contract. Where the contract has several root elements, `*` stands for them.

    Args:
        contract: A contract without faults.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        roots = contract.document.root
        self._root = f"/{roots[0] if len(roots) == 1 else '*'}"
        starts = [self._root]
        if contract.document.records is not None:
            starts = [joined(self._root, path) for path in contract.document.records]
        self._rows: dict[str, list[str]] = {"": starts}
        self._nodes: dict[str, dict[str, list[str]]] = {"": {}}
        for name, table in contract.tables.items():
            above = table.parent or ""
            paths = [rule.path for rule in table.rows]
            rows = [found for path in paths for found in self._found(path, self._rows[above], self._nodes[above])]
            self._rows[name] = list(dict.fromkeys(rows))
            nodes = self._nodes[name] = {}
            for node, path in table.nodes.items():
                nodes[node] = self._found(path, self._rows[name], nodes)

    def rows(self, table: str) -> list[str]:
        """Return the paths of the nodes that become rows of a table."""
        return self._rows[table]

    def origins(self, table: str, column: str) -> list[ColumnOrigin]:
        """Return where the values of a column come from; nothing for constants and values of the run."""
        return list(dict.fromkeys(self._of_column(table, column, frozenset())))

    def _of_column(self, table: str, name: str, seen: frozenset[tuple[str, str]]) -> Iterator[ColumnOrigin]:
        # In a tree, a column may have the value of the same column in the containing row.
        if (table, name) in seen:
            return
        seen |= {(table, name)}
        column = self._contract.tables[table].columns[name]
        if column.expression is not None:
            for value in column.inputs.values():
                yield from (ColumnOrigin(path, _more(how)) for path, how in self._of_input(table, value, seen))
        elif column.position or column.derived:
            yield from (ColumnOrigin(path, "TRANSFORMATION") for path in self._rows[table])
        elif column.reference is not None:
            yield from self._of_column(*_split(column.reference), seen)
        else:
            yield from self._of_rule(table, column, seen)

    def _of_input(self, table: str, value: Input, seen: frozenset[tuple[str, str]]) -> Iterator[ColumnOrigin]:
        if value.column is not None:
            yield from self._of_column(table, value.column, seen)
        else:
            yield from self._of_rule(table, value, seen)

    def _of_rule(self, table: str, rule: ValueRule, seen: frozenset[tuple[str, str]]) -> Iterator[ColumnOrigin]:
        document = self._contract.document
        if rule.parent is not None:
            yield from self._of_column(*_split(rule.parent), seen)
        elif rule.run == "document_key" and document.key is not None:
            yield from (ColumnOrigin(path, "IDENTITY") for path in self._found(document.key, self._rows[""], {}))
        elif rule.path is not None:
            nodes, base = self._nodes[table], self._contract.tables[table].base
            starts = self._rows[table] if base is None else self._found(base, self._rows[table], nodes)
            found = self._found(rule.path, starts, nodes)
            how = _how(rule)
            for path in found if rule.each is None else self._found(rule.each, found, {}):
                yield ColumnOrigin(path, how)

    def _found(self, text: str, starts: list[str], nodes: dict[str, list[str]]) -> list[str]:
        """Return the paths of the nodes that an expression reads, but for those in its predicates."""
        found = (joined(start, path) for path in self._paths(parse_xpath(text), nodes) for start in starts)
        return list(dict.fromkeys(found))

    def _paths(self, expression: Expression, nodes: dict[str, list[str]]) -> Iterator[str]:
        match expression:
            case Path("context" | "document"):
                yield short(written(expression))
            case Path(inner, _, steps) if not isinstance(inner, str):
                rest = short(written(Path("context", (), steps, 0)))
                yield from (joined(path, rest) for path in self._paths(inner, nodes))
            case Constant("variable"):
                yield from nodes.get(variable_name(expression), ())
            case Call("key", (Constant(text=quoted), *_)):
                pattern = parse_xpath(self._contract.keys[quoted[1:-1]].match)
                yield from self._paths(anywhere(pattern), nodes)
            case Call(name, ()) if name in ("current", *READ_CONTEXT):
                yield "."
            case Call(_, parts) | Operation(_, parts):
                for part in parts:
                    yield from self._paths(part, nodes)


def joined(start: str, path: str) -> str:
    """Return a path from where another one leads; an absolute path remains as it is."""
    if path.startswith("/"):
        return path
    relative = path.removeprefix("./") if not path.startswith(".//") else path[1:]
    if relative in ("", "."):
        return start
    return f"{start}{relative}" if relative.startswith("//") else f"{start.rstrip('/')}/{relative}"


def short(path: str) -> str:
    """Return an XPath with the abbreviations of its axes; text in quotes remains as it is."""
    return _LONG.sub(lambda found: _ABBREVIATIONS.get(found[0], found[0]), path)


def _how(rule: ValueRule) -> How:
    if rule.select in ("join", "sum", "min", "max") or re.match(r"\s*(count|sum)\s*\(", rule.path or ""):
        return "AGGREGATION"
    changes = any(step.name != "trim" for step in rule.transform) or rule.lookup is not None
    is_path = isinstance(parse_xpath(rule.path or "."), Path | Constant)
    return "TRANSFORMATION" if changes or not is_path else "IDENTITY"


def _more(how: How) -> How:
    return "TRANSFORMATION" if how == "IDENTITY" else how


def _split(reference: str) -> tuple[str, str]:
    table, _, column = reference.partition(".")
    return table, column
