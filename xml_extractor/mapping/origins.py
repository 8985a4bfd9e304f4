"""Where a value comes from: one function for each kind of origin that a contract can name.

Derived keys: a key is a BLAKE2b hash of contract, table, path of the row rule, document key, and the positions of the
row and of its parent rows. So they are idempotent: loading a document again gives the same keys, in any target and by
any worker. Keys of `uniqueidentifier`, `binary(16)` and 32 hexadecimal digits have 128 bits. A `bigint` has 63: among n
keys, the probability that any two are equal is about n^2 / 2^64, which is 5 % for a billion rows and 0.000005 % for a
million.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from operator import itemgetter

from xml_extractor.contract.layout import TableLayout
from xml_extractor.contract.model import POSITION_TYPE, Contract
from xml_extractor.contract.rewriting import starting_at, written
from xml_extractor.contract.run_values import RunValue
from xml_extractor.contract.xpath import Call, Path, parse_xpath
from xml_extractor.documents import DocumentKey, RecordKey, RunValues, Value
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
    first_text,
    split_path,
    string_value,
    string_value_or_nil,
)
from xml_extractor.mapping.plan import ColumnPlan, Compute, Note, Origin, RowScope
from xml_extractor.mapping.references import RowReference
from xml_extractor.mapping.trees import positions as positions_in_trees
from xml_extractor.mapping.trees import read_container
from xml_extractor.tsql import compile_condition, compile_expression
from xml_extractor.values.sqltypes import MAX, Family, SqlType, parse_type

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

    def search(self, path: str) -> tuple[int, FindElements]:
        """Return a shared search and its number."""
        if path not in self.searches:
            self.searches[path] = compile_elements(path, self.contract.namespaces, self.frame)
        return list(self.searches).index(path), self.searches[path]

    def start(self, path: str) -> str:
        """Return the path of a column from the row's node: from the table's `base`, if it has one."""
        table = self.contract.tables.get(self.name)
        if table is None or table.base is None:
            return path
        return written(starting_at(parse_xpath(path), BASE))

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
        return _own_text
    split = split_path(path, namespaces) if context.frame.only_elements else None
    if split is None:
        text = _compile_expression(path, target, context)
        return lambda row: text(row.node)
    attribute = split.attribute
    if split.elements == ".":
        return lambda row: row.element.get(attribute)
    return _read_shared(*context.search(split.elements), attribute)


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


def _own_text(row: RowScope) -> Value:
    node = row.node
    return node.text if isinstance(node, ValueNode) else string_value_or_nil(node)


def _read_shared(number: int, search: FindElements, attribute: str) -> Compute:
    def read_text(row: RowScope) -> Value:
        found = row.found[number]
        if found is None:
            found = row.found[number] = search(row.element)
        return first_text(found, string_value_or_nil)

    def read_attribute(row: RowScope) -> Value:
        found = row.found[number]
        if found is None:
            found = row.found[number] = search(row.element)
        for element in found:  # `first_attribute` inline: the call would cost more than the loop
            value = element.get(attribute)
            if value is not None:
                return value
        return None

    return read_attribute if attribute else read_text


def parent_origin(reference: str, context: TableContext) -> Origin:
    """Read a column of an ancestor row, of the containing row, or of the only row of a table that has one."""
    table, _, name = reference.partition(".")
    index, column_type = context.column(table, name)
    levels = context.levels_above(table)
    if table == context.name:
        read = read_container(index)
    else:
        read = _read_ancestor(index, levels) if levels else _read_only_row(context.table_index(table), index)
    return Origin(read, column_type, f"parent {reference}")


def reference_origin(reference: str, path: str, context: TableContext) -> Origin:
    """Read a column of the row that was made from another node."""
    table, _, name = reference.partition(".")
    index, column_type = context.column(table, name)
    find = partial(context.find, path)
    row = RowReference(find(), context.table_index(table), index, context.frame.keys, context.note)
    return Origin(row.read, column_type, f"reference {reference} at {path}", find, row)


def _read_ancestor(index: int, levels: int) -> Compute:
    def read(row: RowScope) -> Value:
        ancestor = row
        for _ in range(levels):
            ancestor = ancestor.parent or ancestor
        return ancestor.values[index]

    return read


def _read_only_row(table: int, index: int) -> Compute:
    def read(row: RowScope) -> Value:
        rows = row.document.rows[table]
        return rows[0].values[index] if rows else None

    return read


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
"""The types of `run_values`, in the same order."""


def run_values(contract: Contract, key: Value, source_key: DocumentKey, run: RunValues) -> tuple[Value, ...]:
    """Return the values of a run for one document, in a fixed order."""
    place = source_key.place if isinstance(source_key, RecordKey) else None
    return (
        key,
        str(source_key),
        str(place.name if place else source_key),
        place.number if place else None,
        run.run_id,
        run.load_time,
        contract.contract,
        contract.version,
        run.source_name,
    )


def run_origin(name: RunValue, context: TableContext) -> Origin:
    """Read a value of the run."""
    index = list(_RUN_VALUES).index(name)
    is_typed_key = name == "document_key" and context.contract.document.key is not None
    value_type = context.contract.document.key_type if is_typed_key else _RUN_VALUES[name]
    return Origin(lambda row: row.document.run[index], value_type, f"run {name}")


def column_origin(name: str, context: TableContext) -> Origin:
    """Read an earlier column of the same row."""
    index, column_type = context.column(context.name, name)
    return Origin(lambda row: row.values[index], column_type, f"column {name}")


def position_origin() -> Origin:
    """Return the row's number among the nodes found for its parent row."""
    return Origin(lambda row: row.position, POSITION_TYPE, "position")


