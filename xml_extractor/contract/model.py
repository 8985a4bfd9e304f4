"""The model of a contract, which declares how a document becomes rows.

The model checks the shape of a contract; the package `consistency` checks that its parts fit together. The published
JSON Schema is generated from the model and from the text below its keys.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema

from xml_extractor.contract.run_values import RUN_VALUE_TYPES, RunValue
from xml_extractor.contract.short_forms import (
    as_choices,
    as_list,
    null_as_word,
    only_true,
    read_input,
    read_lookup,
    read_order,
    read_rows,
    read_transform,
    read_type,
)
from xml_extractor.values.sqltypes import SqlType, parse_type

Scalar = Annotated[
    Annotated[bool, Strict()] | Annotated[int, Strict()] | Annotated[Decimal, Strict()] | str,
    WithJsonSchema({"type": ["boolean", "number", "string"]}),
]
"""A constant in a contract. Decimals are exact, dates are text."""

POSITION_TYPE = parse_type("int")
TEXT_INPUT_TYPE = parse_type("nvarchar(4000)")

Flag = Annotated[bool, Strict()]
Only = Annotated[Literal[True], BeforeValidator(only_true)]
"""A key that is either absent or `true`."""
Type = Annotated[SqlType, BeforeValidator(read_type), WithJsonSchema({"format": "type"})]
Choice = Literal["reject", "null", "default", "truncate", "round"]
OnInvalid = Annotated[
    tuple[Choice, ...],
    BeforeValidator(
        as_choices, json_schema_input_type=Choice | None | Annotated[list[Choice | None], Field(min_length=1)]
    ),
    Field(min_length=1),
]
REJECT: OnInvalid = ("reject",)
OnBlank = Annotated[
    Literal["null", "keep"], BeforeValidator(null_as_word, json_schema_input_type=Literal["null", "keep"] | None)
]
Select = Literal["first", "last", "only", "join", "sum", "min", "max"]
XPath = Annotated[str, Field(min_length=1, description="XPath 1.0, from the row's node.")]
LocationPath = Annotated[
    str, Field(min_length=1, description="Names of elements, `*` and `//`; of records, predicates over attributes too.")
]
PRINTABLE = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"

Name = Annotated[str, Field(min_length=1, max_length=128, pattern=PRINTABLE)]
NameOrNames = Annotated[
    tuple[Name, ...],
    BeforeValidator(as_list, json_schema_input_type=Name | Annotated[list[Name], Field(min_length=1)]),
    Field(min_length=1),
]
NodeName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=128)]
ColumnReference = Annotated[str, Field(pattern=r"^[^.]+\.[^.]+$", examples=["application.app_id"])]


class Part(BaseModel):
    """A part of a contract: immutable, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, defer_build=True)


class Transform(Part):
    """One step from text to text, or through a lookup, named in `values.transforms.TRANSFORMS`."""

    name: Name
    options: dict[str, Any] | None = None


TransformInput = Annotated[Any, WithJsonSchema({"format": "transform"})]
"""A transform as contracts write it: its name, or a mapping of its name to its options."""

Transforms = tuple[Annotated[Transform, BeforeValidator(read_transform, json_schema_input_type=TransformInput)], ...]


class Defaults(Part):
    """Keys of columns and inputs, for those that do not have them. They apply where they have an effect."""

    transform: Transforms | None = None
    """Steps applied to the text of the document."""
    blank: OnBlank | None = None
    """What absent, empty or blank text becomes, for types of text."""
    formats: tuple[str, ...] | None = None
    """Formats of dates and times. Each type takes those that fit it."""
    time_zone: str | None = None
    """The time zone of dates and times, for the types that it fits."""
    on_invalid: OnInvalid | None = None
    """What to do with a value that the type cannot hold. Each column takes the choices that are possible for it."""


