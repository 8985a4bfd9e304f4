"""Constants of a contract are values of the types that they are for."""

from collections.abc import Iterator

from xml_extractor.contract.column_values import last_lookup
from xml_extractor.contract.consistency.types import column_type, type_of
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath, did_you_mean, shown
from xml_extractor.contract.model import Column, Scalar
from xml_extractor.values.conversions import constant
from xml_extractor.values.sqltypes import InvalidValueError, SqlType

_WINDOWS_CODE_PAGES = tuple(f"cp{number}" for number in range(1250, 1259))
_KNOWN_CODE_PAGES = (*_WINDOWS_CODE_PAGES, "cp437", "cp850", "cp874", "cp932", "cp936", "cp949", "cp950", "utf-8")


def constant_faults(draft: Draft) -> Iterator[Fault]:
    """Constants of columns, inputs and row rules."""
    for path, _, rule in draft.rules():
        target = type_of(draft, path, rule)
        if target is not None:
            if rule.default is not None:
                yield from _faults(draft, (*path, "default"), target, rule.default)
            if isinstance(rule, Column) and rule.value is not None:
                yield from _faults(draft, (*path, "value"), target, rule.value)
    for path, name, table in draft.tables():
        for index, row_rule in enumerate(table.rows):
            for column, value in row_rule.set_values.items():
                target = column_type(draft, name, column)
                if target is not None:
                    yield from _faults(draft, (*path, "rows", index, "set", column), target, value)


def lookup_value_faults(draft: Draft) -> Iterator[Fault]:
    """Values of lookups, for each type of column that takes them."""
    checked: set[tuple[str, SqlType]] = set()
    for path, _, rule in draft.rules():
        name, target = last_lookup(rule), type_of(draft, path, rule)
        lookup = draft.contract.lookups.get(name or "")
        if name is None or lookup is None or target is None or (name, target) in checked:
            continue
        checked.add((name, target))
        place = ("lookups", name)
        values: list[tuple[KeyPath, Scalar | None]] = [
            *(((*place, "values", code), value) for code, value in lookup.values.items()),
            ((*place, "blank"), lookup.blank),
            ((*place, "unknown"), lookup.unknown),
        ]
        for value_path, value in values:
            if value is not None:
                yield from _faults(draft, value_path, target, value, used_by=path)


def lookup_case_faults(draft: Draft) -> Iterator[Fault]:
    """Codes that differ only in case, in a lookup that ignores it."""
    for name, lookup in draft.contract.lookups.items():
        taken: dict[str, str] = {}
        for code in lookup.values if lookup.ignore_case else ():
            if code.casefold() in taken:
                found = f"the codes '{taken[code.casefold()]}' and '{code}'"
                expected = "codes that differ in more than case, or no ignore_case"
                path = ("lookups", name, "values", code)
                yield draft.written.fault(path, found=found, expected=expected, key=True)
            taken.setdefault(code.casefold(), code)


def code_page_faults(draft: Draft) -> Iterator[Fault]:
    """A code page that Python does not know, or that is none."""
    name = draft.contract.code_page
    try:
        is_code_page = "a".encode(name) == b"a"
    except (LookupError, ValueError):
        is_code_page = False
    if not is_code_page:
        meant = did_you_mean(name, _KNOWN_CODE_PAGES)
        expected = "a code page, such as cp1252"
        yield draft.written.fault(("code_page",), found=shown(name), expected=expected, suggestion=meant)


def _faults(draft: Draft, path: KeyPath, target: SqlType, value: Scalar, *, used_by: KeyPath = ()) -> Iterator[Fault]:
    try:
        constant(target, value, code_page=draft.contract.code_page)
    except InvalidValueError as error:
        user = f", as {'.'.join(str(part) for part in used_by[1:])} uses it" if used_by else ""
        expected = f"a constant of type {target}{user} ({error.explanation})"
        yield draft.written.fault(path, found=shown(value), expected=expected)
    except (ValueError, LookupError):  # the code page, which has its own fault
        pass
