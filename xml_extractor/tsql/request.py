"""What a function that converts values is made from."""

from dataclasses import dataclass

from xml_extractor.values.sqltypes import SqlType


@dataclass(frozen=True, slots=True)
class Request:
    """A conversion to be compiled.

    Attributes:
        source, target: The types, which differ.
        style: The style of CONVERT, if there is one.
        strict: INSERT's way with text and binaries that are too long: refuse instead of cut.
    """

    source: SqlType
    target: SqlType
    style: int | None = None
    strict: bool = False
