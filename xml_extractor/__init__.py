"""Load XML documents into related SQL tables by a declarative contract."""

__version__ = "0.1.0"

DISTRIBUTION = "xml-extractor-etl"
"""The name for pip, where `xml-extractor` is another package."""
