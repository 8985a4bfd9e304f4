"""Write the code that maps documents by a contract: one function for each table, with its columns in line.

The code does what `rows.rows_of` does for the table, and calls the same searches, conversions and expressions. It only
knows usual documents: for whatever may reject a document it raises, and then the interpreted plan maps the document, so
that it explains. Tables with `recursive`, or whose children `distinct` attaches to other rows, are always interpreted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from xml_extractor.contract.model import Contract
from xml_extractor.mapping import rows
from xml_extractor.mapping.children import ChildPath, ChildStep
from xml_extractor.mapping.code_objects import LOCAL_NAMES, OBJECTS
from xml_extractor.mapping.conversion_code import write_conversion
from xml_extractor.mapping.paths import RowSearch
from xml_extractor.mapping.plan import (
    ColumnPlan,
    GeneratedCode,
    Notes,
    TablePlan,
    is_interpreted,
    rules_of,
    starts_at_elements,
)
from xml_extractor.mapping.readers import (
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
    Selection,
    SetByRule,
    SharedSearch,
    reads_row,
)
from xml_extractor.source_code import Code


def generate(contract: Contract, tables: tuple[TablePlan, ...], noted: Notes) -> GeneratedCode:
    """Write and compile the code of a plan."""
    code = Code(OBJECTS, LOCAL_NAMES)
    read = _read_by_parent(contract)
    names = [
        ""
        if is_interpreted(table, tables)
        else _Table(code, tables, number, noted, is_read=table.name in read).written()
        for number, table in enumerate(tables)
    ]
    module = code.compiled(f"<contract {contract.contract}>")
    functions = [
        module[name] if name else partial(rows.rows_of, table) for name, table in zip(names, tables, strict=True)
    ]
    return GeneratedCode(code.text, tuple(functions))


def _read_by_parent(contract: Contract) -> set[str]:
    """Return the tables whose columns other tables read."""
    columns = [column for table in contract.tables.values() for column in table.columns.values()]
    rules = [rule for column in columns for rule in (column, *column.inputs.values())]
    return {rule.parent.partition(".")[0] for rule in rules if rule.parent is not None}


class _Table:
    """Writes the function of one table.

    Args:
        code: The module.
        tables: All tables.
        number: The number of the table.
        noted: What conversions tolerate.
        is_read: Whether columns of other tables read those of this one.
    """

    def __init__(self, code: Code, tables: tuple[TablePlan, ...], number: int, noted: Notes, *, is_read: bool) -> None:
        self._code = code
        self._tables = tables
        self._table = table = tables[number]
        self._noted = noted
        self._deferred = {column for column, _ in table.deferred}
        computed = [column for index, column in enumerate(table.columns) if index not in self._deferred]
        self._needs_row = any(map(reads_row, computed))
        self._has_objects = (
            self._needs_row
            or is_read
            or table.has_children
            or table.is_referred_to
            or bool(table.deferred)
            or table.distinct is not None
        )
        self._kind = self._kind_of_nodes()
        self._node = "element" if self._kind == "element" else "node"
        self._values: list[str] = []
        self._only_rows: dict[OnlyRowColumn, str] = {}
        self._searches: dict[tuple[int, bool], str] = {}
        self._children: dict[tuple[ChildStep, ...], str] = {}
        self._children_of_start: dict[tuple[ChildStep, ...], str] = {}
        self._conversions: dict[int, str] = {}
        self._finds_children = False

    def written(self) -> str:
        """Write the function, and those that convert texts for it; return its name."""
        code, table = self._code, self._table
        for column in rules_of(table):
            if column.origin.type is None and column.steps and not reads_row(column):
                self._conversions[id(column)] = write_conversion(code, column, self._noted)
        name = code.function(f"rows of {table.name}")
        with code.block(f"def {name}(document)"):
            code.line("rows = []" if table.distinct is None else "rows, tolerated = [], {}")
            code.line("noted, counts, run, clock = document.noted, document.counts, document.run, document.clock")
            code.line("children = document.children")
            self._read_only_rows()
            if table.parent is None:
                code.line("parent, start = None, document.root")
                self._rows_from_start()
            else:
                with code.block(f"for parent in document.rows[{table.parent}]"):
                    code.line("start = parent.node")
                    self._rows_from_start()
            self._after_rows()
            code.line("return rows")
        return name

    def _kind_of_nodes(self) -> str:
        """Return what the row rules find: `element`, `attribute` or, if nothing is certain, `node`."""
        rules = self._table.rules
        if not starts_at_elements(self._table, self._tables) or any(rule.find.find_elements is None for rule in rules):
            return "node"
        if not any(rule.find.attribute for rule in rules):
            return "element"
        reads_only_text = not self._has_objects and not any(
            isinstance(each.origin.read, PathText) for each in rules_of(self._table)
        )
        return "attribute" if reads_only_text and all(rule.find.attribute for rule in rules) else "node"

    def _read_only_rows(self) -> None:
        for each in rules_of(self._table):
            match each.origin.read:
                case OnlyRowColumn(table, index) as read if read not in self._only_rows:
                    variable = self._only_rows[read] = self._code.variable(each.origin.name)
                    rows = f"document.rows[{table}]"
                    self._code.line(f"{variable} = {rows}[0].values[{index}] if {rows} else None")

    def _rows_from_start(self) -> None:
        code, table = self._code, self._table
        if table.start_frame is not None:
            code.line(f"{code.constant('frame', table.start_frame)}.enter(start)")
        code.line("position = 0")
        with self._each_node():
            code.line("position += 1")
            if table.frame is not None:
                code.line(f"{code.constant('frame', table.frame)}.enter({self._node})")
            if self._needs_row:
                code.line(f"row = {self._row_object([])}")
            if any(
                isinstance(each.origin.read, OwnAttribute)
                for column in table.columns
                for each in (column, *column.inputs)
            ):
                code.line("get = element.get")
            self._columns()
            self._keep_row()

    @contextmanager
    def _each_node(self) -> Iterator[None]:
        """Loop over the nodes that the row rules find from a node."""
        code, rules = self._code, self._table.rules
        if self._kind == "element" and len(rules) == 1:
            code.line("rule = 0")
            found = self._from_start(rules[0].find)
            with code.block(f"for element in {found}"):
                yield
            return
        code.line("nodes = []")
        if self._kind == "node":
            code.line("shared = {}")
        names: dict[str, str] = {}
        for rule, (_, find) in enumerate(rules):
            if self._kind == "node":
                code.line(
                    f"nodes += [({rule}, node) for node in {code.constant(f'find {find.path}', find)}(start, shared)]"
                )
            elif self._kind == "element":
                code.line(f"nodes += [({rule}, element) for element in {self._from_start(find)}]")
            else:
                if find.path not in names:
                    names[find.path] = code.kept(self._from_start(find), f"found {find.path}")
                with code.block(f"for owner in {names[find.path]}"):
                    code.line(f"text = owner.get({find.attribute!r})")
                    with code.block("if text is not None"):
                        code.line(f"nodes.append(({rule}, owner, text))")
        variables = {"node": "rule, node", "element": "rule, element", "attribute": "rule, element, text"}
        with code.block(f"for {variables[self._kind]} in nodes"):
            if self._kind == "node":
                code.line("element = node.owner if isinstance(node, ValueNode) else node")
            yield

    def _from_start(self, find: RowSearch) -> str:
        """Return the expression of the elements that a row rule finds."""
        if find.path == ".":
            return "(start,)"
        if isinstance(find.find_elements, ChildPath):
            return find.find_elements.write(self._code, "children[start].get", self._children_of_start)
        return f"{self._code.constant(f'find {find.path}', find.find_elements)}(start)"

    def _columns(self) -> None:
        code = self._code
        for index, column in enumerate(self._table.columns):
            variable = code.variable(column.name)
            if index in self._deferred:
                code.line(f"{variable} = None")
            elif reads_row(column):
                code.line(f"row.values = [{', '.join(self._values)}]")
                code.line(f"{variable} = {code.constant(f'compute {column.name}', column.compute)}(row)")
            else:
                for each in (column, *column.inputs):
                    self._search_once(each)
                self._assign(variable, column)
            self._values.append(variable)

    def _search_once(self, column: ColumnPlan) -> None:
        """Search for what several columns share, before the first of them is read: its error may be tolerated."""
        code = self._code
        match column.origin.read:
            case SharedSearch(number, path, find, attribute) if (number, bool(attribute)) not in self._searches:
                if isinstance(find, ChildPath):
                    found = find.write(code, self._find_children(), self._children)
                else:
                    found = f"{code.constant(f'find {path}', find)}(element)"
                found, hint = (f"getter({found})", f"get from {path}") if attribute else (found, f"found {path}")
                self._searches[number, bool(attribute)] = code.kept(found, hint)
            case PathText(_, ChildPath() as path) | Selection(_, _, ChildPath() as path) if self._kind == "element":
                path.write(code, self._find_children(), self._children)

    def _find_children(self) -> str:
        """Return the function that finds children of the row's element, which is looked up before the first of them."""
        if not self._finds_children:
            self._code.line("find_children = children[element].get")
        self._finds_children = True
        return "find_children"

    def _assign(self, variable: str, column: ColumnPlan) -> None:
        """Write the statements that compute a column or input."""
        code = self._code
        if column.tolerate is None:
            code.line(f"{variable} = {self._converted(column)}")
            return
        with code.block("try"):
            code.line(f"{variable} = {self._converted(column)}")
        with code.block("except RULE_ERRORS as error"):
            code.line(f"{variable} = {code.constant(f'tolerate {column.name}', column.tolerate)}(error)")

    def _input(self, column: ColumnPlan) -> str:
        if column.tolerate is None:
            return self._converted(column)
        variable = self._code.variable(column.name)
        self._assign(variable, column)
        return variable

    def _converted(self, column: ColumnPlan) -> str:
        """Return the expression of a column's value, with its conversion."""
        value = self._read(column)
        if not column.steps:
            return value
        if column.origin.type is not None:
            return self._assigned(column, value)
        return self._conversions[id(column)].format(value)

    def _assigned(self, column: ColumnPlan, value: str) -> str:
        """Return the expression of a typed value as the column's type has it."""
        code = self._code
        if len(column.steps) > 1 or column.steps[0].apply is None:
            return f"{code.constant(f'convert {column.name}', column.convert)}({value})"
        name = code.kept(value, column.origin.name)
        kernel = getattr(column.steps[0].apply, "kernel", column.steps[0].apply)
        return f"None if {name} is None else {code.constant(column.steps[0].name, kernel)}({name})"

    def _read(self, column: ColumnPlan) -> str:
        """Return the expression of what a column reads."""
        code = self._code
        match column.origin.read:
            case OwnAttribute(name):
                text = f"get({name!r})"
            case OwnText():
                kinds = {"attribute": "text", "element": "string_value_or_nil(element)", "node": "own_text(node)"}
                text = kinds[self._kind]
            case SharedSearch(number, _, _, attribute):
                variable = self._searches[number, bool(attribute)]
                first = f"string_value_or_nil({variable}[0]) if {variable} else None"
                text = f"{variable}({attribute!r})" if attribute else first
            case PathText(_, ChildPath() as counted) if self._kind == "element":
                text = f"str(len({self._children[counted.steps]}))"
            case PathText(read):
                text = f"{code.constant(f'read {column.path}', read)}({self._node})"
            case Selection(_, select, ChildPath() as path) if self._kind == "element":
                text = f"{code.constant(f'select {column.path}', select)}({self._children[path.steps]})"
            case Selection(find, select):
                nodes = f"{code.constant(f'find {column.path}', find)}({self._node})"
                text = f"{code.constant(f'select {column.path}', select)}({nodes})"
            case Computed(expression):
                text = expression.write(
                    code, [code.kept(self._input(each), each.name) for each in column.inputs], "clock"
                )
            case _:
                text = self._read_without_document(column)
        return text

    def _read_without_document(self, column: ColumnPlan) -> str:
        """Return the expression of what comes from other columns and rows."""
        match column.origin.read:
            case AncestorColumn(index, levels):
                text = f"parent{'.parent' * (levels - 1)}.values[{index}]"
            case OnlyRowColumn() as only_row:
                text = self._only_rows[only_row]
            case OwnColumn(index):
                text = self._values[index]
            case RunColumn(index):
                text = f"run[{index}]"
            case Position():
                text = "position"
            case SetByRule(values):
                constant = self._code.constant(f"{column.name} by rule", values)
                text = f"{constant}[rule]" if len(values) > 1 else f"{constant}[0]"
            case DerivedKey() as key:
                above = [f"parent{'.parent' * level}.position" for level in range(self._levels())]
                prefix = f"{self._code.constant(f'prefixes of {column.name}', key.prefixes)}[rule]"
                identity = "\\0".join(f"{{{part}}}" for part in (prefix, "document.key", "position", *above))
                text = f"{self._code.constant(f'derive {column.name}', key.key)}(f'{identity}')"
            case other:
                raise TypeError(other)
        return text

    def _levels(self) -> int:
        levels, parent = 0, self._table.parent
        while parent is not None:
            levels, parent = levels + 1, self._tables[parent].parent
        return levels

    def _row_object(self, values: list[str]) -> str:
        searches = f"[None] * {self._table.searches}" if self._needs_row or self._deferred else "[]"
        places = f"document, parent, {self._node}, element, rule, position, {searches}"
        return f"RowScope({places}, [{', '.join(values)}])"

    def _keep_row(self) -> None:
        """Write what leaves the row out, or adds it."""
        code, table, values = self._code, self._table, self._values
        if self._has_objects:
            code.line(f"row = {self._row_object(values)}")
        if table.distinct is not None:
            with code.block("if noted"):
                code.line("tolerated[row] = noted.copy()")
                code.line("noted.clear()")
        if table.at_least_one:
            self._leave_out(" and ".join(f"{values[number]} is None" for number in table.at_least_one), "AT_LEAST_ONE")
        if table.when is not None:
            self._leave_out(f"{code.kept(table.when.write(code, values, 'clock'), 'when')} is not True", "WHEN")
        if table.distinct is not None:
            code.line("rows.append(row)")
            return
        if table.required and not table.deferred:
            with code.block(f"if {' or '.join(f'{values[number]} is None' for number in table.required)}"):
                code.line("raise UnusualError")
        code.line("rows.append(row)" if self._has_objects else f"rows.append(({', '.join(values)},))")
        with code.block("if noted"):
            with code.block("for column, what in noted"):
                code.line(f"counts[{table.name!r}, column, what] += 1")
            code.line("noted.clear()")

    def _leave_out(self, condition: str, why: str) -> None:
        code, table = self._code, self._table
        with code.block(f"if {condition}"):
            if table.distinct is None:
                code.line("noted.clear()")
            if self._has_objects:
                code.line(f"leave_out({code.constant('table', table)}, {self._node}, {why}, document)")
            else:
                code.line(f"counts[{table.name!r}, '', {why}] += 1")
            code.line("continue")

    def _after_rows(self) -> None:
        code, table = self._code, self._table
        plan = code.constant("table", table)
        if table.distinct is not None:
            code.line(f"rows = distinct_rows({plan}, rows, {plan}.distinct, document)")
            if table.required and not table.deferred:
                code.line(f"check_required({plan}, rows)")
            with code.block("if tolerated"):
                code.line(f"count_tolerated({plan}, rows, tolerated)")
        if table.parent is not None:
            with code.block(f"if {table.parent} in document.left_out"):
                code.line(f"leave_out_children({plan}, document)")
