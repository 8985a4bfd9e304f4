"""Parse text as a date and time in a contract's own formats, compiled once and independent of the locale.

    %Y year, 4 digits               %H hour, 00 to 24         %b month, Jan      %z Z, +hh:mm or +hhmm
    %y year, 2 digits (50 is 1950)  %I hour, 01 to 12         %B month, January  %p AM or PM
    %m month                        %M minute                 %a day, Mon        %% a percent sign
    %d day of the month             %S second                 %A day, Monday
    %j day of the year              %f fraction, any digits

Names are English, in any case. Numbers may have fewer digits, as in 3/7/2024, unless digits or a zone are next to them.
White space in a format matches any white space, everything else matches itself. Two-digit years end at 2049, SQL
Server's default "two digit year cutoff". 24:00:00 is the end of a day, as in ISO 8601.

Codes raised: `impossible_date`, `overflow`.
"""

import re
from calendar import isleap, monthrange
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from itertools import pairwise
from operator import itemgetter
from typing import Any, Final, NamedTuple

from xml_extractor.reasons import Reason
from xml_extractor.values.sqltypes import InvalidValueError
from xml_extractor.values.times import MICROSECOND_DIGITS, ZONE, Moment, is_digits, new_moment

MomentParser = Callable[[str], Moment | None]
"""Text without surrounding white space to a date and time; None if the text does not have that format."""

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NAME_LENGTH = 3
_CENTURY = 100
_LAST_OF_THIS_CENTURY = 49
_HALF_DAY = 12
_DAYS_IN_YEAR = 365
_MONTHS_IN_YEAR = 12


class Directive(NamedTuple):
    """The meaning of a letter after `%`.

    Attributes:
        field: The part of the date or time that it gives; a format cannot give a field twice.
        pattern: A regular expression that matches it.
        digits: The largest number of digits, if it may have fewer; otherwise 0.
    """

    field: str
    pattern: str
    digits: int = 0


DIRECTIVES: Final[dict[str, Directive]] = {
    "Y": Directive("year", "[0-9]{4}"),
    "y": Directive("year", "[0-9]{2}"),
    "m": Directive("month", "", 2),
    "b": Directive("month", "|".join(name[:_NAME_LENGTH] for name in _MONTHS)),
    "B": Directive("month", "|".join(_MONTHS)),
    "d": Directive("day", "", 2),
    "j": Directive("day_of_year", "", 3),
    "a": Directive("weekday", "|".join(name[:_NAME_LENGTH] for name in _DAYS)),
    "A": Directive("weekday", "|".join(_DAYS)),
    "H": Directive("hour", "", 2),
    "I": Directive("hour", "", 2),
    "p": Directive("half", "AM|PM"),
    "M": Directive("minute", "", 2),
    "S": Directive("second", "", 2),
    "f": Directive("fraction", "[0-9]+"),
    "z": Directive("zone", ZONE),
}
_NUMBERS = frozenset("YymdjHIMSf")
_FIXED_WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "I": 2, "M": 2, "S": 2, "p": 2}
_HOURS = {
    f"{hour % _HALF_DAY or _HALF_DAY:02}{half}": f"{hour:02}"
    for half, start in (("AM", 0), ("PM", _HALF_DAY))
    for hour in range(start, start + _HALF_DAY)
}
_NO_HOUR = "24"


class Token(NamedTuple):
    """A piece of a format: a directive's letter, or literal text."""

    letter: str
    literal: str

    @property
    def has_digits(self) -> bool:
        """Whether the end of a number next to it would be ambiguous."""
        return self.letter in _NUMBERS if self.letter else self.literal[0].isdigit() or self.literal[-1].isdigit()


class Format(NamedTuple):
    """A parsed and checked format.

    Attributes:
        text: The format as written.
        tokens: Its pieces.
        fields: The fields that it gives.
        partial: `first` or `last`: the day of a format without day, or without month and day; empty for no day.
    """

    text: str
    tokens: tuple[Token, ...]
    fields: frozenset[str]
    partial: str = ""

    @property
    def has_date(self) -> bool:
        """Whether it gives a whole date."""
        is_whole = "year" in self.fields and ({"month", "day"} <= self.fields or "day_of_year" in self.fields)
        return is_whole or (bool(self.partial) and self.is_partial)

    @property
    def is_partial(self) -> bool:
        """Whether it gives a year, or a month of a year, and nothing else."""
        return "year" in self.fields and self.fields <= {"year", "month", "zone"}


