"""The reasons why documents are rejected: every reason code, with its stages and its explanation.

`python tests/reasons_page.py` generates `documentation/reference/reasons.md` from this module.
"""

from enum import StrEnum
from typing import NamedTuple, Self


class Stage(StrEnum):
    """Where a document was when it failed, in the order of the data path."""

    FETCH = "fetch"
    PARSE = "parse"
    MAP = "map"
    LOAD = "load"


class Explanation(NamedTuple):
    """What a reason code means at one stage, in Markdown.

    Attributes:
        stage: Where documents are rejected for this reason.
        meaning: What is wrong with the document.
        remedy: What the user can do about it.
    """

    stage: Stage
    meaning: str
    remedy: str


_ASK_THE_PRODUCER = "Ask the producer of the document."
_ALIGN_TYPES = "Give the column the same type in the contract and in the database."
_DEFECT = ("A defect of this program.", "Report it with the lines of the log.")
_TIMEOUT = (
    "It took longer than `--document-timeout` to parse and map the document. The worker process was killed.",
    "Look for a regular expression, a LIKE pattern or an XPath whose cost explodes; or allow more time.",
)
_WORKER_DIED = (
    "Two worker processes ended unexpectedly while they processed the document, so it is not tried a third time.",
    "Check whether it needs more memory than there is; lower `max_bytes`.",
)


