"""A headless Chromium for pages on disk, and short functions that query a page."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
DRIVER = shutil.which("chromedriver")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--window-size=1280,900"),
)
needs_chromium = pytest.mark.skipif(
    not (BROWSER and DRIVER and importlib.util.find_spec("selenium")),
    reason="needs selenium, and chromium and chromedriver on the PATH",
)


def start_browser(profile: Path) -> Chrome:
    """A browser with its own files in `profile` and a console log; the caller has to quit it."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))


def run(browser: Chrome, script: str, *arguments: object) -> Any:
    return browser.execute_script(script, *arguments)


def titles(browser: Chrome) -> list[str]:
    """The headings of the cards that are not filtered out."""
    return texts(browser, "#units > li:not([hidden]) h3")


def texts(browser: Chrome, selector: str) -> list[str]:
    """The texts of all elements that match."""
    script = "return [...document.querySelectorAll(arguments[0])].map((node) => node.textContent)"
    return run(browser, script, selector)


def find(browser: Chrome, selector: str) -> Any:
    return browser.find_element("css selector", selector)
