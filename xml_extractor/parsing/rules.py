"""What a contract says about the XML of its documents."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from xml_extractor.contract.layout import has_markup
from xml_extractor.contract.model import Contract
from xml_extractor.contract.names import Namespaces, clark_names, with_all_namespaces
from xml_extractor.contract.rewriting import alternatives, selection, written
from xml_extractor.contract.xpath import Path, Step, parse_xpath

MAX_DEPTH: Final = 256
"""The deepest nesting of elements that libxml2 reads."""


class Ignored(NamedTuple):
    """Elements that are removed.

    Attributes:
        path: The XPath that finds them.
        prefixes: Its prefixes.
        names: Their Clark names, if all elements of these names are meant; else empty.
    """

    path: str
    prefixes: dict[str, str]
    names: tuple[str, ...]


@dataclass(frozen=True)
class ParsingRules:
    """What a contract says about the XML of its documents.

    Attributes:
        roots: Clark names (`{uri}local` or `local`) that the root element may have.
        read_until: A chain of children below the root, as the Clark names that each may have. Reading stops at the end
            of the first element there; what follows is never parsed. Empty: the whole document is read.
        skip_other_roots: Whether another root element raises `OtherRootError`, whatever follows its start tag.
        allow_doctype: Accept a document type declaration. It has no effect: no external subset is fetched, and a
            document that declares or refers to an entity is still rejected, unless entities are replaced.
        replace_entities: Replace references to entities that the DOCTYPE declares as plain text.
        keep_comments: Keep comments and processing instructions in the tree. They split the text around them.
        encoding: The encoding that replaces the declared one; None for the declared one.
        fallback_encoding: The encoding of documents that are invalid in theirs; None rejects them.
        max_bytes: Largest document, in bytes as received; in characters if it came as text.
        max_depth: Deepest nesting of elements, from 1 (only the root) to `MAX_DEPTH`.
        ignored: Elements that are removed.
    """

    roots: tuple[str, ...]
    read_until: tuple[tuple[str, ...], ...] = ()
    skip_other_roots: bool = False
    allow_doctype: bool = False
    replace_entities: bool = False
    keep_comments: bool = False
    encoding: str | None = None
    fallback_encoding: str | None = None
    max_bytes: int = 64 * 2**20
    max_depth: int = MAX_DEPTH
    ignored: tuple[Ignored, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.max_depth <= MAX_DEPTH:
            raise ValueError(f"max_depth must be from 1 to {MAX_DEPTH}, not {self.max_depth}")
        if self.max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, not {self.max_bytes}")


def parsing_rules(contract: Contract) -> ParsingRules:
    """Return the rules for parsing a contract's documents."""
    document = contract.document
    steps = document.read_until.split("/") if document.read_until else []
    return ParsingRules(
        roots=tuple(name for root in document.root for name in clark_names(root, contract.namespaces)),
        read_until=tuple(clark_names(step, contract.namespaces) for step in steps),
        skip_other_roots=document.other_roots == "skip",
        allow_doctype=document.doctype == "allow",
        replace_entities=document.entities == "text",
        keep_comments=has_markup(contract),
        encoding=document.encoding,
        fallback_encoding=document.fallback_encoding,
        max_bytes=document.max_bytes,
        ignored=tuple(each for pattern in contract.ignore or () for each in _ignored(pattern, contract.namespaces)),
    )


def _ignored(pattern: str, namespaces: Namespaces) -> Iterator[Ignored]:
    expression = parse_xpath(pattern)
    for path, alternative in zip(selection(expression).paths, alternatives(expression), strict=True):
        names: tuple[str, ...] = ()
        match alternative:
            case Path("context", (), (Step("child", test, ()),)) if not test.endswith("*"):
                names = clark_names(test, namespaces)
        yield Ignored(*with_all_namespaces(written(path), namespaces), names)
