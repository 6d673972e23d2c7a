"""Embedding: the share of neighbours of the same class, and the page of 10,000 pictures.

The share is that of mini AlexNet's fc7 over the validation pictures of Tiny ImageNet, beside that
of the same pictures' pixels at their full size. The page is that of 10,000 training pictures, in
Chromium without a window and without a GPU: the time to the first paint, which the browser reports,
and of a zoom of three seconds the time between frames, and that which the page's own thread works
for each.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import synth

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
PICTURES = 10_000
FLAGS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,900")
FRAMES = 180
ZOOM = """const done = arguments[0], times = [];
let before = performance.now(), frames = 0;
function next() {
  const time = performance.now();
  times.push(time - before);
  before = time;
  if (frames++ === FRAMES) return done(times.slice(1));
  zoom(frames < FRAMES / 2 ? 1.04 : 1 / 1.04, 500 + frames, 400);
  requestAnimationFrame(next);
}
requestAnimationFrame(next)""".replace("FRAMES", str(FRAMES))
READY = """const done = arguments[0];
const ready = () => document.documentElement.dataset.ready ? done() : setTimeout(ready, 20);
ready()"""
PAINT = "return performance.getEntriesByName('first-contentful-paint')[0].startTime"


def rows() -> list[tuple[str, str]]:
    """Shares, and the speed of the page, as rows of a table."""
    network = synth.network("mini_alexnet")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = _extracted("tiny_imagenet_100_val.tar", folder / "validation")
        settings = {"network": network, "layer": "fc7", "maps": "pca", "progress": False}
        side = network.size[0]
        result = synth.probe("embedding", images=str(pictures), pixels=side, **settings)
        many = _extracted("tiny_imagenet_100_train_1of4.tar", folder / "training")
        for path in sorted(many.rglob("*.JPEG"))[PICTURES:]:
            path.unlink()
        run = synth.probe("embedding", images=str(many), parquet=False, **settings)
        page = run.save(folder / "run") / "map.html"
        speed = _page(page, folder / "profile")
    return [_shares(result.findings), speed]


def _extracted(archive: str, folder: Path) -> Path:
    with tarfile.open(SHARED / "data" / archive) as file:
        file.extractall(folder, filter="data")
    return folder


def _shares(findings: dict[str, Any]) -> tuple[str, str]:
    features, cosine, pixels = findings["spaces"][:3]

    def share(row: dict[str, Any]) -> str:
        return f"{row['same_class']:.3f} ({row['low']:.3f} to {row['high']:.3f})"

    return (
        f"neighbours of the same class, k = {findings['k']}, {findings['pictures']} pictures of "
        f"{findings['classes']} classes",
        f"fc7 {share(features)}, by cosine {share(cosine)}; pixels {share(pixels)}; "
        f"{features['same_class'] / pixels['same_class']:.1f} times",
    )


def _page(page: Path, profile: Path) -> tuple[str, str]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    try:
        browser.set_script_timeout(120)
        browser.get("about:blank")
        browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        browser.get(page.as_uri())
        browser.execute_async_script(READY)
        paint = browser.execute_script(PAINT)
        time.sleep(1)
        before = _worked(browser)
        times = browser.execute_async_script(ZOOM)
        own = (_worked(browser) - before) / len(times)
        painter = browser.execute_script("return document.documentElement.dataset.painter")
    finally:
        browser.quit()
    slow = sum(each > 50 for each in times)
    return (
        f"the page of {PICTURES:,} pictures, one file of {page.stat().st_size / 1e6:.1f} MB, "
        f"{painter}",
        f"first paint {paint / 1000:.2f} s; of {len(times)} frames of a zoom the median "
        f"{statistics.median(times):.0f} ms, the longest {max(times):.0f} ms, {slow} over 50 ms; "
        f"{own:.0f} ms of processor time each",
    )


def _worked(browser: Any) -> float:
    """Milliseconds that the page's own thread has worked."""
    metrics = browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return 1000 * next(each["value"] for each in metrics if each["name"] == "TaskDuration")


if __name__ == "__main__":
    for row in rows():
        print("| {} | {} |".format(*row))
