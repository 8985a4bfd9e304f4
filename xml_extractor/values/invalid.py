"""What is raised for a text that is no value of a type."""

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason


class InvalidValueError(ValueError):
    """A text that is no value of the wanted type.

    Attributes:
        code: Why.
        explanation: A sentence for a person that does not quote the text.
        truncated: The value cut to fit, where cutting is possible; None elsewhere.
    """

    def __init__(self, code: Reason, explanation: str, truncated: Value = None) -> None:
        super().__init__(code, explanation, truncated)
        self.code = code
        self.explanation = explanation
        self.truncated = truncated

    def __str__(self) -> str:
        return f"{self.code}: {self.explanation}"
