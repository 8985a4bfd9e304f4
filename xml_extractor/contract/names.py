"""Prefixed names, and the namespaces that need no declaration or have a meaning of their own."""

from collections.abc import Mapping

EXSLT_NAMESPACE = "http://exslt.org/regular-expressions"
"""The namespace of the functions of regular expressions in XPath."""

XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
"""The namespace of the prefix `xml`, which needs no declaration (Namespaces in XML 1.0, section 3)."""


def clark_name(name: str, namespaces: Mapping[str, str]) -> str:
    """Return a name in Clark notation: `cbc:ID` becomes `{urn:…}ID`. A name without a prefix has no namespace.

    Raises:
        ValueError: The prefix is not declared in `namespaces`.
    """
    prefix, colon, local = name.rpartition(":")
    if not colon:
        return name
    if prefix in namespaces:
        return f"{{{namespaces[prefix]}}}{local}"
    if prefix == "xml":
        return f"{{{XML_NAMESPACE}}}{local}"
    raise ValueError(f"the prefix '{prefix}' of '{name}' is not in namespaces")
