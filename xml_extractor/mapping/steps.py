"""What becomes of a value: the steps from an origin's value to the column's value, and `on_invalid`.

`steps_of` lists the steps of a rule as data, which `explain` takes one at a time; `conversion` combines them into the
one function that interpreted plans and generated code call.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from xml_extractor.contract.model import REJECT, Choice, Contract, Lookup, OnInvalid, Scalar, Transform, ValueRule
from xml_extractor.documents import Counted, Value
from xml_extractor.mapping.errors import RULE_ERRORS, AnyRuleError, raise_if_out_of_memory
from xml_extractor.mapping.paths import NIL
from xml_extractor.mapping.plan import Compute, Note, Notes, RowScope, Step
from xml_extractor.tsql import compile_assignment
from xml_extractor.values.conversions import constant, converter
from xml_extractor.values.sqltypes import XML_SPACE, Family, InvalidValueError, SqlType, parse_type
from xml_extractor.values.transforms import lookup_step, transform_step

_TEXT = parse_type("nvarchar(max)")
_CODE_PAGE_TYPES = frozenset(("char", "varchar", "text"))
_MOST_REMEMBERED = 256
"""Texts whose values a column remembers."""

_LONGEST_REMEMBERED = 64


def blank_to_null(text: str) -> str | None:
    """Return the text, or NULL if it is empty or only XML's white space (which a no-break space is not)."""
    return None if not text or (text.isspace() and not text.strip(XML_SPACE)) else text


def keep_blank(text: str) -> str | None:
    """Return the text, also if it is blank."""
    return text


@dataclass(frozen=True, slots=True)
class Emptying:
    """A transform after which a blank text is NULL."""

    transform: Callable[[str], str]

    def __call__(self, text: str) -> str | None:
        """Transform a text."""
        return blank_to_null(self.transform(text))


def steps_of(
    rule: ValueRule,
    source: SqlType | None,
    target: SqlType,
    contract: Contract,
    note: Note = lambda _: None,
    *,
    trims: bool = False,
) -> tuple[Step, ...]:
    """List the steps from an origin's value to the column's value, in order.

    Args:
        rule: The rule of the column or input.
        source: The type of the origin's value; None for text of the document.
        target: The column's type.
        contract: The rule's contract.
        note: Called with what the steps tolerate.
        trims: Whether the origin has trimmed its text, so that truncated text ends without a space.

    Raises:
        InvalidValueError: A constant of the rule does not fit the column.
    """
    if source is None:
        return tuple(_from_text(rule, target, contract, note, trims=trims))
    if rule.transform or rule.lookup:
        return (*_assignment(source, _TEXT, contract), *_from_text(rule, target, contract, note))
    return (*_assignment(source, target, contract), *_default(rule, target, contract))


def constant_of(value: Scalar | None, target: SqlType, contract: Contract) -> Value:
    """Convert a constant of the contract to a column's type.

    Raises:
        InvalidValueError: It does not fit.
    """
    return None if value is None else constant(target, value, code_page=contract.code_page)


def _from_text(
    rule: ValueRule, target: SqlType, contract: Contract, note: Note, *, trims: bool = False
) -> Iterator[Step]:
    keeps_blank = rule.blank == "keep"
    transforms, lookup = _split_last_lookup(rule)
    yield Step("keep blank", keep_blank) if keeps_blank else Step("blank to NULL", blank_to_null)
    for transform in transforms:
        yield _transform(transform, contract, note, keeps_blank=keeps_blank)
    if lookup is None:
        yield Step(f"convert to {target}", _converter(rule, target, contract, trims=trims))
    else:
        yield _lookup(lookup, contract, lambda value: constant_of(value, target, contract), note)
    yield from _default(rule, target, contract)


def text_steps(rule: ValueRule, contract: Contract, note: Note, *, with_last_lookup: bool) -> tuple[Step, ...]:
    """List the steps from text to text; the last lookup gives text too, or is left out."""
    transforms, lookup = _split_last_lookup(rule)
    steps = [Step("blank to NULL", blank_to_null)]
    steps += [_transform(transform, contract, note, keeps_blank=False) for transform in transforms]
    if lookup is not None and with_last_lookup:
        steps.append(_lookup(lookup, contract, _as_text, note))
    return tuple(steps)