class Reason(StrEnum):
    """A reason code, as it appears in the processing log, the metrics and the list of rejected documents."""

    explanations: tuple[Explanation, ...]

    def __new__(cls, code: str, *explanations: Explanation) -> Self:
        """Make the member of a code; the enum calls this once for each."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.explanations = explanations
        return member

    MISSING = (
        "missing",
        Explanation(
            Stage.FETCH,
            "The source listed the document, but no longer has it.",
            "Restore it, or leave it rejected.",
        ),
    )
    UNREADABLE = (
        "unreadable",
        Explanation(
            Stage.FETCH,
            "The file, archive or member is damaged, encrypted or not readable for this user; or it is an archive in "
            "the place of a document; or the column holds a number, or text that is not valid UTF-16.",
            "Repair the file or its permissions; extract archives inside archives.",
        ),
    )
    UNUSABLE_KEY = (
        "unusable_key",
        Explanation(
            Stage.FETCH,
            "The processing log cannot hold the document's key: it is NULL, empty, longer than 300 characters or not "
            "text, such as a file name that is not UTF-8; or the log takes it for the key of another document. "
            "[Another key](processing-log.md#keys) stands for it.",
            "Rename the file, or correct the key; or load the document from the directory of rejects, under the other "
            "key.",
        ),
        Explanation(
            Stage.LOAD,
            "The processing log takes the document's key for that of another document, because its collation ignores "
            "the difference: on SQL Server spaces at the end, and more if its table was created by other means. "
            "[Another key](processing-log.md#keys) stands for it.",
            "Correct the key, or the collation of `document_key`.",
        ),
    )
    EMPTY = (
        "empty",
        Explanation(Stage.PARSE, "There is no document: NULL, no bytes, or only white space.", _ASK_THE_PRODUCER),
    )
    TOO_LARGE = (
        "too_large",
        Explanation(
            Stage.FETCH,
            "The document has more bytes than the contract's `max_bytes` or, as text in SQL Server, more characters.",
            "Raise `max_bytes` if such documents are legitimate.",
        ),
        Explanation(
            Stage.PARSE,
            "The document has more characters than `max_bytes`; or a name has more than 10,000,000 bytes, or a text, "
            "an attribute, a comment or a processing instruction more than 1,000,000,000.",
            _ASK_THE_PRODUCER,
        ),
        Explanation(Stage.LOAD, "The row is larger than the database allows.", "Load fewer or shorter columns."),
    )
    TOO_DEEP = (
        "too_deep",
        Explanation(Stage.PARSE, "Elements are nested deeper than 256 levels.", _ASK_THE_PRODUCER),
    )
    WRONG_ROOT = (
        "wrong_root",
        Explanation(
            Stage.PARSE,
            "The root element or its namespace is not that of `document.root`.",
            "Restrict the source to matching documents, or correct `root` and `namespaces`.",
        ),
    )
    WRONG_ENCODING = (
        "wrong_encoding",
        Explanation(
            Stage.PARSE,
            "The document has bytes that are invalid in its encoding, or its encoding is not supported.",
            "Have it written as UTF-8.",
        ),
    )
    CONTROL_CHARACTER = (
        "control_character",
        Explanation(
            Stage.PARSE,
            "The document contains a character that XML does not allow.",
            "Have it removed where the document is produced.",
        ),
    )
    MALFORMED = ("malformed", Explanation(Stage.PARSE, "The document is not well-formed XML.", _ASK_THE_PRODUCER))
    NAMESPACE = (
        "namespace",
        Explanation(
            Stage.PARSE, "A prefix is not declared, or a namespace declaration is not allowed.", _ASK_THE_PRODUCER
        ),
    )
    DOCTYPE = (
        "doctype",
        Explanation(
            Stage.PARSE,
            "The document has a document type declaration.",
            "Set `document.doctype: allow` if such documents are legitimate. An external DTD is never fetched.",
        ),
    )
    ENTITY = (
        "entity",
        Explanation(
            Stage.PARSE,
            "The document declares or references an entity. Entities are always refused, because they allow attacks.",
            "Have the text written in place of the entity.",
        ),
    )
    MISSING_KEY = (
        "missing_key",
        Explanation(Stage.MAP, "The document has no key at `document.key`.", "Correct the path, or ask the producer."),
    )
    MISSING_REVISION = (
        "missing_revision",
        Explanation(
            Stage.MAP,
            "The document has no value at a path of `document.revision`, so that it cannot be compared with others.",
            "Correct the path, add a `default`, or ask the producer.",
        ),
    )
    UNREAD = (
        "unread",
        Explanation(Stage.MAP, "Nothing reads an element or attribute (`unread: reject`).", "Map it, or `ignore` it."),
    )
    MISSING_VALUE = (
        "missing_value",
        Explanation(Stage.MAP, "A column with `required` or `key` is NULL.", "Add a `default`, or remove `required`."),
        Explanation(
            Stage.LOAD,
            "The column in the database does not accept NULL.",
            "Add `required` or a `default` to the contract.",
        ),
    )
    PATH_FAILED = (
        "path_failed",
        Explanation(
            Stage.MAP,
            "The XPath cannot be evaluated on this document, for example because it selects comments.",
            "Correct the path.",
        ),
    )
    CYCLE = (
        "cycle",
        Explanation(
            Stage.MAP,
            "`rows` and `recursive` reach a node twice: rows contain each other, or one is found in two places.",
            "Restrict the paths, or correct the document.",
        ),
    )
    SEVERAL_VALUES = (
        "several_values",
        Explanation(
            Stage.MAP,
            "The path of a column with `select: only` finds more than one node with a value.",
            "Restrict the path, or use another `select`.",
        ),
    )
    UNKNOWN_CODE = (
        "unknown_code",
        Explanation(Stage.MAP, "The lookup does not list the code.", "Add the code, or add `unknown` to the lookup."),
    )
    NOT_A_NUMBER = (
        "not_a_number",
        Explanation(
            Stage.MAP,
            "The text is not a number in the notation of the type; or, with the transform `number`, it contains no "
            "number, several, or something beside it that is not understood.",
            "Add a transform such as `number`.",
        ),
    )
    NOT_A_BOOLEAN = (
        "not_a_boolean",
        Explanation(Stage.MAP, "The text is not `true`, `false`, `1` or `0`.", "Add a lookup with its words."),
    )
    OVERFLOW = (
        "overflow",
        Explanation(Stage.MAP, "A number or a date is outside the range of the type.", "Use a larger type."),
        Explanation(Stage.LOAD, "A number is too large for its column in the database.", _ALIGN_TYPES),
    )
    TOO_MANY_DECIMALS = (
        "too_many_decimals",
        Explanation(
            Stage.MAP,
            "A number has more decimals, or a second more fractional digits, than the type holds.",
            "Use a larger scale, or `on_invalid: round` or `truncate`.",
        ),
    )
    TOO_LONG = (
        "too_long",
        Explanation(
            Stage.MAP,
            "Text or bytes are longer than the type allows.",
            "Use a longer type, or `on_invalid: truncate`.",
        ),
        Explanation(Stage.LOAD, "A value is longer than its column in the database.", _ALIGN_TYPES),
    )
    NOT_IN_CODE_PAGE = (
        "not_in_code_page",
        Explanation(
            Stage.MAP,
            "The contract's `code_page` does not contain the character.",
            "Use `nvarchar`, or another `code_page`.",
        ),
    )
    LONE_SURROGATE = (
        "lone_surrogate",
        Explanation(Stage.MAP, "The text contains half of a surrogate pair.", _ASK_THE_PRODUCER),
    )
    NOT_BINARY = (
        "not_binary",
        Explanation(Stage.MAP, "The text is not hexadecimal or base64, as `encoding` requires.", "Correct `encoding`."),
    )
    NOT_A_UUID = (
        "not_a_uuid",
        Explanation(Stage.MAP, "The text is not 8-4-4-4-12 hexadecimal digits.", "Use a text type."),
    )
    UNKNOWN_DATE_FORMAT = (
        "unknown_date_format",
        Explanation(
            Stage.MAP, "The text is not ISO 8601, or matches none of the column's `formats`.", "Add the format."
        ),
    )
    IMPOSSIBLE_DATE = (
        "impossible_date",
        Explanation(Stage.MAP, "The date or time does not exist, such as 30 February.", _ASK_THE_PRODUCER),
    )
    AMBIGUOUS_TIME = (
        "ambiguous_time",
        Explanation(Stage.MAP, "The time occurred twice in the `time_zone`.", "Set `time_zone` to an offset from UTC."),
    )
    NO_TIME_ZONE = (
        "no_time_zone",
        Explanation(
            Stage.MAP,
            "The type `datetimeoffset` needs a time zone, and the text has none.",
            "Set `time_zone` to the zone in which the texts were written.",
        ),
    )
    UNEXPECTED_TIME_ZONE = (
        "unexpected_time_zone",
        Explanation(
            Stage.MAP,
            "The text has a time zone, which the type cannot hold.",
            "Set `time_zone` to the zone to convert to.",
        ),
    )
    TIME_OF_DAY = (
        "time_of_day",
        Explanation(
            Stage.MAP,
            "The text for a `date` has a time of day other than midnight.",
            "Use `datetime2`, or `on_invalid: truncate`.",
        ),
    )
    DIVIDE_BY_ZERO = (
        "divide_by_zero",
        Explanation(Stage.MAP, "An expression divides by zero.", "Use `NULLIF(divisor, 0)`."),
    )
    CONVERSION_FAILED = (
        "conversion_failed",
        Explanation(Stage.MAP, "A text in an expression cannot be converted.", "Use `TRY_CAST`."),
    )
    TRUNCATION = (
        "truncation",
        Explanation(
            Stage.MAP,
            "The text or bytes of an expression are longer than the column.",
            "Use a longer type, or `LEFT`.",
        ),
    )
    INVALID_ARGUMENT = (
        "invalid_argument",
        Explanation(
            Stage.MAP,
            "An argument of a function is out of its range, such as a negative length.",
            "Guard it with `CASE`.",
        ),
    )
    INTERNAL_ERROR = (
        "internal_error",
        Explanation(Stage.PARSE, *_DEFECT),
        Explanation(Stage.MAP, *_DEFECT),
    )
    WORKER_DIED = (
        "worker_died",
        Explanation(Stage.FETCH, *_WORKER_DIED),
        Explanation(Stage.PARSE, *_WORKER_DIED),
        Explanation(Stage.MAP, *_WORKER_DIED),
    )
    TIMEOUT = ("timeout", Explanation(Stage.PARSE, *_TIMEOUT), Explanation(Stage.MAP, *_TIMEOUT))
    DUPLICATE_KEY = (
        "duplicate_key",
        Explanation(
            Stage.LOAD,
            "A row with this key already exists, from this document or another one. At stage `fetch`: the source has "
            "another document with this key, which it lists before; [another key](processing-log.md#keys) stands for "
            "this one.",
            "Use `distinct` for duplicates within a document, `on_conflict` for those of other documents. Of documents "
            "with one key, name another key column in the contract's `source`, or remove or rename the others.",
        ),
    )
    MISSING_PARENT = (
        "missing_parent",
        Explanation(
            Stage.LOAD,
            "A row refers to a row of another table that does not exist.",
            "Find out why the parent row was not loaded.",
        ),
    )
    CHECK_FAILED = (
        "check_failed",
        Explanation(
            Stage.LOAD, "A CHECK constraint of the table is violated.", "Correct the document or the constraint."
        ),
    )
    CONSTRAINT = (
        "constraint",
        Explanation(
            Stage.LOAD,
            "Another constraint of the database is violated, or a trigger rejects the row.",
            "Correct the document, the constraint or the trigger.",
        ),
    )
    WRONG_TYPE = (
        "wrong_type",
        Explanation(
            Stage.LOAD,
            "The column has another type in the database than in the contract, or an `xml` column does not accept "
            "the text.",
            "Use the same type in both; see [types](types.md#on-sql-server).",
        ),
    )
    NOT_TEXT = ("not_text",)
    """A fault of a contract; no document is rejected for it."""

    NOT_REPLACED = (
        "not_replaced",
        Explanation(
            Stage.LOAD,
            "The document was to be [reprocessed](../how-to/reprocess-documents.md#what-happens-to-a-document), or to "
            "replace an older [revision](../how-to/load-revisions.md), but the existing rows cannot be identified with "
            "certainty or cannot be deleted. These rows stay, and so does a reprocessed document's row in the "
            "processing log.",
            "Follow the explanation; or delete its rows and its row in the processing log, and run again.",
        ),
    )
