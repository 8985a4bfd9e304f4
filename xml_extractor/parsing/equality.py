"""Compare markup that databases write in another way than they got it."""

from lxml import etree


def same_markup(one: object, other: object) -> bool:
    """Return whether two fragments of XML differ only in how they are written, such as in quotes or empty elements."""
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    try:
        return _canonical(one) == _canonical(other)
    except (etree.XMLSyntaxError, ValueError):
        return False


def _canonical(fragment: str) -> bytes:
    root = etree.fromstring(
        f"<r>{fragment}</r>", etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    )
    return etree.tostring(root, method="c14n")
