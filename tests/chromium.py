"""A real headless browser, spoken to in the Chrome DevTools protocol over its debugging pipe."""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--remote-debugging-pipe",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-dev-shm-usage",
)
# Puts the two ends where the browser looks for them, and becomes the browser. Both are moved out of
# the way first, in case they are 4 and 3.
WIRED = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def chromium_program() -> str | None:
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Chromium:
    """One page of a browser of its own, which ends with the `with` block.

    Messages are JSON ended by a zero byte, on file descriptors 3 (to the browser) and 4 (from it).
    """

    def __init__(self, width_px: int = 1440, height_px: int = 900, pixel_ratio: float = 1) -> None:
        program = chromium_program()
        if program is None:
            raise FileNotFoundError("no Chromium on the path")
        self.events: list[dict[str, Any]] = []
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._pending = b""
        self._number = 0
        read_there, self._write = os.pipe()
        self._read, write_there = os.pipe()
        options = (*OPTIONS, f"--user-data-dir={self._profile.name}")
        self._process = subprocess.Popen(
            (sys.executable, "-c", WIRED, str(read_there), str(write_there), program, *options),
            pass_fds=(read_there, write_there),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(read_there)
        os.close(write_there)
        self._session: str | None = None
        try:
            page = self.send("Target.createTarget", url="about:blank")["targetId"]
            attached = self.send("Target.attachToTarget", targetId=page, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.send(f"{domain}.enable")
            self.resize(width_px, height_px, pixel_ratio)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._write)
        os.close(self._read)
        # The browser and the processes that it started are one group, and ours alone.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._profile.cleanup()

    def processor_seconds(self) -> float:
        """Processor time of all the browser's processes so far (Linux)."""
        ticks = 0
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = status.read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended meanwhile
            if int(fields[2]) == self._process.pid:  # the process group
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._pending:
            if not select.select([self._read], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            received = os.read(self._read, 1 << 16)
            if not received:
                raise ConnectionError("the browser has ended")
            self._pending += received
        message, self._pending = self._pending.split(b"\0", 1)
        return json.loads(message)

    def send(self, method: str, timeout_s: float = 60, **params: Any) -> dict[str, Any]:
        """The answer to one command; events that come meanwhile are kept in `events`."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        whole = json.dumps(message).encode() + b"\0"
        while whole:
            whole = whole[os.write(self._write, whole) :]
        deadline = time.monotonic() + timeout_s
        while (answer := self._receive(deadline)).get("id") != self._number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def resize(self, width_px: int, height_px: int, pixel_ratio: float = 1) -> None:
        metrics = {"width": width_px, "height": height_px, "deviceScaleFactor": pixel_ratio}
        self.send("Emulation.setDeviceMetricsOverride", mobile=False, **metrics)

    def evaluate(self, expression: str, timeout_s: float = 60) -> Any:
        """The value of a JavaScript expression in the page, awaited if it is a promise."""
        options = {"awaitPromise": True, "returnByValue": True}
        answer = self.send("Runtime.evaluate", timeout_s, expression=expression, **options)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def wait_for(self, condition: str, timeout_s: float = 30) -> None:
        deadline = time.monotonic() + timeout_s
        while not self.evaluate(f"Boolean({condition})"):
            if time.monotonic() > deadline:
                raise TimeoutError(condition)
            time.sleep(0.02)

    def open(self, path: Path, until: str = "document.readyState === 'complete'") -> None:
        self.send("Page.navigate", url=path.resolve().as_uri())
        self.wait_for(f"location.protocol === 'file:' && {until}")

    def screenshot(self) -> bytes:
        return base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])

    def mouse(self, kind: str, x: float, y: float, **params: Any) -> None:
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **params)

    def click(self, x: float, y: float) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def key(self, name: str, text: str = "") -> None:
        codes = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}
        code = {"windowsVirtualKeyCode": codes[name]} if name in codes else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=name, text=text, **code)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=name, **code)

    def type(self, text: str) -> None:
        self.send("Input.insertText", text=text)
