"""Parse a document's bytes to an element tree, safely. The only user of lxml's parsers."""

from xml_extractor.parsing.diagnosis import OtherRootError, ParseError
from xml_extractor.parsing.equality import same_markup
from xml_extractor.parsing.parser import DocumentParser
from xml_extractor.parsing.prolog import LONGEST_PROLOG
from xml_extractor.parsing.rules import ParsingRules, parsing_rules

__all__ = [
    "LONGEST_PROLOG",
    "DocumentParser",
    "OtherRootError",
    "ParseError",
    "ParsingRules",
    "parsing_rules",
    "same_markup",
]
