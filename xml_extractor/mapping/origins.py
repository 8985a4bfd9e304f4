"""Where a value comes from: one function for each kind of origin that a contract can name.

Derived keys: a key is a BLAKE2b hash of contract, table, path of the row rule, document key, and the positions of the
row and of its parent rows. So they are idempotent: loading a document again gives the same keys, in any target and by
any worker. Keys of `uniqueidentifier`, `binary(16)` and 32 hexadecimal digits have 128 bits. A `bigint` has 63: among n
keys, the probability that any two are equal is about n^2 / 2^64, which is 5 % for a billion rows and 0.000005 % for a
million.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from xml_extractor.contract.layout import TableLayout
from xml_extractor.contract.model import POSITION_TYPE, Contract
from xml_extractor.contract.rewriting import starting_at, written
from xml_extractor.contract.run_values import RunValue
from xml_extractor.contract.xpath import Call, Path, parse_xpath
from xml_extractor.documents import Value
from xml_extractor.mapping.children import ChildPath, child_path, counted_path
from xml_extractor.mapping.errors import RULE_ERRORS, RuleError, failure_of
from xml_extractor.mapping.nodes import BASE, FindNodes, Frame, Node, ValueNode
from xml_extractor.mapping.numbers import decimal_sum, decimal_text, number_text
from xml_extractor.mapping.paths import (
    NIL,
    FindElements,
    Reading,
    ReadText,
    compile_elements,
    compile_nodes,
    compile_text,
    split_path,
    string_value,
    string_value_or_nil,
)
from xml_extractor.mapping.plan import ColumnPlan, Compute, Note, Origin, RowScope
from xml_extractor.mapping.readers import (
    KEY_SHAPES,
    AncestorColumn,
    Computed,
    DerivedKey,
    OnlyRowColumn,
    OwnAttribute,
    OwnColumn,
    OwnText,
    PathText,
    Position,
    RunColumn,
    SetByRule,
    SharedSearch,
)
from xml_extractor.mapping.references import RowReference
from xml_extractor.mapping.trees import positions as positions_in_trees
from xml_extractor.mapping.trees import read_container
from xml_extractor.tsql import compile_expression
from xml_extractor.values.sqltypes import Family, SqlType, parse_type

_EXACT = frozenset((Family.INTEGER, Family.DECIMAL, Family.MONEY))
"""Types whose values are exact; a double has binary digits beyond theirs."""


@dataclass(frozen=True, slots=True)
class TableContext:
    """A table of a contract while its columns are compiled.

    Attributes:
        name: The table's name in the contract.
        layouts: All tables of the contract, by name.
        frame: What paths can refer to besides their context node.
        note: Notes what is tolerated in the column that is being compiled.
        searches: The searches for elements that the columns share, by path. Their order is their number.
    """

    contract: Contract
    name: str
    layouts: Mapping[str, TableLayout]
    frame: Frame
    note: Note
    searches: dict[str, FindElements] = field(default_factory=dict)

    def search(self, path: str) -> tuple[int, str, FindElements]:
        """Return the number of a shared search, its path, and the search."""
        if path not in self.searches:
            self.searches[path] = compile_elements(path, self.contract.namespaces, self.frame)
        return list(self.searches).index(path), path, self.searches[path]

    def start(self, path: str) -> str:
        """Return the path of a column from the row's node: from the table's `base`, if it has one.

        A name of nodes that are found as children is spelled out, so that columns share the search.
        """
        table = self.contract.tables.get(self.name)
        if table is not None and table.base is not None:
            return written(starting_at(parse_xpath(path), BASE))
        namespaces, spelled_out = self.contract.namespaces, self.frame.spelled_out(path)
        split = split_path(spelled_out, namespaces) if self.frame.only_elements else None
        return path if split is None or child_path(split.elements, namespaces) is None else spelled_out

    def children(self, path: str) -> ChildPath | None:
        """Return the path of a column that finds children of the row's node; None for another one."""
        return child_path(self.start(path), self.contract.namespaces)

    def find(self, path: str) -> FindNodes:
        """Compile the path of a column to a search for nodes."""
        return compile_nodes(self.start(path), self.contract.namespaces, self.frame)

    def column(self, table: str, name: str) -> tuple[int, SqlType]:
        """Return the position of a column in the rows of its table, and its type."""
        for index, column in enumerate(self.layouts[table].columns):
            if column.name == name:
                return index, column.type
        raise KeyError(f"{table}.{name}")

    def table_index(self, table: str) -> int:
        """Return a table's number in the contract's order."""
        return list(self.layouts).index(table)

    def levels_above(self, table: str) -> int:
        """Count the parents from this table up to another one; 0 if that is not an ancestor."""
        levels, above = 1, self.contract.tables[self.name].parent
        while above is not None and above != table:
            levels, above = levels + 1, self.contract.tables[above].parent
        return 0 if above is None else levels


def path_origin(path: str, target: SqlType, context: TableContext) -> Origin:
    """Read the text at a path; for a column of type xml, the markup."""
    return Origin(_read_path(path, target, context), None, f"path {path}", partial(context.find, path))


def _read_path(path: str, target: SqlType, context: TableContext) -> Compute:
    namespaces, path = context.contract.namespaces, context.start(path)
    if target.family is Family.XML:
        return _read_markup(path, context)
    if path == ".":
        return OwnText()
    split = split_path(path, namespaces) if context.frame.only_elements else None
    if split is None:
        return PathText(_compile_expression(path, target, context), counted_path(path, namespaces))
    attribute = split.attribute
    return (
        OwnAttribute(attribute) if split.elements == "." else SharedSearch(*context.search(split.elements), attribute)
    )


