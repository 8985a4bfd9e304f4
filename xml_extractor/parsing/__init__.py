"""Bytes of a document to an element tree, safely. The only user of lxml's parsers."""

from xml_extractor.parsing.failures import ParseError
from xml_extractor.parsing.parser import DocumentParser, ParsingRules

__all__ = ["DocumentParser", "ParseError", "ParsingRules"]
