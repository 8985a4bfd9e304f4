"""Which steps a rule has, in their order: from text of the document, or from a value that has a type already."""

from collections.abc import Callable, Iterator

from xml_extractor.contract.model import Contract, Lookup, Scalar, Transform, ValueRule
from xml_extractor.documents import Value
from xml_extractor.mapping.steps import Step, blank_to_null
from xml_extractor.tsql import compile_assignment
from xml_extractor.values.conversions import constant, converter
from xml_extractor.values.sqltypes import Family, SqlType, parse_type
from xml_extractor.values.transforms import lookup_step, transform_step

_TEXT = parse_type("nvarchar(max)")
_CODE_PAGE_TYPES = frozenset(("char", "varchar", "text"))


def steps_of(rule: ValueRule, source: SqlType | None, target: SqlType, contract: Contract) -> tuple[Step, ...]:
    """The steps from an origin's value to the column's value; `source` is None for text of the document."""
    if source is None:
        return tuple(_from_text(rule, target, contract))
    if rule.transform or rule.lookup:
        return (*_assignment(source, _TEXT, contract), *_from_text(rule, target, contract))
    return (*_assignment(source, target, contract), *_default(rule, target, contract))


def _from_text(rule: ValueRule, target: SqlType, contract: Contract) -> Iterator[Step]:
    keeps_blank = rule.blank == "keep"
    transforms, lookup = _split_last_lookup(rule)
    if not keeps_blank:
        yield Step("blank to NULL", blank_to_null)
    for transform in transforms:
        yield _transform(transform, contract, keeps_blank=keeps_blank)
    if lookup is None:
        yield Step(f"convert to {target}", _converter(rule, target, contract))
    else:
        yield _lookup(lookup, target, contract)
    yield from _default(rule, target, contract)


def _split_last_lookup(rule: ValueRule) -> tuple[tuple[Transform, ...], str | None]:
    """A lookup at the very end gives values of the column's type; one before other transforms gives text."""
    if rule.lookup is not None or not rule.transform or rule.transform[-1].name != "lookup":
        return rule.transform, rule.lookup
    return rule.transform[:-1], _lookup_name(rule.transform[-1])


def _lookup_name(transform: Transform) -> str:
    return str((transform.options or {})["name"])


def _transform(transform: Transform, contract: Contract, *, keeps_blank: bool) -> Step:
    if transform.name == "lookup":
        name = _lookup_name(transform)
        return _lookup_in(contract.lookups[name], name, _as_text)
    apply = transform_step(transform.name, transform.options)
    if keeps_blank:
        return Step(f"transform {transform.name}", apply)
    return Step(f"transform {transform.name}", lambda text: blank_to_null(apply(text)))


def _lookup(name: str, target: SqlType, contract: Contract) -> Step:
    return _lookup_in(contract.lookups[name], name, lambda value: constant(target, value, code_page=contract.code_page))


def _lookup_in(lookup: Lookup, name: str, convert: Callable[[Scalar], Value]) -> Step:
    key = str.casefold if lookup.ignore_case else str
    find = lookup_step(
        {key(code): convert(value) for code, value in lookup.values.items()},
        unknown=None if lookup.unknown is None else convert(lookup.unknown),
        has_unknown="unknown" in lookup.model_fields_set,
    )
    blank = None if lookup.blank is None else convert(lookup.blank)
    return Step(f"lookup {name}", (lambda code: find(code.casefold())) if lookup.ignore_case else find, blank)


def _default(rule: ValueRule, target: SqlType, contract: Contract) -> Iterator[Step]:
    if rule.default is not None:
        yield Step("default", None, constant(target, rule.default, code_page=contract.code_page))


def _assignment(source: SqlType, target: SqlType, contract: Contract) -> tuple[Step, ...]:
    if source == target:
        return ()
    if target.name in _CODE_PAGE_TYPES and source.family is Family.TEXT and source.name not in _CODE_PAGE_TYPES:
        # INSERT would write question marks for characters that the code page does not have.
        apply = converter(target, code_page=contract.code_page)
    else:
        apply = compile_assignment(source, target)
    return (Step(f"convert to {target}", apply),)


def _converter(rule: ValueRule, target: SqlType, contract: Contract) -> Callable[[str], Value]:
    return converter(
        target,
        formats=rule.formats,
        time_zone=rule.time_zone,
        encoding=rule.encoding,
        code_page=contract.code_page,
    )


def _as_text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)
