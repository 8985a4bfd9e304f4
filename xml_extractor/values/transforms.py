"""Transforms: steps from text to text, before the text is converted to a value.

A new transform is a function here and a line in `TRANSFORMS`.

Codes raised: `not_a_number`, `unknown_code`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from unicodedata import category

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.values.sqltypes import InvalidValueError

TextStep = Callable[[str], str]
"""One step; an empty result is a blank value."""

_find_digits = re.compile("[0-9]+").findall
_MINUS_SIGNS = str.maketrans("\u2212\u2013\uff0d", "---")
_GROUPS = {",": ",", ".": r"\.", "'": "['\u2019]", " ": "[ \xa0\u2007\u2009\u202f]"}
"""What separates groups of thousands, by the option `group` of `number`."""
_WORD = re.compile(r"[^\W\d_]+")
_DOLLAR = re.compile(r"\b(?:US|CA|AU|NZ|HK|NT|[ACRS])\$")
_CURRENCIES, _SCALES = "(?:eur|usd|gbp|chf|jpy|cad|aud|inr|nok|sek|dkk)", "(?:[kmtb]|mm|bn|mn|mio|mrd|tsd)"
_FULL_STOP = re.compile(r"(?:(?<=[^\W\d_])|(?<=\n))\.")
_CHANGES_THE_VALUE = re.compile(
    rf"\w|{_SCALES}{_CURRENCIES}|{_CURRENCIES}{_SCALES}"
    "|cr|dr|cred|deb|credits?|debits?|haben|soll|minus|plus|neg|negativ|negative|less|loss|overdrawn|od|exp"
    "|half|third|quarter|halb|viertel|squared|cubed|hundreds?|hundert|dozens?|lakhs?|lacs?|crores?"
    "|tsd|tausend|thou|thousands?|mil|mila|mille|mm|mn|mln|mill|mio|millions?|millionen|millones|miljoen|miljard"
    "|mrd|mds?|milliarden?|milliards?|bn|bln|bio|bil|billions?|billionen|tn|trn|tril|trio|trillions?"
)
"""Words, folded, that make a number another one: single letters, scales, signs, fractions."""
_SPACE = " \t\r\n\xa0"


def collapse(text: str) -> str:
    """Replace each run of white space by one space, and strip the ends."""
    return " ".join(text.split())


def digits(text: str) -> str:
    """Keep only the digits 0 to 9."""
    return "".join(_find_digits(text))


def number_step(options: Mapping[str, object]) -> TextStep:
    """Build the step that extracts the one number in a text, in plain notation.

    It accepts `$1,234.50`, `USD 5`, `12 %`, `-5`, `5-` and `(5)`, the last three negative. Everything around the number
    must be understood: words are, unless they may change the value (`5 M`, `12.50 DR`), and so are currency signs.

    Args:
        options: `decimal`, the decimal sign (`.` or `,`); `group`, what separates groups of thousands; `negative` and
            `positive`, the words that give the sign, separated by spaces.

    Raises:
        ValueError: The options contradict each other. The step raises `InvalidValueError` (`not_a_number`).
    """
    point = str(options.get("decimal", "."))
    group = str(options.get("group", "." if point == "," else ","))
    if point not in (".", ",") or group not in _GROUPS or group == point:
        raise ValueError("the decimal sign is '.' or ','; group is another one of ',', '.', ' ' and an apostrophe")
    signs = {word.casefold(): "" for word in str(options.get("positive", "")).split()}
    signs |= {word.casefold(): "-" for word in str(options.get("negative", "")).split()}
    if set(str(options.get("positive", "")).casefold().split()) & {word for word, sign in signs.items() if sign}:
        raise ValueError("a word is either negative or positive")
    between, decimals = _GROUPS[group], rf"(?:{re.escape(point)}[0-9]+)?"
    grouped = rf"[1-9][0-9]{{0,2}}({between})[0-9]{{3}}(?:\%d[0-9]{{3}})*{decimals}"
    amount = re.compile(rf"[ $]*((?:[0-9]+{decimals}|{grouped % 2}))[ %]*")
    anywhere = re.compile(rf"{grouped % 1}(?![0-9])|[0-9]+{decimals}|{re.escape(point)}[0-9]+")
    plainly = str.maketrans(point, ".", group if group != " " else " \xa0\u2007\u2009\u202f")
    if group == "'":
        plainly[ord("\u2019")] = None

    def number(text: str) -> str:
        digits_before, sign, decimals = text.partition(".")
        if digits_before.isdigit() and (decimals.isdigit() or not sign) and point == "." and text.isascii():
            return text
        whole = amount.fullmatch(text)
        if whole is not None:
            return whole[1].translate(plainly)
        plain = text.translate(_MINUS_SIGNS)
        found = anywhere.search(plain)
        if found is None:
            raise InvalidValueError(Reason.NOT_A_NUMBER, "the text holds no number")
        before, after = plain[: found.start()], plain[found.end() :]
        if any(character.isnumeric() for character in before + after):
            raise InvalidValueError(Reason.NOT_A_NUMBER, "the text holds more than one number")
        if found[0].startswith(point) and before[-1:].isalpha():
            raise InvalidValueError(Reason.NOT_A_NUMBER, "it is not clear where the number begins")
        return _sign(before, after, signs) + found[0].translate(plainly)

    return number


def _sign(before: str, after: str, signs: Mapping[str, str]) -> str:
    """Return the sign that the text around a number gives it.

    Raises:
        InvalidValueError: `not_a_number`: some of the text is not understood, or the sign is not clear.
    """
    around = _FULL_STOP.sub("", _DOLLAR.sub("", f"{before}\n{after}"))
    words = [word.casefold() for word in _WORD.findall(around)]
    given = [signs[word] for word in words if word in signs]
    rest = [word for word in words if word not in signs]
    if any(map(_CHANGES_THE_VALUE.fullmatch, rest)):
        raise InvalidValueError(Reason.NOT_A_NUMBER, "a word beside the number may change its value")
    if not all(_is_understood(character) for character in around):
        raise InvalidValueError(Reason.NOT_A_NUMBER, "a sign beside the number is not understood")
    left, right = (_without_currency(part) for part in (before, after))
    marks = "".join(character for character in left + right if character in "+-()")
    if given and not marks and len(given) == 1:
        return given[0]
    if not marks and not given:
        return ""
    if left.startswith("(") and right.endswith(")") and marks == "()" and not given:
        return "-"
    if not given and marks in ("+", "-") and (right == marks or _is_leading_sign(before, left, marks)):
        return "-" if marks == "-" else ""
    raise InvalidValueError(Reason.NOT_A_NUMBER, "the sign of the number is not clear")


def _is_understood(character: str) -> bool:
    return character.isalpha() or character in "+-()%" or character in _SPACE or category(character) == "Sc"


def _without_currency(text: str) -> str:
    return "".join(character for character in text if category(character) != "Sc").strip(_SPACE)


def _is_leading_sign(before: str, left: str, mark: str) -> bool:
    without_currency = "".join(character for character in before if category(character) != "Sc")
    return left.startswith(mark) or without_currency.endswith(f" {mark}")


def replace_step(options: Mapping[str, object]) -> TextStep:
    r"""Build the step that replaces whatever matches a regular expression; `\1` and `\g<name>` are its groups.

    Raises:
        ValueError: The expression or a group reference is wrong.
    """
    pattern, replacement = str(options["pattern"]), str(options["with"])
    try:
        compiled = re.compile(pattern)
        compiled.sub(replacement, "")  # parses the replacement even if nothing matches
    except RecursionError:
        raise ValueError("the regular expression is nested too deeply") from None
    except (re.error, IndexError, OverflowError) as error:
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
        options: The names of its options, and what each is.
        are_optional: The options may be left out, all or some.
        takes_any: The options are a table with keys of the contract's choice.
    """

    build: Callable[[Mapping[str, object]], TextStep]
    options: Mapping[str, str] = field(default_factory=dict)
    are_optional: bool = False
    takes_any: bool = False


