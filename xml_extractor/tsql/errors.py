"""Errors of compiling and of evaluating an expression."""

from dataclasses import dataclass

from xml_extractor.reasons import Reason


@dataclass(frozen=True, slots=True)
class ExpressionFault:
    """One fault in the text of an expression.

    Attributes:
        message: One line.
        line, column: The position in the expression, counted from 1.
        found: The wrong part of the text, if known.
        expected: What is allowed there.
        suggestion: The allowed word most similar to the one found.
    """

    message: str
    line: int
    column: int
    found: str = ""
    expected: str = ""
    suggestion: str = ""


class ExpressionError(ValueError):
    """An expression cannot be compiled; `faults` lists every fault, in the order of the text."""

    def __init__(self, faults: tuple[ExpressionFault, ...]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults


class EvaluationError(Exception):
    """An expression has no value for these inputs.

    Attributes:
        code: `overflow`, `divide_by_zero`, `conversion_failed`, `truncation` or `invalid_argument`.
        explanation: One sentence that contains no value.
    """

    def __init__(self, code: Reason, explanation: str) -> None:
        super().__init__(code, explanation)
        self.code = code
        self.explanation = explanation

    def __str__(self) -> str:
        return f"{self.code}: {self.explanation}"


class CompileError(Exception):
    """A part of an expression cannot be compiled; the compiler knows its position and reports it as a fault.

    Attributes:
        message, found, expected, suggestion: As those of `ExpressionFault`.
    """

    def __init__(self, message: str, found: str = "", expected: str = "", suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.found = found
        self.expected = expected
        self.suggestion = suggestion
