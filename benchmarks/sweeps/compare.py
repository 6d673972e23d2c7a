"""The page over many runs, of 10,000 pictures: writing, first paint, and frames of a scroll.

Runs of tiny pictures are made without a search. The page is opened from disk in Chromium without a
window and without a GPU. The time to the first paint is what the browser reports; of two scrolls,
at 2,400 pixels a second as a wheel makes it and through the whole page in eight seconds, it is the
time between frames, and that which the page's own thread works for each. SYNTH_PICTURES is the
number of pictures.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from synth.gallery.overview import Overview

PICTURES = int(os.environ.get("SYNTH_PICTURES", "10000"))
EACH, SIDE, CLASSES = 50, 64, 100
METHODS = ("fooling_gradient", "fooling_genetic", "fooling_cma", "fooling_random")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,900")
PAINT = "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
SCROLL = """const [speed, frames] = arguments, done = arguments[2], times = [];
document.getElementById('grid').scrollIntoView();
let before = performance.now(), start = before, top = scrollY;
function next() {
  const time = performance.now();
  times.push(time - before);
  before = time;
  if (times.length > frames) return done([times.slice(1), scrollY - top,
    document.querySelectorAll('.tile').length]);
  scrollTo(0, top + speed * (time - start) / 1000);
  requestAnimationFrame(next);
}
requestAnimationFrame(next)"""


def rows() -> list[tuple[str, str]]:
    """Times of the page, as rows of a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(max(1, PICTURES // EACH)):
            _write_run(folder / "runs" / f"{number:04d}", number)
        overview = Overview([folder / "runs"], folder / "page" / "index.html")
        start = time.process_time()
        overview.update()
        read = time.process_time() - start
        page = overview.write()
        written = time.process_time() - start - read
        start = time.process_time()
        overview.update()
        again = time.process_time() - start
        size = page.stat().st_size / 1e6
        return [
            (
                f"a page over {len(overview.entries):,} runs of {PICTURES:,} pictures",
                f"{size:.1f} MB; {read:.1f} s to read the runs, {written:.1f} s to write page and "
                f"tables; {again:.2f} s to look again where nothing is new (processor time)",
            ),
            *_in_browser(page, folder / "profile"),
        ]


def _in_browser(page: Path, profile: Path) -> list[tuple[str, str]]:
    with _browser(profile) as browser:
        browser.get("about:blank")
        browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        browser.get(page.as_uri())
        paint = browser.execute_script(PAINT)
        time.sleep(2)
        height = browser.execute_script("return document.getElementById('grid').offsetHeight")
        table = [("first paint from disk", f"{paint / 1000:.2f} s")]
        wheel, all_of_it = (2400, 240), (height / 8, 480)
        for label, (speed, frames) in (
            ("a scroll of 2,400 pixels a second", wheel),
            ("a scroll through all in eight seconds", all_of_it),
            ("the first again, without making what comes into sight", wheel),
        ):
            if label.startswith("the first"):  # shows what the machine's other work takes
                browser.execute_script("render = () => {}")
            before = _worked(browser)
            times, distance, tiles = browser.execute_async_script(SCROLL, speed, frames)
            own = (_worked(browser) - before) / len(times)
            slow = sum(each > 50 for each in times)
            table.append(
                (
                    label,
                    f"{distance:,.0f} of {height:,} pixels; of {len(times)} frames the median "
                    f"{statistics.median(times):.0f} ms, the longest {max(times):.0f} ms, {slow} "
                    f"over 50 ms; {own:.1f} ms of processor time each; {tiles} pictures in the "
                    "document",
                )
            )
        errors = [entry["message"] for entry in browser.get_log("browser")]
        return [*table, ("errors of scripting", ", ".join(errors) or "none")]


@contextmanager
def _browser(profile: Path) -> Iterator[Any]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    browser.set_script_timeout(120)
    try:
        yield browser
    finally:
        browser.quit()


def _worked(browser: Any) -> float:
    """Milliseconds that the page's own thread has worked."""
    metrics = browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return 1000 * next(each["value"] for each in metrics if each["name"] == "TaskDuration")


def _write_run(folder: Path, seed: int) -> None:
    draws = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    items = []
    for number in range(EACH):
        coarse = draws.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        file = f"images/{number:03d}.png"
        image.save(folder / file, compress_level=1)
        target = f"class {(number + seed) % CLASSES}"
        items.append(
            {
                "file": file,
                "target": target,
                "predicted": target,
                "confidence": float(draws.uniform(0.2, 1.0)),
                "success": bool(draws.integers(2)),
                "seed": seed // len(METHODS),
                "forwards": int(draws.integers(10, 10_000)),
                "backwards": 0,
                "seconds": float(draws.uniform(0.1, 9.0)),
            }
        )
    result = {
        "recipe": METHODS[seed % len(METHODS)],
        "status": "done",
        "items": items,
        "network": {"name": "none"},
        "search": "noise",
        "overrides": [f"seed={seed // len(METHODS)}"],
        "about": {"success": "the target class is predicted for the saved file"},
    }
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    for row in rows():
        print("| {} | {} |".format(*row))
