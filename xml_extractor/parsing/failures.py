"""How a document is refused."""

from xml_extractor.documents import Failure
from xml_extractor.reasons import Reason, Stage


class ParseError(Exception):
    """A document that is no usable XML; `failure` says why without quoting it.

    Codes: `empty`, `malformed`, `namespace`, `wrong_root`, `doctype`, `entity`, `too_deep`, `too_large`,
    `control_character`, `wrong_encoding`.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return self.failure.reason


def refused(code: Reason, explanation: str) -> ParseError:
    """A `ParseError` of the stage `parse`."""
    return ParseError(Failure(Stage.PARSE, code, explanation))