class Lookup(Part):
    """Codes of the document and their values."""

    values: dict[str, Scalar]
    """The column's value for each code."""
    blank: Scalar | None = None
    """The value if the document has no code."""
    unknown: Scalar | None = None
    """The value for an unknown code, `null` for NULL. Without it, an unknown code rejects the document."""
    ignore_case: Flag = False
    """Whether codes are compared without case."""
    trim: Flag = True
    """Whether codes are compared without the white space at their ends."""

    @property
    def folds(self) -> tuple[Callable[[str], str], ...]:
        """What is done to codes before they are compared."""
        return (*((str.strip,) if self.trim else ()), *((str.casefold,) if self.ignore_case else ()))


class ValueRule(Part):
    """The source of a value, and the conversion of its text.

    Applied in this order: blank to NULL, `transform`, `lookup`, `default`, conversion to `type`, `required`.
    """

    path: XPath | None = None
    """XPath 1.0, evaluated from the row's node. Of a node-set, the first node counts unless `select` is given."""
    select: Select = "first"
    """Which of the nodes counts, or how their values are combined."""
    separator: str | None = None
    """With `select: join`: what stands between the values."""
    each: XPath | None = None
    """XPath 1.0, evaluated from each node that `path` finds. The default is the node's text."""
    parent: ColumnReference | None = None
    """`table.column`: the value of a column of the parent row, or, of the own table, of the containing row."""
    run: RunValue | None = None
    """A value of the run."""
    type: Type | None = None
    """A SQL Server scalar type. May be left out for `parent`, `run` and `position`."""
    transform: Transforms = ()
    """Steps applied to the text in the order written."""
    lookup: Name | None = None
    """A name from `lookups`, applied after `transform`."""
    formats: tuple[str, ...] = ()
    """Formats of dates and times as strptime directives, or `iso` for ISO 8601 (the default), tried in order."""
    partial: Literal["first", "last"] | None = None
    """The day that a format without day or month gives: the first or the last one of the month or year."""
    time_zone: str | None = None
    """`UTC`, an offset such as `+02:00`, or an IANA name: the zone of text without one, and of a column without one.
    For a `date`, `as_written`: the day in the zone of the text."""
    encoding: Literal["hex", "base64"] = "hex"
    """The encoding of binary values in the document."""
    blank: OnBlank = "null"
    """What absent, empty or blank text becomes: `null`, or `keep` for unchanged text."""
    default: Scalar | None = None
    """The value if the document has none."""
    on_invalid: OnInvalid = REJECT
    """What to do with a value that the type cannot hold: reject the document, use NULL or the default, truncate or
    round the value. Of a list, the first that is possible."""

    @property
    def selects(self) -> bool:
        """Whether the value is more than the text of the first node that the path finds."""
        return self.path is not None and (self.select != "first" or self.each is not None)

    @property
    def last_lookup(self) -> str | None:
        """The lookup that gives the value, if any. A lookup before another transform only gives text to it."""
        if self.lookup is not None:
            return self.lookup
        name = (self.transform[-1].options or {}).get("name") if self.transform else None
        return name if self.transform and self.transform[-1].name == "lookup" and isinstance(name, str) else None


class Input(ValueRule):
    """A named input of an expression."""

    column: Name | None = None
    """An earlier column of the same row."""


class Column(ValueRule):
    """A column of a target table.

    Exactly one of `path`, `value`, `parent`, `run`, `set`, `position`, `expression`, `reference`, `derived` and
    `generated` is the source of its value.
    """

    value: Scalar | None = None
    """A constant, or `null` for NULL."""
    set_by_rule: Only | None = Field(default=None, alias="set")
    """`true`: the value is the constant in the `set` of the row rule."""
    position: Only | None = None
    """`true`: the row's number among the rows of its parent row, from 1."""
    expression: str | None = None
    """A T-SQL scalar expression over `inputs`."""
    inputs: dict[Name, Annotated[Input, BeforeValidator(read_input, json_schema_input_type=XPath | Input)]] = Field(
        default_factory=dict
    )
    """The inputs of the expression by name: a path (text), or a mapping."""
    reference: ColumnReference | None = None
    """`table.column`: the value of a column in the row that was made from the node at `at`."""
    at: XPath | None = None
    """With `reference`: the node whose row is meant. Of several, the first counts."""
    derived: Only | None = None
    """`true`: a key derived from document key, table, path and position, the same each time the document loads."""
    generated: Only | None = None
    """`true`: the database generates the value (IDENTITY)."""
    key: Flag = False
    """Whether the column is part of the primary key."""
    identity: Flag = False
    """Whether the target column is an IDENTITY column that gets the document's value."""
    required: Flag = False
    """Whether NULL rejects the document."""

    @property
    def is_null(self) -> bool:
        """Whether the column is NULL in every row."""
        return self.value is None and "value" in self.model_fields_set


