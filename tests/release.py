"""Check before a release that tag, version and changes agree: `python -m tests.release v0.1.0`."""

import re
import sys
from pathlib import Path

from xml_extractor.distribution import VERSION

CHANGES = Path(__file__).parent.parent / "CHANGELOG.md"
HEADING = re.compile(r"^## \[(?P<version>[^]]+)\](?: - (?P<day>\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


def releases(text: str) -> dict[str, str | None]:
    """The releases of the list of changes with their days, the newest first; `Unreleased` has none."""
    return {found["version"]: found["day"] for found in HEADING.finditer(text)}


def trouble_with(tag: str) -> str:
    """What keeps a tag from being released; empty if nothing does."""
    if tag != f"v{VERSION}":
        return f"the tag is {tag}, the version of the package is {VERSION}"
    found = releases(CHANGES.read_text(encoding="utf-8"))
    newest = next(version for version in found if version != "Unreleased")
    if newest != VERSION or not found[newest]:
        return f"the newest release in CHANGELOG.md is {newest} of {found[newest]}, the package is {VERSION}"
    return ""


if __name__ == "__main__":
    sys.exit(trouble_with(*sys.argv[1:]) or None)
