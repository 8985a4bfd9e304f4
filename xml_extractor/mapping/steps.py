"""The steps from a raw value to a column's value: named data, written down once and then fused into one closure."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from xml_extractor.documents import Value
from xml_extractor.values.sqltypes import XML_SPACE


class Step(NamedTuple):
    """One step.

    Attributes:
        name: What it does, as an explanation shows it.
        apply: What becomes of a value that is not NULL; None leaves it as it is.
        for_null: What becomes of NULL.
    """

    name: str
    apply: Callable[[Any], Value] | None
    for_null: Value = None

    def __call__(self, value: Value) -> Value:
        """Take this step alone."""
        if value is None:
            return self.for_null
        return value if self.apply is None else self.apply(value)


def blank_to_null(text: str) -> str | None:
    """The text, or NULL if it is empty or only white space as XML has it (a no-break space is none)."""
    return None if not text or (text.isspace() and not text.strip(XML_SPACE)) else text


class Fused(NamedTuple):
    """Steps as one function.

    Attributes:
        null: What becomes of NULL.
        apply: What becomes of any other value; None if it stays as it is.
    """

    null: Value
    apply: Callable[[Any], Value] | None


def fuse(steps: Sequence[Step]) -> Fused:
    """All steps as one function, in which a value that becomes NULL skips the rest: its end is computed here.

    Raises:
        InvalidValueError: A step gives a constant for NULL that a later step refuses.
    """
    fused = Fused(None, None)
    for step in reversed(steps):
        apply = fused.apply if step.apply is None else _link(step.apply, fused)
        fused = Fused(_end_of_null(step.for_null, fused), apply)
    return fused


def _end_of_null(for_null: Value, rest: Fused) -> Value:
    if for_null is None:
        return rest.null
    return for_null if rest.apply is None else rest.apply(for_null)


def _link(apply: Callable[[Any], Value], rest: Fused) -> Callable[[Any], Value]:
    null, following = rest
    if following is None:
        if null is None:
            return apply

        def or_null(value: Value) -> Value:
            result = apply(value)
            return null if result is None else result

        return or_null

    def then(value: Value) -> Value:
        result = apply(value)
        return null if result is None else following(result)

    return then
