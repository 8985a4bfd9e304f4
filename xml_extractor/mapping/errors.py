"""What a rule of the contract may raise, and the error that rejects a document."""

from collections.abc import Callable
from typing import TypeAlias

from lxml import etree

from xml_extractor.documents import Failure, Value
from xml_extractor.reasons import Reason, Stage
from xml_extractor.tsql import EvaluationError
from xml_extractor.values.sqltypes import InvalidValueError


class MappingError(Exception):
    """A document that cannot be mapped; `failure` says where and why without quoting it.

    Codes of this package: `missing_key`, `missing_value`, `path_failed`. All others come from conversions and
    expressions.

    Args:
        failure: Where and why.
        invalid_value: Looks the invalid value up in the document. Called only for who asks, as values may be personal
            data.
    """

    def __init__(self, failure: Failure, invalid_value: Callable[[], Value] | None = None) -> None:
        super().__init__(failure)
        self.failure = failure
        self._invalid_value = invalid_value

    def invalid_value(self) -> Value:
        """Return the invalid value as it is in the document; None if there is none, or if it is not known."""
        return None if self._invalid_value is None else self._invalid_value()

    def __str__(self) -> str:
        return self.failure.reason


class RuleError(Exception):
    """A rule that yields no usable value.

    Args:
        code: A reason code.
        explanation: A sentence that does not quote the document.
        path: The XPath at fault, if it is not the rule's own.
    """

    def __init__(self, code: Reason, explanation: str, path: str = "") -> None:
        super().__init__(code, explanation, path)
        self.code = code
        self.explanation = explanation
        self.path = path


class UnusualError(Exception):
    """Something that generated code leaves to the interpreted plan."""


AnyRuleError: TypeAlias = InvalidValueError | EvaluationError | RuleError | etree.XPathError
"""What the rule of a column, a row or a key may raise because of a document."""

RULE_ERRORS = (InvalidValueError, EvaluationError, RuleError, etree.XPathError)


def raise_if_out_of_memory(error: AnyRuleError) -> None:
    """Tell a lack of memory from a fault of the document: libxml2 reports both as errors of the XPath.

    Raises:
        MemoryError: libxml2 ran out of memory.
    """
    entries = error.error_log if isinstance(error, etree.XPathError) else ()
    if any(entry.type == etree.ErrorTypes.ERR_NO_MEMORY for entry in entries):
        raise MemoryError


def failure_of(error: AnyRuleError, path: str, table: str = "", column: str = "") -> Failure:
    """Return the failure of a document in which a rule raised an error.

    Args:
        error: What the rule raised.
        path: The rule's XPath; empty if it has none.
        table: The rule's table; empty for the document's key.
        column: The rule's column; empty for a rule of a row.

    Raises:
        MemoryError: libxml2 ran out of memory.
    """
    raise_if_out_of_memory(error)
    if isinstance(error, etree.XPathError):
        return Failure(Stage.MAP, Reason.PATH_FAILED, "the XPath cannot be evaluated", table, column, path)
    own_path = error.path if isinstance(error, RuleError) else ""
    return Failure(Stage.MAP, error.code, error.explanation, table, column, own_path or path)
