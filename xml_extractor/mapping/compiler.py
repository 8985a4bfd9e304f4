"""Compile a contract to a plan, once in a process: decide here whatever does not depend on the document."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from xml_extractor.contract.defaults import key_rule, text_rule
from xml_extractor.contract.layout import TableLayout, has_markup, is_deferred, layouts, rule_type
from xml_extractor.contract.model import TEXT_INPUT_TYPE, Column, Contract, Input, Table, ValueRule
from xml_extractor.documents import Value
from xml_extractor.errors import ContractError
from xml_extractor.mapping import origins
from xml_extractor.mapping.generation import generate
from xml_extractor.mapping.keys import Keys
from xml_extractor.mapping.nodes import BASE, Frame, Node
from xml_extractor.mapping.origins import TableContext
from xml_extractor.mapping.paths import (
    ReadText,
    compile_boolean,
    compile_nodes,
    compile_rows,
    compile_text,
    finds_elements,
)
from xml_extractor.mapping.plan import (
    ColumnPlan,
    DistinctPlan,
    Notes,
    Origin,
    Plan,
    Reference,
    RevisionPlan,
    RowScope,
    RulePlan,
    TablePlan,
)
from xml_extractor.mapping.readers import run_values
from xml_extractor.mapping.selection import rest_of, selection_origin
from xml_extractor.mapping.steps import compose, constant_of, conversion, fuse, noting, steps_of, toleration, trims_text
from xml_extractor.tsql import compile_condition
from xml_extractor.values.sqltypes import InvalidValueError, SqlType

_OF_REVISION = "document.revision"
"""The name of the frame of the rules of `document.revision`."""


def compile_plan(contract: Contract) -> Plan:
    """Compile a contract that is known to be consistent.

    Raises:
        ContractError: A constant of the contract does not fit its column.
    """
    document = contract.document
    tables = {layout.name: layout for layout in layouts(contract)}
    reading = origins.reading_for(document.key_type)
    keys = Keys(contract.keys, contract.namespaces) if contract.keys else None
    compilation = _Compilation(contract, tables, keys)
    compilation.frames[""] = Frame(keys)
    table_plans = tuple(_table(layout, compilation) for layout in tables.values())
    revision = _revision(contract, compilation)
    return Plan(
        contract=contract,
        read_key=None if document.key is None else compile_text(document.key, contract.namespaces, reading),
        convert_key=_key_converter(contract),
        run_values=partial(run_values, contract),
        tables=table_plans,
        has_markup=has_markup(contract),
        noted=compilation.noted,
        keys=keys,
        frames=tuple(frame for frame in compilation.frames.values() if frame.uses),
        has_deferred=any(table.deferred for table in table_plans),
        revision=revision,
        code=generate(contract, table_plans, compilation.noted),
    )


def _key_converter(contract: Contract) -> Callable[[str], Value]:
    """Build the conversion of the text of a document's key, which gives None for a text that transforms empty."""
    apply = fuse(steps_of(key_rule(contract), None, contract.document.key_type, contract)).apply
    return apply or (lambda text: text)


@dataclass(frozen=True, slots=True)
class _Compilation:
    """What the tables of a contract share while they are compiled.

    Attributes:
        frames: The frames of the tables compiled so far; that of the root element under an empty name.
    """

    contract: Contract
    layouts: dict[str, TableLayout]
    keys: Keys | None
    noted: Notes = field(default_factory=list)
    frames: dict[str, Frame] = field(default_factory=dict)


def _revision(contract: Contract, compilation: _Compilation) -> RevisionPlan | None:
    revision, deleted, namespaces = contract.document.revision, contract.document.deleted, contract.namespaces
    if revision is None:
        return None
    # These rules read the root element, and belong to no table.
    frame = compilation.frames[_OF_REVISION] = Frame(compilation.keys)
    note = noting(compilation.noted, "")
    context = TableContext(contract, "", compilation.layouts, frame, note)
    reading = origins.reading_for(TEXT_INPUT_TYPE)
    return RevisionPlan(
        of=tuple((path, _of(path, compile_text(path, namespaces, reading, frame), contract)) for path in revision.of),
        order=tuple(_input("order", rule, context) for rule in revision.order),
        deletes=None if deleted is None else (deleted, compile_boolean(deleted, namespaces, frame)),
        searches=len(context.searches),
        noted=compilation.noted,
        frame=frame,
    )


