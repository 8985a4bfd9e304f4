"""Transforms: steps from text to text, before the text is converted to a value.

A new transform is a function here and a line in `TRANSFORMS`.

Codes raised: `not_a_number`, `unknown_code`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.values.sqltypes import InvalidValueError

TextStep = Callable[[str], str]
"""One step; an empty result is a blank value."""

_NOT_DIGITS = re.compile(r"[^0-9]+")
_AMOUNT = re.compile(r"[ $]*((?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]+)?)[ %]*")
_NUMBER = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+")
_MINUS_SIGNS = str.maketrans("\u2212\u2013\uff0d", "---")
_CURRENCY_SIGNS = "$¢£¤¥€₣₤₩₪₫₱₹₺₽"
_SPACE = " \t\r\n\xa0"


def collapse(text: str) -> str:
    """Replace each run of white space by one space, and strip the ends."""
    return " ".join(text.split())


def digits(text: str) -> str:
    """Keep only the digits 0 to 9."""
    return _NOT_DIGITS.sub("", text)


def number(text: str) -> str:
    """Extract the one number in a text, in plain notation.

    It accepts `$1,234.50`, `USD 5`, `12 %`, `-5`, `5-` and `(5)`, the last three negative. Texts with no number or
    several, commas that do not group thousands, and signs that may be hyphens (`Suite-5`, `5-year`) are errors.

    Raises:
        InvalidValueError: `not_a_number`.
    """
    amount = _AMOUNT.fullmatch(text)
    if amount is not None:
        return amount[1].replace(",", "")
    plain = text.translate(_MINUS_SIGNS)
    found = _NUMBER.search(plain)
    if found is None:
        raise InvalidValueError(Reason.NOT_A_NUMBER, "the text holds no number")
    before, after = plain[: found.start()], plain[found.end() :]
    if any(character.isnumeric() for character in before + after):
        raise InvalidValueError(Reason.NOT_A_NUMBER, "the text holds more than one number")
    if before.endswith(",") or (found[0].startswith(".") and before[-1:].isalpha()):
        raise InvalidValueError(Reason.NOT_A_NUMBER, "it is not clear where the number begins")
    return _sign(before, after) + found[0].replace(",", "")


def _sign(before: str, after: str) -> str:
    left, right = before.strip(_SPACE + _CURRENCY_SIGNS), after.strip(_SPACE + _CURRENCY_SIGNS)
    marks = "".join(character for character in left + right if character in "+-()")
    if not marks:
        return ""
    if left.startswith("(") and right.endswith(")") and marks == "()":
        return "-"
    if marks in ("+", "-") and (right == marks or _is_leading_sign(before, left, marks)):
        return "-" if marks == "-" else ""
    raise InvalidValueError(Reason.NOT_A_NUMBER, "the sign of the number is not clear")


def _is_leading_sign(before: str, left: str, mark: str) -> bool:
    return left.startswith(mark) or before.rstrip(_CURRENCY_SIGNS).endswith(f" {mark}")


def replace_step(options: Mapping[str, object]) -> TextStep:
    r"""Build the step that replaces whatever matches a regular expression; `\1` and `\g<name>` are its groups.

    Raises:
        ValueError: The expression or a group reference is wrong.
    """
    pattern, replacement = str(options["pattern"]), str(options["with"])
    try:
        compiled = re.compile(pattern)
        compiled.sub(replacement, "")  # parses the replacement even if nothing matches
    except (re.error, IndexError) as error:
        raise ValueError(f"'{pattern}' with '{replacement}' is not a regular expression to replace: {error}") from None

    def replace(text: str) -> str:
        return compiled.sub(replacement, text)

    return replace


def map_step(options: Mapping[str, object]) -> TextStep:
    """Build the step that replaces whole texts by others; texts that are not listed do not change."""
    texts = {str(key): str(value) for key, value in options.items()}

    def map_text(text: str) -> str:
        return texts.get(text, text)

    return map_text


@dataclass(frozen=True)
class TransformKind:
    """A transform that contracts can name.

    Attributes:
        build: Builds the step from its options.
        options: The names of its options, all required, and what each is.
        takes_any: The options are a table with keys of the contract's choice.
    """

    build: Callable[[Mapping[str, object]], TextStep]
    options: Mapping[str, str] = field(default_factory=dict)
    takes_any: bool = False


def _plain(step: TextStep) -> TransformKind:
    return TransformKind(lambda _options: step)


TRANSFORMS: dict[str, TransformKind] = {
    "trim": _plain(str.strip),
    "upper": _plain(str.upper),
    "lower": _plain(str.lower),
    "collapse": _plain(collapse),
    "digits": _plain(digits),
    "number": _plain(number),
    "replace": TransformKind(
        replace_step, {"pattern": "a regular expression", "with": "the text that takes its place"}
    ),
    "map": TransformKind(map_step, takes_any=True),
}
"""Every transform by its name in contracts, except `lookup`, which needs the contract's tables: see `lookup_step`."""


def transform_step(name: str, options: Mapping[str, object] | None) -> TextStep:
    """Build a transform.

    Raises:
        ValueError: The name is unknown, or its options are wrong; the message says what is expected.
    """
    kind = TRANSFORMS.get(name)
    if kind is None:
        raise ValueError(f"'{name}' is not a transform; known are {', '.join(TRANSFORMS)}")
    given = options or {}
    not_text = [key for key, value in given.items() if not isinstance(value, str)]
    if not_text:
        raise ValueError(f"the options of {name} are texts; write the value of '{not_text[0]}' in quotes")
    if kind.takes_any:
        if not given:
            raise ValueError(f"{name} takes a table, such as {{from text: to text}}")
    elif given.keys() != kind.options.keys():
        expected = ", ".join(f"{key} ({what})" for key, what in kind.options.items()) or "no options"
        raise ValueError(f"{name} takes {expected}")
    return kind.build(given)


def lookup_step(
    values: Mapping[str, Value],
    blank: Value = None,
    unknown: Value = None,
    *,
    has_unknown: bool = False,
    note_unknown: Callable[[], object] = lambda: None,
) -> Callable[[str | None], Value]:
    """Build the step from a code of the document to its value.

    Args:
        values: The values by code.
        blank: The value of a missing code.
        unknown: The value of codes that are not listed.
        has_unknown: Whether `unknown` applies; if not, such a code raises `InvalidValueError` (`unknown_code`).
        note_unknown: Called when `unknown` is applied.
    """

    def lookup(code: str | None) -> Value:
        if code is None:
            return blank
        try:
            return values[code]
        except KeyError:
            if has_unknown:
                note_unknown()
                return unknown
            raise InvalidValueError(Reason.UNKNOWN_CODE, "the lookup does not list that code") from None

    return lookup
