"""What this package is called where it is installed, and its version."""

VERSION = "0.1.0"

DISTRIBUTION = "xml-extractor-etl"
"""The name for pip, where `xml-extractor` is another package."""
