"""The page of an archive in Chromium: tiles, the confidence map, and the film strip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from archive_folders import write_archive
from chromium import find, needs_chromium, run, texts, titles

from synth.gallery import build_run_page

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = needs_chromium

HOSTILE = "</script><img src=x onerror='window.hacked = 1'>"
NAMES = [HOSTILE, *(f"class {place}" for place in range(1, 100))]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_archive(
        tmp_path_factory.mktemp("runs #"), count=100, size=8, names=NAMES, empty=(1, 50)
    )
    (folder / "strips/003.png").unlink()
    return build_run_page(folder)


@pytest.fixture
def opened(browser: Chrome, page: Path) -> Iterator[Chrome]:
    browser.get(page.as_uri())
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    assert not run(browser, "return window.hacked")


def resize(browser: Chrome, width: int, height: int = 900) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def box(browser: Chrome, selector: str) -> dict[str, float]:
    return run(
        browser,
        "return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()",
        selector,
    )


def enlarge(browser: Chrome, place: int) -> None:
    run(browser, "document.querySelector(`[data-card='${arguments[0]}'] .plate`).click()", place)


def point(
    browser: Chrome, x: float, y: float, event: str = "pointermove", kind: str = "mouse"
) -> str:
    """Moves the pointer to the fractions `x` and `y` of the map; returns the label there."""
    script = """const frame = document.getElementById('map-frame');
    const box = frame.getBoundingClientRect();
    const [x, y, name, pointerType] = arguments;
    const place = { clientX: box.left + x * box.width, clientY: box.top + y * box.height };
    frame.dispatchEvent(new PointerEvent(name, { ...place, pointerType, bubbles: true }));
    return document.getElementById('map-here').textContent"""
    return run(browser, script, x, y, event, kind)


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_the_page_fits_its_window_and_the_archive_is_seen_as_a_whole(
    opened: Chrome, width: int
) -> None:
    resize(opened, width)
    needed, available = run(
        opened, "const page = document.documentElement; return [page.scrollWidth, page.clientWidth]"
    )
    assert needed <= available
    columns = run(
        opened, "return getComputedStyle(document.getElementById('units')).gridTemplateColumns"
    ).split()
    assert len(columns) == {390: 4, 800: 8, 1400: 15}[width]
    if width == 1400:
        assert box(opened, "#units")["height"] < 950


def test_tiles_sort_and_filter_with_their_empty_places(opened: Chrome) -> None:
    find(opened, "#sort option[value=confidence]").click()
    assert set(titles(opened)[-2:]) == {"class 1", "class 50"}
    find(opened, "#filter").send_keys("class 50")
    assert titles(opened) == ["class 50"]
    enlarge(opened, 50)
    assert find(opened, "#view-problem").text == "empty"
    assert not find(opened, "#view-lineage").is_displayed()


def test_the_film_strip_shows_each_ancestor_its_own_part(opened: Chrome) -> None:
    enlarge(opened, 2)
    script = """const done = arguments[0], all = [...document.querySelectorAll('#view-frames img')];
    Promise.all(all.map((image) => image.decode())).then(() => done(all.map((image) => {
      const own = image.getBoundingClientRect();
      const window = image.parentElement.getBoundingClientRect();
      return [(window.left - own.left) / own.width, window.width / own.width, image.naturalWidth];
    })))"""
    parts = opened.execute_async_script(script)
    assert [left for left, _, _ in parts] == pytest.approx(
        [place / 8 for place in range(8)], abs=1e-3
    )
    assert [width for _, width, _ in parts] == pytest.approx([1 / 8] * 8, abs=1e-3)
    assert {natural for _, _, natural in parts} == {64}
    captions = texts(opened, "#view-frames li")
    assert re.fullmatch(r"step 40[\d.<]+ %", captions[0].replace("\u00a0", " "))
    assert find(opened, "#view-generations").text == "34 generations, 8 of them shown"
    assert find(opened, "#view-large a").get_attribute("href").endswith("/large/002.png")
    assert find(opened, "#view-curve").is_displayed()


def test_a_missing_strip_is_reported_in_each_frame(opened: Chrome) -> None:
    enlarge(opened, 3)
    assert run(opened, "return document.querySelectorAll('#view-frames img').length") == 0
    assert find(opened, "#view-frames").text.count("picture missing") == 8


def test_on_a_narrow_screen_the_strip_scrolls_and_the_view_does_not(opened: Chrome) -> None:
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    resize(opened, 390, 844)
    enlarge(opened, 2)
    needed, available = run(
        opened,
        "const film = document.querySelector('.film'); return [film.scrollWidth, film.clientWidth]",
    )
    assert needed > available
    view = box(opened, "#view")
    assert (view["left"], view["width"]) == (0, 390)
    film = find(opened, ".film")
    film.send_keys(keys.ARROW_RIGHT)
    assert find(opened, "#view-title").text == "class 2"  # inside the strip the arrows scroll
    assert box(opened, "#view-lineage")["bottom"] < 700


def test_the_map_names_what_lies_under_the_pointer(opened: Chrome) -> None:
    before = find(opened, "#map-here").text
    names = texts(opened, "#map .y li")
    assert set(names) == set(NAMES)
    for row in (0, 40, 99):
        label = point(opened, 0.9999, (row + 0.5) / 100)
        assert label.startswith(f"{names[row]} · 12,000 evaluations · ")
        assert run(opened, "return document.querySelector('#map .here').textContent") == names[row]
    assert label.endswith("empty")
    assert point(opened, 0.001, 0.005).split(" · ")[1] == "200 evaluations"
    assert point(opened, 0, 0, "pointerleave") == before
    assert box(opened, "#map-frame")["height"] == box(opened, "#map .y")["height"]


def test_a_click_on_the_map_opens_the_elite_and_a_finger_only_reads(opened: Chrome) -> None:
    name = point(opened, 0.5, 0.105).split(" · ")[0]
    point(opened, 0.5, 0.105, "click", "touch")
    assert not find(opened, "#view").is_displayed()
    point(opened, 0.5, 0.105, "click")
    assert find(opened, "#view-title").text == name


def colours(browser: Chrome) -> list[Any]:
    script = """return [...document.querySelectorAll('.scale i')].map(
      (node) => getComputedStyle(node).backgroundColor)"""
    return [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in run(browser, script)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_scale_runs_from_the_paper_to_the_ink(opened: Chrome, theme: str) -> None:
    features = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
    shades = colours(opened)
    assert len(shades) == 21
    assert shades == sorted(shades, reverse=theme == "light")
    fill = run(
        opened, "return getComputedStyle(document.querySelector('#map path:last-child')).fill"
    )
    assert sum(map(int, re.findall(r"\d+", fill))) == shades[20]


def test_the_map_has_words_and_a_table_for_those_who_do_not_see_it(opened: Chrome) -> None:
    words = find(opened, "#map svg").get_attribute("aria-label")
    assert re.match(
        r"Confidence of 100 cells over 12,000 evaluations: \d+ reach 99.0 %, first class \d+ at ",
        words,
    )
    find(opened, ".history summary").click()
    rows = run(
        opened,
        "return [...document.querySelectorAll('.history tbody tr')].map((row) => row.innerText)",
    )
    assert len(rows) == 100
    assert rows[-1].split("\t")[1:] == ["\N{EN DASH}"] * 4


def test_the_page_stays_small(page: Path) -> None:
    assert page.stat().st_size < 400_000