def _of(path: str, read: ReadText, contract: Contract) -> ReadText:
    """Build what reads a value of `revision.of`, with the contract's default transforms."""
    rule = text_rule(contract, path)
    apply = fuse(steps_of(rule, None, rule.type or TEXT_INPUT_TYPE, contract)).apply

    def read_of(node: Node) -> str | None:
        text = read(node)
        value = text if text is None or apply is None else apply(text)
        return None if value is None else str(value)

    return read_of


def _table(layout: TableLayout, compilation: _Compilation) -> TablePlan:
    contract, noted = compilation.contract, compilation.noted
    table = contract.tables[layout.name]
    rules, start_frame = _row_rules(table, compilation)
    frame = _frame(layout.name, compilation)
    uses, namespaces = frame.uses, contract.namespaces
    recursive = table.recursive and RulePlan(table.recursive, compile_rows(table.recursive, namespaces, frame))
    context = TableContext(contract, layout.name, compilation.layouts, frame, lambda _: None)
    columns = tuple(
        _column(column.name, table.columns[column.name], replace(context, note=noting(noted, column.name)))
        for column in layout.columns
    )
    numbers = {column.name: number for number, column in enumerate(layout.columns)}
    when = None if table.when is None else compile_condition(table.when, {each.name: each.type for each in columns})
    distinct, deferred = table.distinct, _deferred(layout, columns, contract)
    return TablePlan(
        name=layout.name,
        parent=None if table.parent is None else context.table_index(table.parent),
        rules=rules,
        recursive=recursive or None,
        columns=columns,
        computes=tuple(_nothing_yet if number in deferred else column.compute for number, column in enumerate(columns)),
        searches=len(context.searches),
        start_frame=start_frame,
        frame=frame if frame.uses > uses else None,
        at_least_one=tuple(numbers[column] for column in table.at_least_one),
        when=when,
        read_by_when=frozenset(numbers[column] for column in _needed(table, when.names if when else ())),
        distinct=None
        if distinct is None
        else DistinctPlan(
            tuple(numbers[by] for by in distinct.by), distinct.keep, attaches=distinct.children == "attach"
        ),
        has_children=any(other.parent == layout.name for other in contract.tables.values()),
        is_referred_to=any(
            (column.reference or "").startswith(f"{layout.name}.")
            for other in contract.tables.values()
            for column in other.columns.values()
        ),
        deferred=tuple(deferred.items()),
        required=tuple(numbers[column.name] for column in layout.columns if column.required),
    )


def _needed(table: Table, names: Iterable[str]) -> set[str]:
    """Return columns, and the columns of the same row from which they are computed."""
    needed, rest = set[str](), list(names)
    while rest:
        name = rest.pop()
        if name not in needed:
            needed.add(name)
            rest += [rule.column for rule in table.columns[name].inputs.values() if rule.column is not None]
    return needed


def _deferred(layout: TableLayout, columns: Sequence[ColumnPlan], contract: Contract) -> dict[int, Reference]:
    """Return the columns, by number, whose references may lead to rows that come later."""
    rules = contract.tables[layout.name].columns
    return {
        number: column.origin.reference
        for number, column in enumerate(columns)
        if column.origin.reference is not None and is_deferred(contract, layout.name, rules[column.name])
    }


def _nothing_yet(_: RowScope) -> Value:
    return None


def _row_rules(table: Table, compilation: _Compilation) -> tuple[tuple[RulePlan, ...], Frame | None]:
    """Return the row rules, and the frame that they need."""
    frame = compilation.frames[table.parent or ""]
    uses, namespaces = frame.uses, compilation.contract.namespaces
    rules = tuple(RulePlan(rule.path, compile_rows(rule.path, namespaces, frame)) for rule in table.rows)
    return rules, frame if frame.uses > uses else None