class RowRule(Part):
    """Nodes that become rows, with the constants of columns with `set: true`."""

    path: XPath
    set_values: dict[Name, Scalar] = Field(default_factory=dict, alias="set")
    """Constants by column."""


class Distinct(Part):
    """Keep one of the rows that are equal in some columns."""

    by: tuple[Name, ...] = Field(min_length=1)
    """The columns to compare. Text is compared exactly."""
    keep: Literal["first", "last"] = "first"
    """Which of the equal rows to keep, in document order."""
    children: Literal["drop", "attach"] = "drop"
    """What becomes of child rows of the other rows: they are left out, or become children of the row that is kept."""


class Key(Part):
    """Elements that `key()` finds by a value, as `xsl:key` of XSLT 1.0."""

    match: Annotated[str, Field(min_length=1, description="A match pattern of XSLT 1.0.")]
    """The elements: a pattern such as `m:People/m:Person`, compared with every element of the document."""
    use: XPath
    """The value by which `key()` finds an element, from the element. Of a node-set, each node gives one."""


class Table(Part):
    """A target table and the rows that a document has for it."""

    table: Annotated[str, Field(pattern=r"^([^.]+\.)?[^.]+$")] | None = None
    """The name in the database, optionally with a schema. The default is the name in the contract."""
    parent: Name | None = None
    """The table whose nodes the paths of `rows` start from. The default is the root element."""
    rows: Annotated[
        tuple[RowRule, ...],
        BeforeValidator(
            read_rows, json_schema_input_type=XPath | Annotated[list[XPath | RowRule], Field(min_length=1)]
        ),
    ] = Field(min_length=1)
    """A path with one row for each node, or a list of paths with constants (key/value tables)."""
    recursive: XPath | None = None
    """From a row's node to the nodes of the rows directly within it, to any depth."""
    nodes: dict[NodeName, XPath] = Field(default_factory=dict)
    """Names of nodes: paths from the row's node. `$name` stands for them in paths of the table, in `rows` of its child
    tables, and in later entries."""
    base: XPath | None = None
    """The node where the paths of the columns start: the first one that this path finds from the row's node."""
    when: str | None = None
    """A T-SQL search condition over the row's columns. Rows for which it is not true are left out."""
    at_least_one: tuple[Name, ...] = ()
    """Rows in which all these columns are NULL are left out."""
    distinct: Distinct | None = None
    """How to remove duplicates within the document."""
    on_conflict: Literal["fail", "keep", "replace"] = "fail"
    """If a row with the same key exists: reject the document, keep the existing row, or replace it."""
    defaults: Defaults | None = None
    """Keys for the columns and inputs of this table, instead of those of the contract's `defaults`."""
    columns: dict[Name, Column] = Field(min_length=1)
    """The columns by name, in the order in which they are computed and inserted."""


Paths = Annotated[
    tuple[LocationPath, ...],
    BeforeValidator(as_list, json_schema_input_type=LocationPath | Annotated[list[LocationPath], Field(min_length=1)]),
    Field(min_length=1),
]
XPaths = Annotated[
    tuple[XPath, ...],
    BeforeValidator(as_list, json_schema_input_type=XPath | Annotated[list[XPath], Field(min_length=1)]),
    Field(min_length=1),
]


class Revision(Part):
    """Which documents are revisions of the same thing, and which of them is the newest."""

    of: XPaths
    """What a document is about: an XPath from the root element, or a list of them."""
    order: Annotated[
        tuple[Input, ...],
        BeforeValidator(
            read_order,
            json_schema_input_type=Literal["source"] | Input | Annotated[list[Input], Field(min_length=1)],
        ),
    ]
    """Which revision is newer: a typed path, a list of them compared one after the other, or `source` for the order of
    the source."""


