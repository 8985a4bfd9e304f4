"""Prefixed names, and the namespaces that need no declaration or have a meaning of their own.

A prefix may stand for several namespaces: those of the versions of a standard. `with_all_namespaces` rewrites the steps
of a path that use such a prefix, so that libxml2 finds the names of all versions, also where a document mixes them.
"""

import re
from collections.abc import Mapping

from xml_extractor.contract.xpath import MAX_NESTING_REWRITTEN, Step, parse_xpath, walk

EXSLT_NAMESPACE = "http://exslt.org/regular-expressions"
"""The namespace of the functions of regular expressions in XPath."""

XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
"""The namespace of the prefix `xml`, which needs no declaration (Namespaces in XML 1.0, section 3)."""

Namespaces = Mapping[str, tuple[str, ...]]
"""The namespaces of each prefix of a contract. An empty one stands for names without a namespace."""

_AXIS = re.compile(r"(?:@|[a-z-]+\s*::)?\s*")


def clark_names(name: str, namespaces: Namespaces) -> tuple[str, ...]:
    """Return a name in Clark notation, for each namespace of its prefix: `cbc:ID` becomes `{urn:…}ID`.

    A name without a prefix has no namespace.

    Raises:
        ValueError: The prefix is not declared in `namespaces`.
    """
    prefix, colon, local = name.rpartition(":")
    if not colon:
        return (name,)
    if prefix in namespaces:
        return tuple(f"{{{address}}}{local}" if address else local for address in namespaces[prefix])
    if prefix == "xml":
        return (f"{{{XML_NAMESPACE}}}{local}",)
    raise ValueError(f"the prefix '{prefix}' of '{name}' is not in namespaces")


def is_of_one_namespace(prefix: str, namespaces: Namespaces) -> bool:
    """Return whether a prefix stands for exactly one namespace, as in XML itself."""
    addresses = namespaces.get(prefix, ("",))
    return len(addresses) == 1 and (addresses[0] != "" or prefix not in namespaces)


def with_all_namespaces(path: str, namespaces: Namespaces) -> tuple[str, dict[str, str]]:
    """Rewrite the steps of a path whose prefix has several namespaces as tests of each of them.

    Args:
        path: An XPath 1.0 expression.
        namespaces: The contract's prefixes.

    Returns:
        The path, and the prefixes that it needs, each with one namespace.
    """
    single = {prefix: names[0] for prefix, names in namespaces.items() if is_of_one_namespace(prefix, namespaces)}
    if len(single) == len(namespaces):
        return path, single
    numbered = {
        (prefix, address): f"_{prefix}-{number}"
        for prefix, addresses in namespaces.items()
        if prefix not in single
        for number, address in enumerate(addresses)
        if address
    }
    steps = [
        part for part in walk(parse_xpath(path, MAX_NESTING_REWRITTEN)) if isinstance(part, Step) and ":" in part.test
    ]
    for step in sorted(steps, key=lambda step: step.offset, reverse=True):
        prefix, _, local = step.test.partition(":")
        if prefix in namespaces and prefix not in single:
            axis = _AXIS.match(path, step.offset)
            start = axis.end() if axis else step.offset
            test = _test(step.axis, local, [(numbered.get((prefix, name), ""), name) for name in namespaces[prefix]])
            path = f"{path[:start]}*[{test}]{path[start + len(step.test) :]}"
    return path, {**single, **{prefix: address for (_, address), prefix in numbered.items()}}


def _test(axis: str, local: str, names: list[tuple[str, str]]) -> str:
    if axis == "attribute":  # the axis `self` finds no attributes; one without a prefix has no namespace
        quoted = [f'"{name}"' if "'" in name else f"'{name}'" for _, name in names if name]
        matching = " or ".join(f"namespace-uri() = {name}" for name in quoted) or "false()"
        return f"({matching})" if local == "*" else f"local-name() = '{local}' and ({matching})"
    tests = [f"self::{prefix}:{local}" if prefix else f"self::{local}" for prefix, _ in names]
    return " or ".join("namespace-uri() = ''" if test == "self::*" else test for test in tests)