def constant_origin(value: Value, target: SqlType) -> Origin:
    """Return one value of the column's type for all rows."""
    return Origin(lambda _: value, target, "constant")


def set_origin(values: Sequence[Value], target: SqlType) -> Origin:
    """Return the value that belongs to the row rule; `values` are of the column's type, by the rule's number."""
    return Origin(lambda row: values[row.rule], target, "set by the row rule")


def expression_origin(expression: str, inputs: tuple[ColumnPlan, ...], own_columns: Sequence[int]) -> Origin:
    """Evaluate a T-SQL expression.

    Args:
        expression: The expression over the names of `inputs`.
        inputs: Its inputs.
        own_columns: The positions of the inputs in the row, if all of them are columns of the same row; else empty.
    """
    compiled = compile_expression(expression, {rule.name: rule.type for rule in inputs})
    evaluate = compiled.evaluate
    name = f"expression {expression}"
    if own_columns:
        take = _taking(own_columns)
        return Origin(lambda row: evaluate(take(row.values), row.document.clock), compiled.type, name)
    computes = tuple(_with_path(rule) if rule.path or rule.steps else rule.compute for rule in inputs)

    def read(row: RowScope) -> Value:
        return evaluate([compute(row) for compute in computes], row.document.clock)

    return Origin(read, compiled.type, name)


def condition(text: str, columns: Sequence[ColumnPlan]) -> tuple[Callable[[RowScope], bool | None], tuple[str, ...]]:
    """Compile a T-SQL condition over the columns of a computed row, and return the names of those that it reads."""
    compiled = compile_condition(text, {column.name: column.type for column in columns})
    evaluate = compiled.evaluate
    return lambda row: evaluate(row.values, row.document.clock), compiled.names


def _taking(columns: Sequence[int]) -> Callable[[list[Value]], Sequence[Value]]:
    return itemgetter(*columns) if len(columns) > 1 else itemgetter(slice(columns[0], columns[0] + 1))


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


_KEY_BYTES = 16


def _bigint(_: SqlType, digest: bytes) -> Value:
    return int.from_bytes(digest[:8], "big") >> 1


def _uniqueidentifier(_: SqlType, digest: bytes) -> Value:
    digits = digest.hex().upper()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _binary(target: SqlType, digest: bytes) -> Value:
    return digest if target.length == MAX else digest[: target.length]


def _hexadecimal(target: SqlType, digest: bytes) -> Value:
    return digest.hex() if target.length == MAX else digest.hex()[: target.length]


_KEY_SHAPES: dict[Family, Callable[[SqlType, bytes], Value]] = {
    Family.INTEGER: _bigint,
    Family.GUID: _uniqueidentifier,
    Family.BINARY: _binary,
    Family.TEXT: _hexadecimal,
}


def derived_origin(
    target: SqlType, contract: str, table: str, rule_paths: Sequence[str], *, has_trees: bool = False
) -> Origin:
    """Derive a key of the column's type from the identity of the row; see the module's documentation."""
    positions: Callable[[RowScope], Iterable[str]] = positions_in_trees if has_trees else _positions
    shape = partial(_KEY_SHAPES[target.family], target)
    prefixes = tuple(f"{contract}\0{table}\0{path}" for path in rule_paths)

    def derive(row: RowScope) -> Value:
        identity = [prefixes[row.rule], str(row.document.key), *positions(row)]
        text = "\0".join(identity).encode("utf-8", "surrogatepass")
        return shape(blake2b(text, digest_size=_KEY_BYTES).digest())

    return Origin(derive, target, "derived")


def _positions(row: RowScope) -> list[str]:
    found = [str(row.position)]
    above = row.parent
    while above is not None:
        found.append(str(above.position))
        above = above.parent
    return found
