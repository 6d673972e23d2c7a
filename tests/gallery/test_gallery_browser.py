"""The page in Chromium, opened from disk: sort, filter, enlarge, and names that try to be code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chromium import find, needs_chromium, run, titles
from run_folders import write_run

from synth.gallery import build_page, build_run_page

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = needs_chromium

HOSTILE = '</script><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">'


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("runs with #, % and ü")
    items: list[dict[str, Any]] = [
        {"target": "goldfish", "confidence": 0.7, "original": "originals/a%20b.png", "seconds": 3},
        {
            "target": "lion",
            "confidence": 0.9,
            "success": False,
            "predicted": "tabby",
            "file": "images/a#b?.png",
        },
        {
            "target": "ant",
            "confidence": None,
            "seconds": 1,
            "original": "originals/<i>.png",
            "original_predicted": HOSTILE,
            "original_confidence": 0.25,
            "difference": "differences/<b>.png",
            "amplified": 63.75,
            "already": True,
        },
        {"target": HOSTILE, "confidence": 0.8, "file": "images/<b>&'\".png", "seconds": 2},
    ]
    steps = [
        {"step": step, "best": step / 9, "mean": step / 10, "items": [step / 9] * 4}
        for step in range(9)
    ]
    single = write_run(root, "single", items, steps)
    pair = [
        {"contender": name, "target": target}
        for target in ("fox", "bee")
        for name in ("gradient", "genetic")
    ]
    files = [{"file": f"images/{place}.png"} for place in range(4)]
    rows = {"gradient": {"items": 2}, "genetic": {"items": 2}}
    both = write_run(
        root, "both", [item | file for item, file in zip(pair, files, strict=True)], contenders=rows
    )
    return {
        "single": build_run_page(single),
        "comparison": build_run_page(both),
        "many": build_page([single, both], root / "index.html"),
    }


@pytest.fixture
def opened(
    browser: Chrome, pages: dict[str, Path], request: pytest.FixtureRequest
) -> Iterator[Chrome]:
    browser.get(pages[getattr(request, "param", "single")].as_uri())
    yield browser
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    assert not run(browser, "return window.hacked")


def sort(browser: Chrome, key: str) -> list[str]:
    find(browser, f"#sort option[value={key}]").click()
    return titles(browser)


@pytest.mark.parametrize("opened", ["single", "comparison", "many"], indirect=True)
def test_every_picture_loads_and_nothing_comes_from_elsewhere(opened: Chrome) -> None:
    # a page over many runs adds its pictures when they are decoded
    script = """const done = arguments[0], look = () => {
      const all = [...document.querySelectorAll('main img')];
      if (!all.length && performance.now() < 8000) return setTimeout(look, 20);
      all.forEach((image) => { image.loading = 'eager'; });
      Promise.all(all.map((image) => image.decode())).then(
        () => done([all.length, Math.min(...all.map((image) => image.naturalWidth)),
          performance.getEntriesByType('resource')
            .filter((entry) => !entry.name.startsWith('file:')).length]),
        (error) => done(String(error)));
    };
    look()"""
    count, width, foreign = opened.execute_async_script(script)
    assert count >= 4
    assert width == 8
    assert foreign == 0


@pytest.mark.parametrize("opened", ["single", "comparison", "many"], indirect=True)
@pytest.mark.parametrize("width", [375, 1440])
def test_no_page_is_wider_than_its_window(opened: Chrome, width: int) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 700}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert run(opened, "return innerWidth") == width
    widths = "const page = document.documentElement; return [page.scrollWidth, page.clientWidth]"
    needed, available = run(opened, widths)
    assert needed <= available
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_sort(opened: Chrome) -> None:
    assert titles(opened) == ["goldfish", "lion", "ant", HOSTILE]
    assert sort(opened, "confidence") == ["lion", HOSTILE, "goldfish", "ant"]
    find(opened, "#direction").click()
    assert titles(opened) == ["goldfish", HOSTILE, "lion", "ant"]  # unknown ones stay last
    assert sort(opened, "target") == [HOSTILE, "ant", "goldfish", "lion"]
    assert sort(opened, "seconds") == ["lion", "ant", HOSTILE, "goldfish"]
    assert sort(opened, "run") == ["goldfish", "lion", "ant", HOSTILE]


def test_filter(opened: Chrome) -> None:
    assert find(opened, "#count").text == "4 of 4"
    find(opened, "#filter").send_keys("TABBY")
    assert titles(opened) == ["lion"]
    assert find(opened, "#count").text == "1 of 4"
    find(opened, ".chip[data-word=success]").click()
    assert titles(opened) == []
    assert find(opened, "#nothing").is_displayed()
    find(opened, "#clear").click()
    assert len(titles(opened)) == 4
    find(opened, ".chip[data-word=failed]").click()
    assert titles(opened) == ["lion"]


def test_enlarge_walk_and_escape(opened: Chrome) -> None:
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    plate = find(opened, "#units > li:nth-child(2) .plate")
    plate.send_keys(keys.ENTER)
    assert find(opened, "#view-title").text == "lion"
    assert "class 1" not in find(opened, "#view-details").text
    assert "tabby" in find(opened, "#view-details").text
    assert find(opened, "#view-curve").is_displayed()
    opened.switch_to.active_element.send_keys(keys.ESCAPE)
    assert not find(opened, "#view").is_displayed()
    assert opened.switch_to.active_element == plate
    plate.click()
    opened.switch_to.active_element.send_keys(keys.ARROW_LEFT)
    assert find(opened, "#view-title").text == "goldfish"
    assert find(opened, "#view-original").is_displayed()
    find(opened, "#view-difference").click()
    assert find(opened, "#view-under").is_displayed()
    opened.switch_to.active_element.send_keys(keys.ARROW_LEFT)
    assert find(opened, "#view-title").text == HOSTILE
    assert not find(opened, "#view-original").is_displayed()
    find(opened, "#view-close").click()
    assert not find(opened, "#view").is_displayed()


def test_the_difference_stands_between_original_and_result(opened: Chrome) -> None:
    caption = find(opened, "#units > li:nth-child(3)").text
    assert "original already meets the target, not counted" in caption
    find(opened, "#units > li:nth-child(3) .plate").click()
    assert find(opened, "#view-times").text == "difference \u00d7 64"
    ids = "view-original", "view-amplified", "view-picture"
    element = "return document.getElementById(arguments[0])"
    lefts = [run(opened, f"{element}.getBoundingClientRect().left", name) for name in ids]
    assert lefts == sorted(lefts)
    assert [run(opened, f"{element}.naturalWidth", name) for name in ids] == [8, 8, 8]
    assert not find(opened, "#view-difference").is_displayed()  # what it shows stands there already
    details = find(opened, "#view-details").text
    assert f"Original predicted as\n{HOSTILE}, 25" in details
    assert "%, already meets the target, not counted" in details
    # these have labels of their own
    keys = {"original_predicted", "original_confidence", "already", "amplified"}
    assert not keys & set(details.splitlines())
    find(opened, "#view-back").click()
    assert not find(opened, "#view-between").is_displayed()
    find(opened, "#view-back").click()
    assert find(opened, "#view-title").text == "goldfish"
    assert not find(opened, "#view-between").is_displayed()
    assert find(opened, "#view-difference").is_displayed()


@pytest.mark.parametrize("opened", ["comparison"], indirect=True)
def test_a_comparison_filters_inside_its_rows(opened: Chrome) -> None:
    assert sort(opened, "target") == ["bee", "fox"]
    find(opened, ".chip[data-word=genetic]").click()
    script = """return [...document.querySelectorAll('[data-card]:not([hidden])')].map(
      (node) => node.dataset.card)"""
    assert sorted(run(opened, script)) == ["1", "3"]
    assert find(opened, "#count").text == "2 of 4"


def test_without_scripts_pictures_and_captions_still_stand(
    browser: Chrome, pages: dict[str, Path]
) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(pages["single"].as_uri())
        assert not find(browser, "#toolbar").is_displayed()
        assert [node.text for node in browser.find_elements("css selector", ".card h3")][:3] == [
            "goldfish",
            "lion",
            "ant",
        ]
        assert find(browser, ".card img").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_the_script_sees_the_data_as_it_was(opened: Chrome) -> None:
    data = json.loads(run(opened, "return document.getElementById('data').textContent"))
    assert data["cards"][3]["title"] == HOSTILE