def _plain(step: TextStep) -> TransformKind:
    return TransformKind(lambda _options: step)


TRANSFORMS: dict[str, TransformKind] = {
    "trim": _plain(str.strip),
    "upper": _plain(str.upper),
    "lower": _plain(str.lower),
    "collapse": _plain(collapse),
    "digits": _plain(digits),
    "number": TransformKind(
        number_step,
        {
            "decimal": "the decimal sign",
            "group": "what separates groups of thousands",
            "negative": "words that make the number negative",
            "positive": "words that make it positive",
        },
        are_optional=True,
    ),
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
    elif not given.keys() <= kind.options.keys() or (len(given) < len(kind.options) and not kind.are_optional):
        expected = ", ".join(f"{key} ({what})" for key, what in kind.options.items()) or "no options"
        raise ValueError(f"{name} takes {expected}")
    return _built(name, tuple(given.items()))


@lru_cache(maxsize=1024)
def _built(name: str, options: tuple[tuple[str, object], ...]) -> TextStep:
    """Build a transform; columns with the same one share it, which keeps it in the processor's cache."""
    return TRANSFORMS[name].build(dict(options))


def lookup_step(
    values: Mapping[str, Value],
    folds: Sequence[Callable[[str], str]] = (),
    unknown: Value = None,
    *,
    has_unknown: bool = False,
    note_unknown: Callable[[], object] = lambda: None,
) -> Callable[[str], Value]:
    """Build the step from a code of the document to its value.

    Args:
        values: The values by code.
        folds: What is done to codes before they are compared, such as `str.strip`.
        unknown: The value of codes that are not listed.
        has_unknown: Whether `unknown` applies; if not, such a code raises `InvalidValueError` (`unknown_code`).
        note_unknown: Called when `unknown` is applied.
    """

    def folded(code: str) -> str:
        for fold in folds:
            code = fold(code)
        return code

    by_folded = {folded(code): value for code, value in values.items()}

    def lookup(code: str) -> Value:
        if code in by_folded:
            return by_folded[code]
        code = folded(code)
        if code in by_folded:
            return by_folded[code]
        if has_unknown:
            note_unknown()
            return unknown
        raise InvalidValueError(Reason.UNKNOWN_CODE, "the lookup does not list that code")

    return lookup
