"""Bytes of a document to an element tree, safely. The only user of lxml's parsers."""
