"""The page as its tests see it: what a person can do there, what stands there, and whether the browser complained."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import FilePayload, Locator, Page, expect

READ_MS = 40_000  # on a busy machine, several files deep in the queue
_REFUSED = re.compile(r"Failed to load resource: .*status of (4|5)\d\d")

# What the browser would do with a file that a person drags in or pastes.
_HAND_OVER = """({kind, files}) => {
  const transfer = new DataTransfer();
  for (const {name, type, data} of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, {type}));
  }
  const target = document.activeElement ?? document.body;
  const init = {bubbles: true, cancelable: true};
  const event = kind === "paste"
    ? new ClipboardEvent("paste", {...init, clipboardData: transfer})
    : new DragEvent(kind, {...init, dataTransfer: transfer});
  target.dispatchEvent(event);
  return event.defaultPrevented;
}"""

_WATCH_POLICY = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


OpenPage = Callable[..., "OcrPage"]
Draw = Callable[..., FilePayload]
AskApi = Callable[..., httpx.Response]


@dataclass
class OcrPage:
    """One tab with the page in it. ``complaints`` are console errors, exceptions, violated policies, foreign hosts."""

    page: Page
    url: str
    refusals_expected: bool = False
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self) -> OcrPage:
        """Go to the page and wait until it has asked the service for its options."""
        self.watch().goto(self.url)
        expect(self.page.locator("#option-model")).to_be_attached()
        return self

    def watch(self) -> Page:
        """Listen to complaints and requests from now on; return the tab."""
        self.page.add_init_script(_WATCH_POLICY)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        self.page.on("request", lambda request: self.requests.append(f"{request.method} {request.url}"))
        # From now on and not only when a test expects one: Playwright does not wait until Chromium has
        # understood that it is to hand choosers over, and a key is quicker.
        self.page.on("filechooser", lambda chooser: None)
        return self.page

    def check(self) -> None:
        """Fail if the browser had anything to complain about."""
        found = [*self.complaints, *self.page.evaluate("window.violations")]
        local = (f"{self.url}/", f"blob:{self.url}/", "data:")
        found += [request for request in self.requests if not request.partition(" ")[2].startswith(local)]
        assert found == []

    def _hear(self, message: Any) -> None:
        if message.type not in ("error", "warning"):
            return
        if self.refusals_expected and _REFUSED.search(message.text):
            return  # Chromium itself writes every status above 399 into the console
        self.complaints.append(f"{message.type}: {message.text}")

    # -- what a person does

    def choose(self, *files: FilePayload | Path) -> None:
        """Choose files with the button's dialogue, and wait for none of them."""
        self.page.locator("#files").set_input_files(list(files))  # type: ignore[arg-type]

    def hand_over(self, kind: str, *files: FilePayload) -> bool:
        """Dispatch a paste, dragenter, dragover or drop; return whether the page took it."""
        payload = [
            {"name": one["name"], "type": one["mimeType"], "data": base64.b64encode(one["buffer"]).decode()}
            for one in files
        ]
        return bool(self.page.evaluate(_HAND_OVER, {"kind": kind, "files": payload}))

    def wait_until_finished(self, count: int) -> None:
        """Wait until ``count`` files have been read or refused."""
        finished = self.page.locator(".entry:is([data-state=done], [data-state=failed])")
        expect(finished).to_have_count(count, timeout=READ_MS)

    def read(self, *files: FilePayload | Path) -> OcrPage:
        """Choose files and wait for all of them, on a page that had none."""
        self.choose(*files)
        self.wait_until_finished(len(files))
        return self

    def key(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for each in keys:
            self.page.keyboard.press(each)

    # -- what stands there

    @property
    def rows(self) -> Locator:
        """The lines of text."""
        return self.page.locator(".row")

    @property
    def boxes(self) -> Locator:
        """The boxes on the picture."""
        return self.page.locator(".sheet polygon")

    @property
    def status(self) -> Locator:
        """What screen readers are told."""
        return self.page.locator("#status")

    def texts(self) -> list[str]:
        """The text of every row."""
        return [str(text) for text in self.page.locator(".row .line-text").all_text_contents()]

    def polygons(self) -> list[list[list[float]]]:
        """The corners of every box, in pixels of the original."""
        points = self.page.eval_on_selector_all(
            ".sheet polygon", "boxes => boxes.map(box => box.getAttribute('points'))"
        )
        return [[[float(x) for x in point.split(",")] for point in each.split()] for each in points]

    def file_states(self) -> list[tuple[str, str]]:
        """Name and state of every file in the list."""
        found = self.page.eval_on_selector_all(
            ".entry",
            "all => all.map(one => [one.querySelector('.entry-name').textContent, one.dataset.state])",
        )
        return [(str(name), str(state)) for name, state in found]

    def clipboard(self) -> str:
        """The text on the clipboard."""
        return str(self.page.evaluate("navigator.clipboard.readText()"))

    def download(self, click: Sequence[str]) -> tuple[str, bytes]:
        """Click the selectors in turn, the last of which saves a file; return its name and bytes."""
        for selector in click[:-1]:
            self.page.click(selector)
        with self.page.expect_download() as waiting:
            self.page.click(click[-1])
        return waiting.value.suggested_filename, waiting.value.path().read_bytes()

    def download_json(self) -> Any:
        """The reading on show, as the page saves it."""
        return json.loads(self.download(["#download summary", "[data-format=json]"])[1])
