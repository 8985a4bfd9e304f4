"""A headless Chromium, controlled by its DevTools protocol over a pipe, to open pages as readers do.

`python -m tests.browser FILE DIRECTORY` writes pictures of a page: light and dark, of a phone, a desktop and on paper.
"""

import base64
import json
import os
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

PROGRAM = next(filter(None, map(shutil.which, ("google-chrome", "chromium", "chromium-browser"))), None)

needs_browser = pytest.mark.skipif(
    PROGRAM is None or os.name != "posix", reason="no Chromium is installed, or the system has no inherited pipes"
)

PHONE, DESKTOP = 400, 1400

TIME_LIMIT_SECONDS = 120

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)

MEASURE = """
document.querySelectorAll('details').forEach(each => each.open = true);
const all = [...document.querySelectorAll('*')].filter(each => each.getClientRects().length);
const box = each => { const box = each.getBoundingClientRect(); return [box.left, box.right, box.top, box.bottom] };
JSON.stringify({
  title: document.title,
  width: document.documentElement.scrollWidth,
  cut: all.filter(each => !each.closest('svg') && box(each)[1] > innerWidth + 0.5)
    .map(each => each.outerHTML.slice(0, 99)),
  texts: all.filter(each => each.tagName == 'text').map(each => [each.textContent, ...box(each)]),
  backgrounds: all.map(each => getComputedStyle(each).backgroundColor).filter(each => each != 'rgba(0, 0, 0, 0)'),
})
"""


class Text(NamedTuple):
    """A text of a plot, and its box in pixels."""

    text: str
    left: float
    right: float
    top: float
    bottom: float


class Opened(NamedTuple):
    """What a browser made of a page, with all its details open.

    Attributes:
        faults: Messages of its console, and errors.
        requests: Addresses that it requested, other than that of the page.
        title: Its title.
        width: Of the content in pixels.
        cut: Elements that are wider than the screen.
        texts: Of plots.
        backgrounds: The colours of elements that have one: red, green, blue.
    """

    faults: list[str]
    requests: list[str]
    title: str
    width: int
    cut: list[str]
    texts: list[Text]
    backgrounds: list[tuple[int, ...]]


class Browser:
    """A running browser with one tab.

    Args:
        send, receive: Descriptors of the pipe.
    """

    def __init__(self, send: int, receive: int) -> None:
        self._send = os.fdopen(send, "wb", buffering=0)
        self._receive = os.fdopen(receive, "rb", buffering=0)
        self._received = b""
        self._number = 0
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._send.write(json.dumps(message).encode() + b"\0")
        while True:
            received = self._next()
            if received.get("id") == self._number:
                assert "error" not in received, received
                result: dict[str, Any] = received["result"]
                return result

    def open(self, page: Path, width: int = DESKTOP, *, dark: bool = False, media: str = "screen") -> Opened:
        """Open a page, and return what is seen of it."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self._events.clear()
        self.call("Page.navigate", url=page.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._next()
        measured = self.call("Runtime.evaluate", expression=f"{{{MEASURE}}}")["result"]
        found = json.loads(measured["value"])
        requests = [event["params"]["request"]["url"] for event in self._named("Network.requestWillBeSent")]
        return Opened(
            [*self._faults()],
            [url for url in requests if url != page.as_uri()],
            found["title"],
            found["width"],
            found["cut"],
            [Text(*each) for each in found["texts"]],
            [tuple(map(int, re.findall(r"\d+", each)[:3])) for each in dict.fromkeys(found["backgrounds"])],
        )

    def picture(self) -> bytes:
        """Return a picture of the whole open page, as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(taken["data"])

    def close(self) -> None:
        """End the browser."""
        self._session = None
        self.call("Browser.close")
        self._send.close()
        self._receive.close()

    def _faults(self) -> Iterator[str]:
        for event in self._named("Runtime.consoleAPICalled"):
            yield str(event["params"]["args"])
        for event in self._named("Runtime.exceptionThrown"):
            yield str(event["params"]["exceptionDetails"])
        for event in self._named("Log.entryAdded"):
            yield str(event["params"]["entry"]["text"])

    def _named(self, method: str) -> list[dict[str, Any]]:
        return [event for event in self._events if event["method"] == method]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._receive], [], [], TIME_LIMIT_SECONDS)
            assert ready, "the browser does not answer"
            received = self._receive.read(1 << 20)
            assert received, "the browser has ended"
            self._received += received
        text, _, self._received = self._received.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self._events.append(message)
        return message


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with an empty profile, until the end of the block. Skips the test if there is only a stub of one."""
    assert PROGRAM is not None
    if subprocess.run([PROGRAM, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"{PROGRAM} cannot be started")
    (to_read, send), (receive, to_write) = os.pipe(), os.pipe()
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # The browser reads from descriptor 3 and writes to descriptor 4.
        connect = f'exec "$@" 3<&{to_read} 4>&{to_write}'
        with subprocess.Popen(
            ["bash", "-c", connect, "bash", PROGRAM, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            os.close(to_read)
            os.close(to_write)
            opened = Browser(send, receive)
            try:
                yield opened
            finally:
                opened.close()
                process.wait(30)


VIEWS: Mapping[str, Mapping[str, Any]] = {
    "desktop-light": {},
    "desktop-dark": {"dark": True},
    "phone-light": {"width": PHONE},
    "phone-dark": {"width": PHONE, "dark": True},
    "paper": {"width": 720, "media": "print", "dark": True},
}


def main(page: Path, directory: Path) -> None:
    """Write a picture of each view of a page."""
    directory.mkdir(parents=True, exist_ok=True)
    with browser() as opened:
        for name, view in VIEWS.items():
            found = opened.open(page.resolve(), **view)
            (directory / f"{page.stem}-{name}.png").write_bytes(opened.picture())
            sys.stdout.write(f"{name}: {found[:5]}\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