def _split_last_lookup(rule: ValueRule) -> tuple[tuple[Transform, ...], str | None]:
    """Return the transforms that give text, and the last lookup, which gives values of the column's type."""
    if rule.lookup is not None or not rule.transform or rule.transform[-1].name != "lookup":
        return rule.transform, rule.lookup
    return rule.transform[:-1], _lookup_name(rule.transform[-1])


def _lookup_name(transform: Transform) -> str:
    return str((transform.options or {})["name"])


def _transform(transform: Transform, contract: Contract, note: Note, *, keeps_blank: bool) -> Step:
    if transform.name == "lookup":
        return _lookup(_lookup_name(transform), contract, _as_text, note)
    apply = transform_step(transform.name, transform.options)
    if keeps_blank:
        return Step(f"transform {transform.name}", apply)
    return Step(f"transform {transform.name}", Emptying(apply))


def _lookup(name: str, contract: Contract, convert: Callable[[Scalar], Value], note: Note) -> Step:
    lookup: Lookup = contract.lookups[name]
    find = lookup_step(
        {code: convert(value) for code, value in lookup.values.items()},
        lookup.folds,
        None if lookup.unknown is None else convert(lookup.unknown),
        has_unknown="unknown" in lookup.model_fields_set,
        note_unknown=lambda: note(Counted.UNKNOWN_CODE),
    )
    return Step(f"lookup {name}", find, None if lookup.blank is None else convert(lookup.blank))


def _as_text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def trims_text(rule: ValueRule) -> bool:
    """Return whether a rule removes the space at the ends of its text."""
    return any(transform.name in ("trim", "collapse") for transform in rule.transform)


def _converter(rule: ValueRule, target: SqlType, contract: Contract, *, trims: bool) -> Callable[[str], Value]:
    convert = converter(
        target,
        formats=rule.formats,
        time_zone=rule.time_zone,
        partial=rule.partial,
        encoding=rule.encoding,
        code_page=contract.code_page,
    )
    is_trimmed = trims or trims_text(rule)
    return _truncating_to_words(convert) if is_trimmed and "truncate" in rule.on_invalid else convert


def _truncating_to_words(convert: Callable[[str], Value]) -> Callable[[str], Value]:
    """Remove the spaces that become the end of a truncated text; the transforms would have removed them."""

    def convert_anyway(text: str) -> Value:
        try:
            return convert(text)
        except InvalidValueError as error:
            if not isinstance(error.truncated, str):
                raise
            raise InvalidValueError(error.code, error.explanation, convert(error.truncated.rstrip())) from None

    return convert_anyway


def _default(rule: ValueRule, target: SqlType, contract: Contract) -> Iterator[Step]:
    if rule.default is not None:
        yield Step("default", None, constant_of(rule.default, target, contract))


def _assignment(source: SqlType, target: SqlType, contract: Contract) -> tuple[Step, ...]:
    if source == target:
        return ()
    if target.name in _CODE_PAGE_TYPES and source.family is Family.TEXT and source.name not in _CODE_PAGE_TYPES:
        # INSERT would write question marks for characters that the code page does not have.
        apply = converter(target, code_page=contract.code_page)
    else:
        apply = compile_assignment(source, target)
    return (Step(f"convert to {target}", apply),)


def noting(noted: Notes, column: str) -> Note:
    """Return the function that notes what is tolerated in a column."""

    def note(tolerated: Counted) -> None:
        noted.append((column, tolerated))

    return note


TOLERATED_AS: dict[Choice, Counted] = {
    "null": Counted.NULL,
    "default": Counted.DEFAULT,
    "truncate": Counted.TRUNCATED,
    "round": Counted.ROUNDED,
}


