"""Follow all paths of a contract, as far as possible without a document: every step, predicate and argument."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from xml_extractor.contract.faults import KeyPath
from xml_extractor.contract.model import Column, Contract, Document, Table, ValueRule
from xml_extractor.contract.rewriting import anywhere, pattern_faults
from xml_extractor.contract.xpath import Call, Constant, Expression, Operation, Path, Step, parse_xpath, variable_name

Node = TypeVar("Node")

_LOOK_AT_NODES_ONLY = ("boolean", "count", "local-name", "name", "namespace-uri", "not")
_READ_CONTEXT = ("normalize-space", "number", "string", "string-length")
_BASE = ""
"""The name of a table's `base` among its named nodes."""


@dataclass(slots=True)
class Scope(Generic[Node]):
    """What the paths of a table can refer to.

    Attributes:
        current: The nodes of `current()`.
        named: The named nodes.
    """

    current: list[Node]
    named: dict[str, list[Node]] = field(default_factory=dict)


class PathFollower(ABC, Generic[Node]):
    """Follows the paths of a contract from node to node. What a node is, and what is noted there, is a subclass's.

    Args:
        contract: The contract.
        document: The node of the document itself.
        parse: Parses a path; None leaves the path out.
        is_lost: Says whether a part of the contract could not be read.
        entry_path: Returns the key path of an entry of a list that may also be written as its only entry.
    """

    takes_text_of_keys = True
    """Whether the text of the elements that a key finds is needed."""

    def __init__(
        self,
        contract: Contract,
        document: Node,
        parse: Callable[[str], Expression | None] = parse_xpath,
        is_lost: Callable[[KeyPath], bool] = lambda _: False,
        entry_path: Callable[[KeyPath, int], KeyPath] = lambda path, index: (*path, index),
    ) -> None:
        self.contract = contract
        self.document = document
        self._parse = parse
        self._is_lost = is_lost
        self._entry_path = entry_path
        self._keys: dict[str, list[Node]] = {}
        self._scopes: dict[str, Scope[Node]] = {}
        self._scope = Scope[Node]([])

    def follow_contract(self, starts: list[Node]) -> None:
        """Follow all paths, those of no table from these nodes."""
        outer = self._scopes[""] = Scope(starts)
        for name, key in self.contract.keys.items():
            pattern = self._parse(key.match)
            if pattern is not None and not any(pattern_faults(pattern)):
                scope, found = Scope[Node]([]), anywhere(pattern)  # it is compared with all elements
                in_text = self.takes_text_of_keys
                self._keys[name] = self.follow_path(
                    ("keys", name, "match"), key.match, scope, [self.document], found, for_text=in_text
                )
                self.follow_path(("keys", name, "use"), key.use, scope, self._keys[name])
        self._follow_document(self.contract.document, outer)
        tables = {name: table for name, table in self.contract.tables.items() if not self._is_lost(("tables", name))}
        for name, table in tables.items():
            self._follow_table(("tables", name), name, table)
        for name, table in tables.items():
            for column_name, column in table.columns.items():
                rules: dict[KeyPath, ValueRule] = {("tables", name, "columns", column_name): column}
                for input_name, rule in column.inputs.items():
                    rules["tables", name, "columns", column_name, "inputs", input_name] = rule
                for path, value_rule in rules.items():
                    if not self._is_lost(path):
                        self.follow_rule(path, value_rule, self._scopes[name])

    def follow_path(
        self,
        key_path: KeyPath,
        text: str,
        scope: Scope[Node],
        context: list[Node],
        expression: Expression | None = None,
        *,
        for_text: bool = True,
    ) -> list[Node]:
        """Return the nodes that a path finds.

        Args:
            key_path: The path's key path.
            text: The path.
            scope: What it can refer to.
            context: Where it starts.
            expression: What is followed instead of the path itself.
            for_text: Whether the text of the nodes is needed.
        """
        del key_path
        self._scope = scope
        expression = expression or self._parse(text)
        return [] if expression is None else self.follow(expression, context, for_text=for_text)

    def follow_rule(self, path: KeyPath, rule: ValueRule, scope: Scope[Node]) -> list[Node]:
        """Follow the paths of a column or input, and return the nodes whose text is its value."""
        start, found = scope.named.get(_BASE, scope.current), list[Node]()
        if isinstance(rule, Column) and rule.at is not None:
            self.follow_path((*path, "at"), rule.at, scope, start, for_text=False)
        if rule.path is not None:
            found = self.follow_path((*path, "path"), rule.path, scope, start, for_text=rule.each is None)
            if rule.each is not None:
                found = self.follow_path((*path, "each"), rule.each, scope, found)
        return found

    def follow(self, expression: Expression, context: list[Node], *, for_text: bool) -> list[Node]:
        """Return the nodes of a node-set; none for other values.

        Args:
            expression: What to follow.
            context: The context nodes.
            for_text: Whether the text of the nodes is needed, not only their existence.
        """
        match expression:
            case Path():
                return self._follow_location(expression, context, for_text=for_text)
            case Operation("|", operands):
                return [node for each in operands for node in self.follow(each, context, for_text=for_text)]
            case Operation(operator, operands):
                for operand in operands:
                    self.follow(operand, context, for_text=operator not in ("and", "or"))
            case Call(_, _, offset):
                return self.taken(self._called(expression, context), offset, for_text=for_text)
            case Constant("variable", _, offset):
                nodes = self._scope.named.get(variable_name(expression), [])
                return self.taken(nodes, offset, for_text=for_text)
        return []

    @abstractmethod
    def targets(self, step: Step, nodes: list[Node], *, is_slash: bool) -> list[Node]:
        """Return where a step leads.

        Args:
            step: The step.
            nodes: Where it starts.
            is_slash: Whether it is part of `//`, and so leads nowhere by itself.
        """

    @abstractmethod
    def taken(self, nodes: list[Node], offset: int, *, for_text: bool) -> list[Node]:
        """Note what becomes of the nodes that a part of a path finds, and return them."""

    def follow_predicates(self, predicates: Iterable[Expression], nodes: list[Node]) -> None:
        """Follow the predicates of a step to these nodes."""
        for predicate in predicates:
            self.follow(predicate, nodes, for_text=False)

    @abstractmethod
    def follow_recursive(self, path: KeyPath, text: str, scope: Scope[Node]) -> None:
        """Follow the path of `recursive` from the rows of its table."""

    def _follow_document(self, document: Document, outer: Scope[Node]) -> None:
        if document.key is not None:
            self.follow_path(("document", "key"), document.key, outer, outer.current)
        if document.revision is not None:
            for index, path in enumerate(document.revision.of):
                key_path = self._entry_path(("document", "revision", "of"), index)
                self.follow_path(key_path, path, outer, outer.current)
            for index, rule in enumerate(document.revision.order):
                self.follow_rule(("document", "revision", "order", index), rule, outer)
        if document.deleted is not None:
            self.follow_path(("document", "deleted"), document.deleted, outer, outer.current)

    def _follow_table(self, path: KeyPath, name: str, table: Table) -> None:
        is_known = not self._is_lost((*path, "parent"))
        outer = self._scopes.get(table.parent or "", Scope([])) if is_known else Scope[Node]([])
        rows: list[Node] = []
        for index, rule in enumerate(table.rows):
            rule_path = (*path, "rows", index, "path")
            if not self._is_lost(rule_path):
                rows += self.follow_path(rule_path, rule.path, outer, outer.current, for_text=False)
        scope = self._scopes[name] = Scope(rows)
        for node, text in table.nodes.items():
            scope.named[node] = self.follow_path((*path, "nodes", node), text, scope, rows, for_text=False)
        if table.recursive is not None:
            self.follow_recursive((*path, "recursive"), table.recursive, scope)
        if table.base is not None:
            scope.named[_BASE] = self.follow_path((*path, "base"), table.base, scope, rows, for_text=False)

    def _follow_location(self, path: Path, context: list[Node], *, for_text: bool) -> list[Node]:
        if path.start == "context":
            nodes = context
        elif path.start == "document":
            nodes = [self.document]
        else:
            nodes = self.follow(path.start, context, for_text=for_text and not path.steps)
        self.follow_predicates(path.predicates, nodes)
        for number, step in enumerate(path.steps, 1):
            is_slash = (step.axis, step.test) == ("descendant-or-self", "node()") and number < len(path.steps)
            nodes = self.targets(step, nodes, is_slash=is_slash)
            self.follow_predicates(step.predicates, nodes)
        return self.taken(nodes, path.offset, for_text=for_text) if path.steps or for_text else nodes

    def _called(self, call: Call, context: list[Node]) -> list[Node]:
        if call.name == "current":
            return self._scope.current
        if call.name in _READ_CONTEXT and not call.arguments:
            self.taken(context, call.offset, for_text=True)
        for argument in call.arguments:
            self.follow(argument, context, for_text=call.name not in _LOOK_AT_NODES_ONLY)
        if call.name == "key" and call.arguments and isinstance(call.arguments[0], Constant):
            return self._keys.get(call.arguments[0].text[1:-1], [])
        return []
