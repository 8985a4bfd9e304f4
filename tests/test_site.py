"""The documentation site: built from the pages, complete, and without requests to other hosts."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the extra `site` is not installed")

ROOT = Path(__file__).parent.parent
PAGES = [path.relative_to(ROOT) for path in (ROOT / "documentation").rglob("*.md")]
RESOURCES = {"script": "src", "img": "src", "iframe": "src", "source": "srcset", "link": "href", "form": "action"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with the options of `make site`: a warning, such as a broken link, is an error."""
    directory = tmp_path_factory.mktemp("site")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (options,) = re.findall(r"sphinx-build (.+) \. build/site", makefile)
    command = [sys.executable, "-m", "sphinx", *options.split(), "-d", str(directory / "doctrees"), ".", "html"]
    command[-1] = str(directory / "html")
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert completed.returncode == 0, completed.stderr
    return directory / "html"


class Loaded(HTMLParser):
    """Collects what a browser loads to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(RESOURCES.get(tag, ""))
        if address:
            self.found.add(address)


def test_a_browser_loads_only_files_of_the_site(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        for address in loaded.found:
            assert not re.match(r"(https?:)?//", address), page.name
            file = address.partition("?")[0].partition("#")[0]
            assert not file or (page.parent / file).exists(), (page.name, address)
    for style in site.rglob("*.css"):
        assert not re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^)]*", style.read_text(encoding="utf-8"))


def test_each_page_is_on_the_site_in_its_navigation_and_in_its_search(site: Path) -> None:
    front = (site / "index.html").read_text(encoding="utf-8")
    search = (site / "searchindex.js").read_text(encoding="utf-8")
    for page in PAGES:
        name = page.with_suffix("").as_posix()
        assert (site / f"{name}.html").exists()
        assert f'href="{name}.html"' in front
        assert f'"{name}"' in search


def test_readers_choose_light_or_dark_and_pictures_follow(site: Path) -> None:
    front = (site / "index.html").read_text(encoding="utf-8")
    assert "theme-toggle" in front
    assert "color-scheme: dark" in (site / "_static" / "site.css").read_text(encoding="utf-8")
    pictures = [path for path in site.rglob("_images/*.svg") if "plots" not in path.parts]
    assert pictures
