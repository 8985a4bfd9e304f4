"""Fused steps give the same result as single steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xml_extractor.documents import Value
from xml_extractor.mapping.plan import Step
from xml_extractor.mapping.steps import blank_to_null, fuse
from xml_extractor.reasons import Reason
from xml_extractor.values.sqltypes import InvalidValueError

STEPS = (
    Step("blank to NULL", blank_to_null),
    Step("double", lambda text: f"{text}{text}"),
    Step("drop a", lambda text: blank_to_null(text.replace("a", ""))),
    Step("default", None, "d"),
    Step("lookup", {"b": "x", "bb": "", "d": " "}.get, "n"),
    Step("nothing", None),
)


def _one_by_one(steps: list[Step], value: Value) -> Value:
    for step in steps:
        value = step(value)
    return value


@given(st.lists(st.sampled_from(STEPS), max_size=6), st.sampled_from([None, "", " ", "a", "b", "ab", "\u00a0"]))
def test_fused_steps_are_the_same_as_single_steps(steps: list[Step], value: str | None) -> None:
    null, apply = fuse(steps)
    fused = null if value is None else value if apply is None else apply(value)
    assert fused == _one_by_one(steps, value)


def test_a_constant_for_null_that_a_later_step_cannot_convert_fails_when_steps_are_fused() -> None:
    def fail(_: str) -> Value:
        raise InvalidValueError(Reason.NOT_A_NUMBER, "no number")

    with pytest.raises(InvalidValueError):
        fuse([Step("lookup", None, "none"), Step("convert to int", fail)])


@pytest.mark.parametrize(("text", "result"), [("", None), (" \t\r\n", None), (" a", " a"), ("\u00a0", "\u00a0")])
def test_blank_is_what_xml_calls_white_space(text: str, result: str | None) -> None:
    assert blank_to_null(text) == result