class Document(Part):
    """How to read a document."""

    root: NameOrNames
    """The root element, or a list of them. Another root element rejects the document, unless `other_roots` skips it."""
    other_roots: Literal["reject", "skip"] = "reject"
    """What to do with a document that has another root element: reject it, or skip and count it."""
    records: Paths | None = None
    """The elements that are documents of their own: paths from the root element, or absolute."""
    header: Paths | None = None
    """Children of a record's ancestors that its paths can reach with `..`, if they stand before the first record."""
    key: XPath | None = None
    """The document's own key. The default is the source's key."""
    key_type: Type = Field(default=RUN_VALUE_TYPES["document_key"])
    """The type of the key."""
    revision: Revision | None = None
    """Which documents are revisions of the same thing; the newest one remains. Without it, all documents remain."""
    deleted: XPath | None = None
    """With `revision`: an XPath that is true for a document that deletes the thing."""
    read_until: Name | None = None
    """A promise that nothing after the end of this element is needed: a path of child names from the root."""
    preceded_by: tuple[Name, ...] = ()
    """With `read_until`: other child elements of the root that come before it and may be used."""
    doctype: Literal["refuse", "allow"] = "refuse"
    """Whether a DOCTYPE is allowed. External subsets are never fetched."""
    entities: Literal["refuse", "text"] = "refuse"
    """Whether a DOCTYPE may declare entities: `text` replaces references to internal entities of plain text."""
    encoding: Name | None = None
    """The encoding of the documents, instead of the one that they declare."""
    fallback_encoding: Name | None = None
    """The encoding of documents that are invalid in the encoding that they declare."""
    max_bytes: Annotated[int, Strict()] = Field(default=64 * 2**20, gt=0)
    """Larger documents are rejected."""


class SourceTable(Part):
    """The table of the documents if the source is a database."""

    table: Annotated[str, Field(pattern=r"^([^.]+\.)?[^.]+$")] = "app_xml"
    """A table or view, optionally with a schema."""
    key: Name = "app_id"
    """The column that identifies a document."""
    xml: Name = "xml"
    """The column that contains the document."""
    where: str | None = None
    """A search condition in the SQL of the source. Only documents for which it is true are read."""


class Contract(Part):
    """How documents of one kind become rows of related tables."""

    contract: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_\-]*$", max_length=100)]
    """The contract's name. With the document's key, it identifies a load in the processing log."""
    version: Annotated[int, Strict()] = Field(ge=1, le=2**31 - 1)
    """The version. Increase it when the meaning of the contract changes."""
    description: str = ""
    document: Document
    source: SourceTable = Field(default_factory=SourceTable)
    namespaces: dict[
        str,
        Annotated[
            tuple[str, ...],
            BeforeValidator(as_list, json_schema_input_type=str | Annotated[list[str], Field(min_length=1)]),
            Field(min_length=1),
        ],
    ] = Field(default_factory=dict)
    """The prefixes of all paths and names of this contract. A list gives one prefix several namespaces; `""` in it
    stands for elements without a namespace."""
    defaults: Defaults | None = None
    """Keys for all columns and inputs, and for `document.key`."""
    code_page: str = "cp1252"
    """The code page of `char`, `varchar` and `text` columns in the target's collation."""
    lookups: dict[
        Name, Annotated[Lookup, BeforeValidator(read_lookup, json_schema_input_type=Lookup | dict[str, Scalar])]
    ] = Field(default_factory=dict)
    """Code tables; the short form is `CODE: value`."""
    keys: dict[Name, Key] = Field(default_factory=dict)
    """Elements of the document that `key('name', value)` finds in constant time."""
    ignore: Paths | None = None
    """Elements that are treated as absent: a match pattern, or a list of them."""
    unread: Literal["ignore", "report", "reject"] = "ignore"
    """What to do about elements and attributes that nothing reads: nothing, count them, or reject the document."""
    tables: dict[Name, Table] = Field(min_length=1)
    """The tables in load order, parents first."""