def _frame(name: str, compilation: _Compilation) -> Frame:
    """Return the frame of a table, with its named nodes."""
    contract, keys = compilation.contract, compilation.keys
    table = contract.tables[name]
    frame = Frame(keys, only_elements=_finds_only_elements(contract, name))
    compilation.frames[name] = frame
    names = {**table.nodes, **({} if table.base is None else {BASE: table.base})}
    for node_name, path in names.items():
        frame.add(node_name, path, compile_nodes(path, contract.namespaces, frame))
    return frame


def _finds_only_elements(contract: Contract, name: str) -> bool:
    table = contract.tables[name]
    starts_at_elements = table.parent is None or _finds_only_elements(contract, table.parent)
    return all(finds_elements(rule.path) and (rule.path != "." or starts_at_elements) for rule in table.rows)


def _column(name: str, column: Column, context: TableContext) -> ColumnPlan:
    try:
        target = rule_type(context.contract, column)
        inputs = tuple(_input(input_name, rule, context) for input_name, rule in column.inputs.items())
        origin = _rule_origin(column, target, context) or _column_origin(name, column, target, inputs, context)
        return _column_plan(name, column, target, origin, inputs, context)
    except InvalidValueError as error:
        raise ContractError(f"tables.{context.name}.columns.{name}: a constant does not fit: {error}") from None


def _input(name: str, rule: Input, context: TableContext) -> ColumnPlan:
    origin = _rule_origin(rule, rule.type or TEXT_INPUT_TYPE, context)
    origin = origin or origins.column_origin(rule.column or "", context)
    target = rule.type or origin.type or TEXT_INPUT_TYPE
    return _column_plan(name, rule, target, origin, (), context)


def _column_plan(
    name: str,
    rule: ValueRule,
    target: SqlType,
    origin: Origin,
    inputs: tuple[ColumnPlan, ...],
    context: TableContext,
) -> ColumnPlan:
    rest = rest_of(rule) if rule.selects else rule
    steps = steps_of(rest, origin.type, target, context.contract, context.note, trims=trims_text(rule))
    default = constant_of(rule.default, target, context.contract)
    convert, tolerate = conversion(steps), toleration(rule.on_invalid, default, context.note)
    compute = compose(origin.read, convert, tolerate)
    path = rule.path or (rule.at if isinstance(rule, Column) else None) or ""
    return ColumnPlan(name, path, target, origin, inputs, steps, rule.on_invalid, default, convert, tolerate, compute)


def _rule_origin(rule: ValueRule, target: SqlType, context: TableContext) -> Origin | None:
    """Return the origins that columns and inputs have in common; None for any other."""
    if rule.path is not None:
        return (
            selection_origin(rule, target, context) if rule.selects else origins.path_origin(rule.path, target, context)
        )
    if rule.parent is not None:
        return origins.parent_origin(rule.parent, context)
    if rule.run is not None:
        return origins.run_origin(rule.run, context)
    return None


def _column_origin(
    name: str, column: Column, target: SqlType, inputs: tuple[ColumnPlan, ...], context: TableContext
) -> Origin:
    contract = context.contract
    rules = contract.tables[context.name].rows
    if column.reference is not None:
        return origins.reference_origin(column.reference, column.at or "", context)
    if column.expression is not None:
        return origins.expression_origin(column.expression, inputs)
    if column.derived is not None:
        paths, has_trees = [rule.path for rule in rules], any(table.recursive for table in contract.tables.values())
        return origins.derived_origin(target, contract.contract, context.name, paths, has_trees=has_trees)
    if column.set_by_rule is not None:
        values = [constant_of(rule.set_values.get(name), target, contract) for rule in rules]
        return origins.set_origin(values, target)
    if column.position is not None:
        return origins.position_origin()
    return origins.constant_origin(constant_of(column.value, target, contract), target)
