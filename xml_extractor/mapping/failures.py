"""How a document fails to be mapped."""

from collections.abc import Callable
from typing import TypeAlias

from lxml import etree

from xml_extractor.documents import Failure, Value
from xml_extractor.reasons import Reason, Stage
from xml_extractor.tsql import EvaluationError
from xml_extractor.values.sqltypes import InvalidValueError


class MappingError(Exception):
    """A document cannot be mapped; `failure` says where and why without quoting it.

    Args:
        failure: Where and why.
        refused_value: Looks for the value at fault in the document; only those who ask for it ever have it.

    Codes of this package: `missing_key`, `missing_value`, `path_failed`. The others are those of the conversions and
    of the expressions.
    """

    def __init__(self, failure: Failure, refused_value: Callable[[], Value] | None = None) -> None:
        super().__init__(failure)
        self.failure = failure
        self._refused_value = refused_value

    def refused_value(self) -> Value:
        """The value at fault as the document has it; None if it has none, or if it is not known."""
        return None if self._refused_value is None else self._refused_value()

    def __str__(self) -> str:
        return self.failure.reason


class UnusableValueError(Exception):
    """Within this package: a value cannot be had; `path` is the XPath at fault where it is not the column's own."""

    def __init__(self, code: Reason, explanation: str, path: str = "") -> None:
        super().__init__(code, explanation, path)
        self.code = code
        self.explanation = explanation
        self.path = path


Refusal: TypeAlias = InvalidValueError | EvaluationError | UnusableValueError | etree.XPathError
"""What a column or a row rule may raise."""

REFUSALS = (InvalidValueError, EvaluationError, UnusableValueError, etree.XPathError)


def see_that_memory_sufficed(refusal: Refusal) -> None:
    """Let no lack of memory pass for a fault of the document.

    Raises:
        MemoryError: libxml2 had no memory left to evaluate an XPath.
    """
    entries = refusal.error_log if isinstance(refusal, etree.XPathError) else ()
    if any(entry.type == etree.ErrorTypes.ERR_NO_MEMORY for entry in entries):
        raise MemoryError


def failure_of(refusal: Refusal, path: str, table: str = "", column: str = "") -> Failure:
    """A refusal with its place; `path` is the XPath of the rule, if it has one.

    Raises:
        MemoryError: See `see_that_memory_sufficed`.
    """
    see_that_memory_sufficed(refusal)
    if isinstance(refusal, etree.XPathError):
        return Failure(Stage.MAP, Reason.PATH_FAILED, "the XPath cannot be evaluated", table, column, path)
    own_path = refusal.path if isinstance(refusal, UnusableValueError) else ""
    return Failure(Stage.MAP, refusal.code, refusal.explanation, table, column, own_path or path)
