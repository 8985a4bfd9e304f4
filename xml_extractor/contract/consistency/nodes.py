"""Check the keys of a contract, `ignore`, and `base` and `recursive` of tables."""

from collections.abc import Iterator

from xml_extractor.contract.consistency.paths import parsed, position_within
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.element_paths import named_elements
from xml_extractor.contract.element_states import is_surely_matched
from xml_extractor.contract.faults import Fault, KeyPath
from xml_extractor.contract.rewriting import alternatives, pattern_faults
from xml_extractor.contract.xpath import (
    Constant,
    Expression,
    Operation,
    Path,
    Step,
    XPathError,
    variable_name,
    walk,
)

_MAX_PARTS = 1_000
_MAX_NAMES_IN_NAMES = 20


def key_pattern_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the patterns of keys that are no match patterns of elements."""
    for name, key in draft.contract.keys.items():
        expression = parsed(key.match)
        for offset in () if expression is None else pattern_faults(expression):
            yield draft.text.fault(
                ("keys", name, "match"),
                "this is not a match pattern of elements",
                expected="names of elements, * and //, with predicates, as in m:People//m:Person[@id]",
                within=position_within(key.match, offset),
            )


def ignore_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the patterns of `ignore` that are none, and those that ignore what a path of the contract names."""
    written = [(draft.entry_path(("ignore",), index), text) for index, text in enumerate(draft.contract.ignore or ())]
    patterns: list[tuple[KeyPath, Path]] = []
    for key_path, text in written:
        expression = parsed(text)
        offsets = [] if expression is None else list(pattern_faults(expression))
        if isinstance(expression, Operation):
            offsets = [expression.offset]
        offsets += [part.offset for part in walk(expression or Constant("text", "", 0)) if not _is_plain(part)]
        for offset in offsets[:1]:
            yield draft.text.fault(
                key_path,
                "this is not a pattern of names",
                expected="names of elements with / or //, as in m:FullText or m:Reference/m:Raw; a list for several",
                within=position_within(text, offset),
            )
        if isinstance(expression, Path) and not offsets:
            patterns.append((key_path, expression))
    if not patterns or draft.removed:
        return
    try:
        uses = list(named_elements(draft.contract))
        for key_path, pattern in patterns:
            use = next((use for use in uses if is_surely_matched(use.node, pattern, draft.contract.namespaces)), None)
            if use is not None:
                message, found = f"{use.reader} needs what this ignores", f"{use.reader}: {use.path}"
                yield draft.text.fault(key_path, message, found=found, expected="elements that no path names")
    except (XPathError, RecursionError, ValueError):
        return  # reported as faults of the paths


def _is_plain(part: Expression | Step) -> bool:
    return not part.predicates if isinstance(part, Step) else isinstance(part, Path | Constant)


def recursive_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the `recursive` of tables that find no elements, or surely reach a node twice; and what excludes it."""
    for path, _, table in draft.tables():
        if table.recursive is None:
            continue
        key_path = (*path, "recursive")
        expression = parsed(table.recursive)
        for part in () if expression is None else alternatives(expression):
            match part:
                case Path(steps=(*_, last)) if last.axis == "attribute" or last.test == "text()":
                    found, expected = "a path to attributes or text", "a path to the elements directly within a row"
                    yield draft.text.fault(key_path, found=found, expected=expected)
                case Path("context", steps=(*_, last)) if _finds_all_below(part.steps):
                    yield draft.text.fault(
                        key_path,
                        "a node that is reached twice rejects the document",
                        found="a path to all elements further below",
                        expected="a path to the rows directly within a row, such as m:Section",
                        within=position_within(table.recursive, last.offset),
                    )
        if table.distinct is not None and table.distinct.keep == "last":
            message = "rows of a recursive table are found after it is known which of those above them are kept"
            yield draft.text.fault((*path, "distinct", "keep"), message, found="last", expected="first")


def _finds_all_below(steps: tuple[Step, ...]) -> bool:
    """Return whether steps lead to elements of one name at any depth."""
    *before, last = steps
    is_deep = last.axis == "descendant" or any(step.axis == "descendant-or-self" for step in before[-1:])
    return is_deep and not last.predicates


def name_size_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the named nodes that stand for too long a path, because names in names multiply."""
    for path, _, table in draft.tables():
        sizes: dict[str, tuple[int, int]] = {}
        for name, text in table.nodes.items():
            expression = parsed(text)
            parts = [] if expression is None else list(walk(expression))
            named = [variable_name(part) for part in parts if isinstance(part, Constant) and part.kind == "variable"]
            within = [sizes.get(each, (0, 0)) for each in named]
            size, depth = len(parts) + sum(each[0] for each in within), 1 + max((each[1] for each in within), default=0)
            if size > _MAX_PARTS or depth > _MAX_NAMES_IN_NAMES:
                found = f"{size:,} steps and expressions in {depth} names"
                expected = f"at most {_MAX_PARTS:,} in {_MAX_NAMES_IN_NAMES}, with the names that it uses"
                yield draft.text.fault((*path, "nodes", name), found=found, expected=expected)
                break
            sizes[name] = size, depth


def base_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the `base` of tables that is no element."""
    for path, _, table in draft.tables():
        match parsed(table.base) if table.base is not None else None:
            case Path(steps=(*_, last)) if last.axis == "attribute" or last.test == "text()":
                found, expected = "a path to attributes or text", "a path to the element where paths start"
                yield draft.text.fault((*path, "base"), found=found, expected=expected)
