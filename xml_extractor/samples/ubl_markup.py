"""Elements of UBL as text, and amounts of money."""

from decimal import ROUND_HALF_UP, Decimal
from xml.sax.saxutils import escape, quoteattr

_CENT = Decimal("0.01")


def cents(amount: Decimal) -> Decimal:
    """An amount with two decimals, a half rounded away from zero."""
    return amount.quantize(_CENT, ROUND_HALF_UP)


def basic(name: str, value: object, **attributes: str) -> str:
    """An element of the namespace of basic components: a text, with attributes."""
    written = "".join(f" {attribute}={quoteattr(text)}" for attribute, text in attributes.items())
    return f"<cbc:{name}{written}>{escape(str(value))}</cbc:{name}>"


def money(name: str, amount: Decimal, currency: str) -> str:
    """A basic component that holds an amount."""
    return basic(name, amount, currencyID=currency)


def aggregate(name: str, *parts: str) -> str:
    """An element of the namespace of aggregate components; parts that are empty are left out."""
    return f"<cac:{name}>{content(*parts)}</cac:{name}>"


def content(*parts: str) -> str:
    """Elements, one below the other and indented."""
    return "".join(f"\n{part}" for part in parts if part).replace("\n", "\n  ") + "\n"
