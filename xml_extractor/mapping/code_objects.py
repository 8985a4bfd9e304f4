"""The objects that generated code refers to besides those of its contract."""

from xml_extractor.documents import Counted
from xml_extractor.mapping import rows
from xml_extractor.mapping.errors import RULE_ERRORS, UnusualError
from xml_extractor.mapping.nodes import ValueNode
from xml_extractor.mapping.paths import NIL, getter, own_text, string_value_or_nil
from xml_extractor.mapping.plan import RowScope

LOCAL_NAMES = (
    *("document", "rows", "noted", "counts", "clock", "run", "tolerated", "parent", "start", "position", "shared"),
    *("nodes", "node", "element", "owner", "text", "rule", "get", "row", "error", "column", "what"),
    *("children", "find_children", "child", "above"),
)
"""The variables of all functions."""

OBJECTS: dict[str, object] = {
    "NIL": NIL,
    "RULE_ERRORS": RULE_ERRORS,
    "RowScope": RowScope,
    "UnusualError": UnusualError,
    "ValueNode": ValueNode,
    "check_required": rows.check_required,
    "count_tolerated": rows.count_tolerated,
    "distinct_rows": rows.distinct_rows,
    "getter": getter,
    "leave_out": rows.leave_out,
    "leave_out_children": rows.leave_out_children,
    "own_text": own_text,
    "string_value_or_nil": string_value_or_nil,
    **{f"{counted.name}": counted for counted in (Counted.AT_LEAST_ONE, Counted.WHEN)},
}
"""By their names in the code."""