def read_format(text: str, partial: str | None = None) -> Format:
    """Parse a format and check that its directives fit together.

    Args:
        text: The format.
        partial: `first` or `last`: the day that it gives if it has no day.

    Raises:
        ValueError: An unknown directive, two for one field, or one that needs another; the message says which.
    """
    tokens = tuple(_tokens(text))
    letters = [token.letter for token in tokens if token.letter]
    fields = [DIRECTIVES[letter].field for letter in letters]
    for field in fields:
        if fields.count(field) > 1:
            raise ValueError(f"the format '{text}' gives the {field.replace('_', ' ')} twice")
    digits_after_fraction = any(token.letter == "f" and following.has_digits for token, following in pairwise(tokens))
    checks = (
        (not letters, "has no directive, such as %Y"),
        ("I" in letters and "p" not in letters, "has %I without %p"),
        ("p" in letters and "I" not in letters, "has %p without %I"),
        ("minute" in fields and "hour" not in fields, "has minutes without hours"),
        ("second" in fields and "minute" not in fields, "has seconds without minutes"),
        ("fraction" in fields and "second" not in fields, "has a fraction without seconds"),
        ("day_of_year" in fields and ("month" in fields or "day" in fields), "has %j beside month or day"),
        (digits_after_fraction, "has digits after %f, whose length is not fixed"),
    )
    for is_wrong, what in checks:
        if is_wrong:
            raise ValueError(f"the format '{text}' {what}")
    return Format(text, tokens, frozenset(fields), partial or "")


def is_partial_format(text: str) -> bool:
    """Return whether a format gives only a year, or a month of a year."""
    try:
        return read_format(text).is_partial
    except ValueError:
        return False


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    characters = iter(text)
    for character in characters:
        letter = next(characters, "") if character == "%" else ""
        if letter in DIRECTIVES:
            tokens.append(Token(letter, ""))
        elif character == "%" and letter != "%":
            known = " ".join(f"%{known}" for known in (*DIRECTIVES, "%"))
            raise ValueError(f"the format '{text}' has the unknown directive '%{letter}'; known are {known}")
        elif tokens and not tokens[-1].letter:
            tokens[-1] = Token("", tokens[-1].literal + character)
        else:
            tokens.append(Token("", character))
    return tokens


def compile_format(form: Format) -> MomentParser:
    """Build the parser of a format."""
    general = _general_parser(form)
    return _fixed_width_parser(form, general) or general


def _general_parser(form: Format) -> MomentParser:
    match = re.compile(_pattern(form.tokens), re.IGNORECASE | re.ASCII).fullmatch
    date_of = _date_reader(form)
    has_half = any(token.letter == "I" for token in form.tokens)
    has_weekday = "weekday" in form.fields

    def parse(text: str) -> Moment | None:
        found = match(text)
        if found is None:
            return None
        parts = found.groupdict()
        hour = parts.get("hour")
        if has_half:
            hour = _hour_of_day(int(parts["hour"]), parts["half"])
        time = (hour, parts.get("minute"), parts.get("second"), parts.get("fraction"), parts.get("zone"))
        day = date_of(parts)
        result = new_moment(day, time)
        if has_weekday and _index(_DAYS, parts["weekday"]) != date(*day).weekday():
            raise InvalidValueError(Reason.IMPOSSIBLE_DATE, "the day of the week is not that of the date")
        return result

    return parse


def _pattern(tokens: tuple[Token, ...]) -> str:
    parts = []
    for index, token in enumerate(tokens):
        if not token.letter:
            words = re.split(r"\s+", token.literal)
            parts.append(r"[ \t\r\n]+".join(re.escape(word) for word in words))
            continue
        directive = DIRECTIVES[token.letter]
        pattern = directive.pattern
        if directive.digits:
            is_before_zone = tokens[index + 1 : index + 2] == (Token("z", ""),)
            neighbours = (*tokens[max(index - 1, 0) : index], *tokens[index + 1 : index + 2])
            is_full = is_before_zone or any(neighbour.has_digits for neighbour in neighbours)
            fewest = directive.digits if is_full else 1
            pattern = f"[0-9]{{{fewest},{directive.digits}}}"
        parts.append(f"(?P<{directive.field}>{pattern})")
    return "".join(parts)


