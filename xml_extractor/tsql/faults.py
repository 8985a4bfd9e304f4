"""What is wrong with an expression, and what goes wrong while one is evaluated."""

from dataclasses import dataclass

from xml_extractor.reasons import Reason


@dataclass(frozen=True, slots=True)
class ExpressionFault:
    """One fault of an expression's text.

    Attributes:
        message: What is wrong, in one line.
        line, column: Where, counted from 1 within the expression's text.
        found: The part of the text that is wrong, as far as it is known.
        expected: What may stand there instead.
        suggestion: The allowed word that is most like the one that was found.
    """

    message: str
    line: int
    column: int
    found: str = ""
    expected: str = ""
    suggestion: str = ""


class ExpressionError(ValueError):
    """An expression cannot be compiled; `faults` has every reason that was found, in the order of the text."""

    def __init__(self, faults: tuple[ExpressionFault, ...]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults


class EvaluationError(Exception):
    """An expression has no value for these inputs.

    Attributes:
        code: `overflow`, `divide_by_zero`, `conversion_failed`, `truncation` or `invalid_argument`.
        explanation: One sentence without any value.
    """

    def __init__(self, code: Reason, explanation: str) -> None:
        super().__init__(code, explanation)
        self.code = code
        self.explanation = explanation

    def __str__(self) -> str:
        return f"{self.code}: {self.explanation}"


class RefusalError(Exception):
    """A part of an expression cannot be compiled; the compiler knows where it stands and makes it a fault.

    Attributes:
        message, found, expected, suggestion: As those of `ExpressionFault`.
    """

    def __init__(self, message: str, found: str = "", expected: str = "", suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.found = found
        self.expected = expected
        self.suggestion = suggestion
