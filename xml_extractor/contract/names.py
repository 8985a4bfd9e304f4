"""Prefixed names of a contract, as the XML tools spell them."""

from collections.abc import Mapping

XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
"""What the prefix `xml` stands for, without being declared (Namespaces in XML 1.0, section 3)."""

EXSLT_NAMESPACE = "http://exslt.org/regular-expressions"
"""The namespace of EXSLT's functions for regular expressions."""


def clark_name(name: str, namespaces: Mapping[str, str]) -> str:
    """A name as element trees have it: `cbc:ID` is `{urn:…}ID`, a name without prefix is in no namespace.

    Raises:
        ValueError: The prefix is not one of `namespaces`.
    """
    prefix, colon, local = name.rpartition(":")
    if not colon:
        return name
    if prefix in namespaces:
        return f"{{{namespaces[prefix]}}}{local}"
    if prefix == "xml":
        return f"{{{XML_NAMESPACE}}}{local}"
    raise ValueError(f"the prefix '{prefix}' of '{name}' is not in namespaces")