def _date_reader(form: Format) -> Callable[[dict[str, Any]], tuple[int, int, int]]:
    letters = {token.letter for token in form.tokens}
    has_names = bool(letters & {"b", "B"})

    def year_of(parts: dict[str, Any]) -> int:
        year = int(parts["year"])
        if "y" not in letters:
            return year
        return year + (20 if year <= _LAST_OF_THIS_CENTURY else 19) * _CENTURY

    def by_month(parts: dict[str, Any]) -> tuple[int, int, int]:
        month = _index(_MONTHS, parts["month"]) + 1 if has_names else int(parts["month"])
        return year_of(parts), month, int(parts["day"])

    def by_day_of_year(parts: dict[str, Any]) -> tuple[int, int, int]:
        year, day_of_year = year_of(parts), int(parts["day_of_year"])
        if not year or not 1 <= day_of_year <= _DAYS_IN_YEAR + isleap(year):
            raise InvalidValueError(Reason.IMPOSSIBLE_DATE, "the year does not have that day")
        day = date(year, 1, 1) + timedelta(days=day_of_year - 1)
        return day.year, day.month, day.day

    def no_date(_parts: dict[str, Any]) -> tuple[int, int, int]:
        return 1900, 1, 1

    if form.is_partial:
        return partial(_day_of_period, by_month, is_last=form.partial == "last")
    if "day_of_year" in form.fields:
        return by_day_of_year
    return by_month if form.has_date else no_date


def _day_of_period(
    by_month: Callable[[dict[str, Any]], tuple[int, int, int]], parts: dict[str, Any], *, is_last: bool
) -> tuple[int, int, int]:
    first = {"month": "12" if is_last else "1", **parts, "day": "1"}
    year, month, day = by_month(first)
    return year, month, monthrange(year or 1, month)[1] if is_last and 1 <= month <= _MONTHS_IN_YEAR else day


def _hour_of_day(hour: int, half: str) -> str:
    if not 1 <= hour <= _HALF_DAY:
        raise InvalidValueError(Reason.IMPOSSIBLE_DATE, "with AM or PM, hours are from 1 to 12")
    return str(hour % _HALF_DAY + (_HALF_DAY if half.upper() == "PM" else 0))


def _index(names: tuple[str, ...], name: str) -> int:
    start = name[:_NAME_LENGTH].title()
    return next(index for index, known in enumerate(names) if known.startswith(start))


_ISO_DAY, _ISO_SECOND = "0000-00-00", "0000-00-00T00:00:00"


def _fixed_width_parser(form: Format, general: MomentParser) -> MomentParser | None:
    """Build a fast parser for a common format in which every part has a fixed position.

    It slices the text, orders the parts as ISO 8601, and lets Python parse that. A fraction may come last, where its
    width does not matter. The general parser handles text of other widths, and reports what is wrong.
    """
    has_fraction = form.tokens[-1].letter == "f"
    tokens = form.tokens[:-1] if has_fraction else form.tokens
    places, literals, width = _places(tokens)
    half = places.pop("p", None)
    wanted = ("YmdHMS" if half is None else "YmdIMS")[: len(places)]
    if form.is_partial or set(places) != set(wanted) or len(wanted) not in (3, 5, 6):
        return None
    template = "%s-%s-%sT%s:%s:%s"[: 3 * len(wanted) - 1]
    pieces = itemgetter(*(places[letter] for letter in wanted))
    marks = itemgetter(*literals) if literals else None
    expected = itemgetter(*literals)(_sample(tokens)) if literals else None
    shortest, longest = (width + 1, width + MICROSECOND_DIGITS) if has_fraction else (width, width)
    is_iso = _sample(tokens) in (_ISO_DAY, _ISO_SECOND)

    def parse(text: str) -> Moment | None:
        if shortest <= len(text) <= longest and (marks is None or marks(text) == expected):
            iso, fraction = text[:width], text[width:]
            if not is_iso:
                parts = pieces(text)
                if half is not None:
                    parts = (*parts[:3], _HOURS.get(parts[3] + text[half], _NO_HOUR), *parts[4:])
                iso = template % parts
            if "T24" not in iso and (not fraction or is_digits(fraction)):
                try:
                    return datetime.fromisoformat(f"{iso}.{fraction}" if fraction else iso), ""
                except ValueError:
                    pass
        return general(text)

    return parse


def _places(tokens: Sequence[Token]) -> tuple[dict[str, slice], list[int], int]:
    places: dict[str, slice] = {}
    literals: list[int] = []
    position = 0
    for token in tokens:
        width = _FIXED_WIDTHS.get(token.letter, 0) if token.letter else len(token.literal)
        if token.letter:
            places[token.letter if width else "variable"] = slice(position, position + width)
        else:
            literals.extend(range(position, position + width))
        position += width
    return places, literals, position


def _sample(tokens: Sequence[Token]) -> str:
    return "".join("0" * _FIXED_WIDTHS[token.letter] if token.letter else token.literal for token in tokens)
