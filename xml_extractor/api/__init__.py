"""The Python API. Its names are those of `xml_extractor.__all__`."""