def compose(
    read: Callable[[RowScope], Any],
    convert: Callable[[Any], Value],
    tolerate: Callable[[AnyRuleError], Value] | None,
) -> Compute:
    """Combine the reading of a value, its conversion, and what `on_invalid` does with an error; None rejects."""
    if tolerate is None:
        return lambda row: convert(read(row))

    def compute(row: RowScope) -> Value:
        try:
            return convert(read(row))
        except RULE_ERRORS as error:
            return tolerate(error)

    return compute


def toleration(
    on_invalid: OnInvalid, default: Value, note: Note = lambda _: None
) -> Callable[[AnyRuleError], Value] | None:
    """Return the function from an error to the value that `on_invalid` puts in its place, which notes what it does.

    Returns:
        None if all errors reject.
    """
    if on_invalid == REJECT:
        return None

    def tolerate(error: AnyRuleError) -> Value:
        value, choice = value_for(error, on_invalid, default)
        note(TOLERATED_AS[choice])
        return value

    return tolerate


def value_for(error: AnyRuleError, on_invalid: OnInvalid, default: Value) -> tuple[Value, Choice]:
    """Return what `on_invalid` puts in place of an invalid value, and the choice of it that applies.

    Raises:
        AnyRuleError: Nothing; this is the error itself.
        MemoryError: libxml2 ran out of memory.
    """
    truncated = rounded = None
    if isinstance(error, InvalidValueError):
        truncated, rounded = error.truncated, error.rounded
    else:
        raise_if_out_of_memory(error)
    for choice in on_invalid:
        match choice:
            case "null":
                return None, choice
            case "default":
                return default, choice
            case "truncate" if truncated is not None:
                return truncated, choice
            case "round" if rounded is not None:
                return rounded, choice
            case "reject":
                break
    raise error


def conversion(steps: Sequence[Step]) -> Callable[[Any], Value]:
    """Combine steps into the function from an origin's value, which may be NULL or `NIL`, to the column's value.

    Raises:
        InvalidValueError: A step gives a constant for NULL that a later step cannot convert.
    """
    null, apply = fuse(steps)

    def convert(value: Any) -> Value:
        if value is None or value is NIL:
            return null if value is None else None
        return value if apply is None else apply(value)

    return convert


class Values(dict[str | None, Value]):
    """The values of texts that a column had before; converts others.

    Args:
        convert: Converts a text, or NULL.
        noted: What conversions tolerate. Such a conversion is not remembered.
    """

    def __init__(self, convert: Callable[[str | None], Value], noted: Notes) -> None:
        super().__init__()
        self._convert = convert
        self._noted = noted

    def __missing__(self, text: str | None) -> Value:
        """Convert a text."""
        before = len(self._noted)
        value = self._convert(text)
        if len(self._noted) == before and (text is None or len(text) <= _LONGEST_REMEMBERED):
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
            self[text] = value
        return value


class Fused(NamedTuple):
    """Steps as one function.

    Attributes:
        null: What becomes of NULL.
        apply: What becomes of any other value; None if it stays as it is.
    """

    null: Value
    apply: Callable[[Any], Value] | None


def fuse(steps: Sequence[Step]) -> Fused:
    """Combine steps into one function. A value that becomes NULL skips the rest, whose result is computed here.

    Raises:
        InvalidValueError: A step gives a constant for NULL that a later step cannot convert.
    """
    fused = Fused(None, None)
    for step in reversed(steps):
        apply = fused.apply if step.apply is None else _chain(step.apply, fused)
        fused = Fused(_result_for_null(step.for_null, fused), apply)
    return fused


def _result_for_null(for_null: Value, rest: Fused) -> Value:
    if for_null is None:
        return rest.null
    return for_null if rest.apply is None else rest.apply(for_null)


def _chain(apply: Callable[[Any], Value], rest: Fused) -> Callable[[Any], Value]:
    null, following = rest
    if following is None:
        if null is None:
            return apply

        def apply_or_null(value: Value) -> Value:
            result = apply(value)
            return null if result is None else result

        return apply_or_null

    def apply_both(value: Value) -> Value:
        result = apply(value)
        return null if result is None else following(result)

    return apply_both
