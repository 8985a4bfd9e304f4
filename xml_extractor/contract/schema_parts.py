"""Parts of the JSON Schema of contracts that follow from the types and transforms there are."""

from typing import Any

from xml_extractor.values.sqltypes import TYPES, Parameters, TypeFacts
from xml_extractor.values.transforms import TRANSFORMS, TransformKind

_LARGEST_FRACTION = 7


def type_pattern() -> str:
    """What matches exactly the types that `parse_type` reads, written without needless spaces or zeros.

    JSON Schema has no flag for letters of either case, so each letter is written as a class.
    """
    names = "|".join(_any_case(name) + _parameters(facts) for name, facts in TYPES.items())
    return f"^({names})$"


def transform_schema() -> dict[str, Any]:
    """A transform as contracts write it: its name, or a mapping of its name to its options."""
    plain = [name for name, kind in TRANSFORMS.items() if not kind.options and not kind.takes_any]
    options = {name: _options_schema(kind) for name, kind in TRANSFORMS.items()}
    lookup = {"type": "string", "description": "A name from `lookups`."}
    with_options = {
        "type": "object",
        "properties": {**options, "lookup": lookup},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {"anyOf": [{"enum": plain}, with_options]}


def _options_schema(kind: TransformKind) -> dict[str, Any]:
    if kind.takes_any:
        return {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}
    if not kind.options:
        return {"type": "null"}
    properties = {name: {"type": "string", "description": what} for name, what in kind.options.items()}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def up_to(largest: int, smallest: int = 1) -> str:
    """What matches the numbers from `smallest` (0 or 1) to `largest`, without zeros in front."""
    digits = str(largest)
    shorter = [f"[1-9][0-9]{{{length - 1}}}" for length in range(1, len(digits))]
    same: list[str] = []
    for place, digit in enumerate(digits):
        first = 1 if place == 0 else 0
        if int(digit) > first:
            rest = len(digits) - place - 1
            same.append(f"{digits[:place]}[{first}-{int(digit) - 1}][0-9]{{{rest}}}")
    return "|".join([*(["0"] if smallest == 0 else []), *shorter, *same, digits])


def _parameters(facts: TypeFacts) -> str:
    match facts.parameters:
        case Parameters.LENGTH:
            inner = up_to(facts.limit)
        case Parameters.LENGTH_OR_MAX:
            inner = f"{up_to(facts.limit)}|{_any_case('max')}"
        case Parameters.PRECISION_SCALE:
            both = [f"{precision}( *, *({up_to(precision, 0)}))?" for precision in range(1, facts.limit + 1)]
            inner = "|".join(both)
        case Parameters.FRACTION:
            inner = f"[0-{_LARGEST_FRACTION}]"
        case Parameters.MANTISSA:
            inner = up_to(facts.limit)
        case Parameters.NONE:
            return ""
    return rf"( *\( *({inner}) *\))?"


def _any_case(word: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in word)
