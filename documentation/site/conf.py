"""Settings of Sphinx for the documentation site: `make site`.

The source directory is the repository, so that each relative link leads to the same page on the site, on a code host
and in an editor. Pages are plain Markdown. The navigation is the index of all pages, `documentation/README.md`.
"""

import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx

from xml_extractor import __version__

ROOT = Path(__file__).resolve().parents[2]
INDEX = ROOT / "documentation" / "README.md"
SECTION = re.compile(r"^\*\*([^*]+)\*\*:.*\n((?:\n?(?:- |  ).*\n?)+)", re.MULTILINE)
LINK = re.compile(r"\]\(([\w/-]+)\.md\)")

project = "xml_extractor"
release = version = __version__
html_title = f"xml_extractor {__version__}"
copyright = ""  # noqa: A001 - a name that Sphinx gives
html_show_copyright = html_show_sphinx = False

extensions = ["myst_parser", "sphinx_copybutton"]
root_doc = "README"
include_patterns = ["*.md", "documentation/*.md", "documentation/**/*.md", "metrics/benchmarks/README.md"]
exclude_patterns = [".venv", "build"]
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]  # excerpts need not be whole programs
smartquotes = False  # two hyphens begin an option
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}


def sections() -> list[tuple[str, list[str]]]:
    """Return the parts of the index of all pages: heading, and names of pages."""
    found = SECTION.findall(INDEX.read_text(encoding="utf-8"))
    return [(heading, [f"documentation/{page}" for page in LINK.findall(pages)]) for heading, pages in found]


def add_navigation(_app: Sphinx, name: str, content: list[str]) -> None:
    """Append the navigation to the front page."""
    if name == root_doc:
        trees = [(heading, "\n".join(pages)) for heading, pages in sections()]
        others = "documentation/README\nCHANGELOG\nCONTRIBUTING\nmetrics/benchmarks/README"
        for heading, pages in (*trees, ("Project", others)):
            content[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n{pages}\n```\n"


def copy_front_page(app: Sphinx, error: Exception | None) -> None:
    """Give the front page the name that web servers look for, and its picture, which Sphinx does not see in HTML."""
    if error is None and app.builder.name == "html":
        shutil.copy(app.outdir / "README.html", app.outdir / "index.html")
        for picture in INDEX.parent.glob("explanation/document-to-rows*.svg"):
            shutil.copy(picture, app.outdir / "documentation" / "explanation")


def setup(app: Sphinx) -> None:
    """Connect the two functions to the build."""
    app.connect("source-read", add_navigation)
    app.connect("build-finished", copy_front_page)