def _compile_expression(path: str, target: SqlType, context: TableContext) -> ReadText:
    namespaces = context.contract.namespaces
    match parse_xpath(path):
        case Call("sum", (Path(),)) if target.family in _EXACT:
            return _exact_sum(path.strip().removeprefix("sum").strip()[1:-1], context)
    return compile_text(path, namespaces, reading_for(target), context.frame)


def reading_for(target: SqlType) -> Reading:
    """Return how to read values of a type."""
    number = partial(decimal_text, scale=target.scale) if target.family in _EXACT else number_text
    return Reading(string_value_or_nil, number)


def _exact_sum(path: str, context: TableContext) -> ReadText:
    """Add the numbers of nodes as decimals; XPath's sum() would add doubles."""
    find = compile_nodes(path, context.contract.namespaces, context.frame)

    def read(node: Node) -> str | None:
        return decimal_sum(node.text if isinstance(node, ValueNode) else string_value(node) for node in find(node))

    return read


def _read_markup(path: str, context: TableContext) -> Compute:
    """Read the first node as XML text; the value if it is no element."""
    find = compile_nodes(path, context.contract.namespaces, context.frame)

    def read(row: RowScope) -> Value:
        first = next(iter(find(row.node)), None)
        if first is None or isinstance(first, ValueNode):
            return first and first.text
        markup = row.document.markup
        return NIL if string_value_or_nil(first) is NIL or markup is None else markup.of(first)

    return read


def parent_origin(reference: str, context: TableContext) -> Origin:
    """Read a column of an ancestor row, of the containing row, or of the only row of a table that has one."""
    table, _, name = reference.partition(".")
    index, column_type = context.column(table, name)
    levels = context.levels_above(table)
    read: Compute
    if table == context.name:
        read = read_container(index)
    else:
        read = AncestorColumn(index, levels) if levels else OnlyRowColumn(context.table_index(table), index)
    return Origin(read, column_type, f"parent {reference}")


def reference_origin(reference: str, path: str, context: TableContext) -> Origin:
    """Read a column of the row that was made from another node."""
    table, _, name = reference.partition(".")
    index, column_type = context.column(table, name)
    find = partial(context.find, path)
    row = RowReference(find(), context.table_index(table), index, context.frame.keys, context.note)
    return Origin(row.read, column_type, f"reference {reference} at {path}", find, row)


_UNLIMITED = parse_type("nvarchar(max)")
_RUN_VALUES: dict[RunValue, SqlType] = {
    "document_key": _UNLIMITED,
    "source_key": _UNLIMITED,
    "source_file": _UNLIMITED,
    "record_number": parse_type("int"),
    "run_id": _UNLIMITED,
    "load_time": parse_type("datetime2(6)"),
    "contract": _UNLIMITED,
    "contract_version": parse_type("int"),
    "source_name": _UNLIMITED,
}
"""The types of `readers.run_values`, in the same order."""


def run_origin(name: RunValue, context: TableContext) -> Origin:
    """Read a value of the run."""
    index = list(_RUN_VALUES).index(name)
    is_typed_key = name == "document_key" and context.contract.document.key is not None
    value_type = context.contract.document.key_type if is_typed_key else _RUN_VALUES[name]
    return Origin(RunColumn(index), value_type, f"run {name}")


def column_origin(name: str, context: TableContext) -> Origin:
    """Read an earlier column of the same row."""
    index, column_type = context.column(context.name, name)
    return Origin(OwnColumn(index), column_type, f"column {name}")


def position_origin() -> Origin:
    """Return the row's number among the nodes found for its parent row."""
    return Origin(Position(), POSITION_TYPE, "position")


def constant_origin(value: Value, target: SqlType) -> Origin:
    """Return one value of the column's type for all rows."""
    return Origin(SetByRule((value,)), target, "constant")


def set_origin(values: Sequence[Value], target: SqlType) -> Origin:
    """Return the value that belongs to the row rule; `values` are of the column's type, by the rule's number."""
    return Origin(SetByRule(tuple(values)), target, "set by the row rule")


def expression_origin(expression: str, inputs: tuple[ColumnPlan, ...]) -> Origin:
    """Evaluate a T-SQL expression over the names of its inputs."""
    compiled = compile_expression(expression, {rule.name: rule.type for rule in inputs})
    return Origin(Computed(compiled, tuple(map(_with_path, inputs))), compiled.type, f"expression {expression}")


def _with_path(rule: ColumnPlan) -> Compute:
    """Compute an input so that its errors name its own path rather than the column's."""
    compute, path = rule.compute, rule.path

    def compute_input(row: RowScope) -> Value:
        try:
            return compute(row)
        except RULE_ERRORS as error:
            failure = failure_of(error, path)
            raise RuleError(failure.code, failure.explanation, failure.path) from None

    return compute_input


def derived_origin(
    target: SqlType, contract: str, table: str, rule_paths: Sequence[str], *, has_trees: bool = False
) -> Origin:
    """Derive a key of the column's type from the identity of the row; see the module's documentation."""
    prefixes = tuple(f"{contract}\0{table}\0{path}" for path in rule_paths)
    shape = partial(KEY_SHAPES[target.family], target)
    return Origin(DerivedKey(shape, prefixes, positions_in_trees if has_trees else None), target, "derived")
