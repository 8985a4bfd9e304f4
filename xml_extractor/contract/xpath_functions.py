"""The functions of XPath 1.0 and the kinds of values that expressions have.

Source: "XML Path Language (XPath) Version 1.0", W3C Recommendation, section 4; the functions of regular expressions
are those of EXSLT, which lxml has built in.
"""

from typing import Literal, NamedTuple

from xml_extractor.contract.xpath import Call, Constant, Expression, Operation, Path

Kind = Literal["node-set", "number", "text", "boolean", "unknown"]

ANY_NUMBER = 1000


class Function(NamedTuple):
    """A function: the fewest and most arguments it takes, and the kind of its value."""

    fewest: int
    most: int
    kind: Kind


FUNCTIONS: dict[str, Function] = {
    "boolean": Function(1, 1, "boolean"),
    "ceiling": Function(1, 1, "number"),
    "concat": Function(2, ANY_NUMBER, "text"),
    "contains": Function(2, 2, "boolean"),
    "count": Function(1, 1, "number"),
    "false": Function(0, 0, "boolean"),
    "floor": Function(1, 1, "number"),
    "id": Function(1, 1, "node-set"),
    "lang": Function(1, 1, "boolean"),
    "last": Function(0, 0, "number"),
    "local-name": Function(0, 1, "text"),
    "name": Function(0, 1, "text"),
    "namespace-uri": Function(0, 1, "text"),
    "normalize-space": Function(0, 1, "text"),
    "not": Function(1, 1, "boolean"),
    "number": Function(0, 1, "number"),
    "position": Function(0, 0, "number"),
    "round": Function(1, 1, "number"),
    "starts-with": Function(2, 2, "boolean"),
    "string": Function(0, 1, "text"),
    "string-length": Function(0, 1, "number"),
    "substring": Function(2, 3, "text"),
    "substring-after": Function(2, 2, "text"),
    "substring-before": Function(2, 2, "text"),
    "sum": Function(1, 1, "number"),
    "translate": Function(3, 3, "text"),
    "true": Function(0, 0, "boolean"),
}
EXSLT_FUNCTIONS: dict[str, Function] = {
    "match": Function(2, 3, "node-set"),
    "replace": Function(4, 4, "text"),
    "test": Function(2, 3, "boolean"),
}
_ARITHMETIC = ("+", "-", "*", "div", "mod")


def kind_of(expression: Expression) -> Kind:
    """The kind of an expression's value."""
    match expression:
        case Path():
            return "node-set"
        case Call(name):
            return FUNCTIONS[name].kind if name in FUNCTIONS else "unknown"
        case Operation("|"):
            return "node-set"
        case Operation(operator):
            return "number" if operator in _ARITHMETIC else "boolean"
        case Constant(kind):
            return "unknown" if kind == "variable" else kind
