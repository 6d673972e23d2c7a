"""The page over many runs in Chromium: filters, two methods, links, copies, keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest
from chromium import find, needs_chromium, run, texts
from run_folders import write_run

from synth.gallery.overview import Overview

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

pytestmark = needs_chromium

HOSTILE = '</script><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">'
COUNT = 120  # pictures of each method, of which a few are in the document
DECODED = """const done = arguments[0], look = () => {
  const widths = [...document.querySelectorAll(".tile img")].map((image) => image.naturalWidth);
  if (widths.length) done(Math.min(...widths));
  else setTimeout(look, 20);
};
look()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs with #, % and ü")
    for recipe in ("fooling_gradient", "fooling_genetic"):
        items = [
            {
                "target": HOSTILE if place == 3 else f"class {place // 2}",
                "seed": place % 2,
                "success": place % 3 > 0,
                "file": f"images/{place} #%.png",
            }
            for place in range(COUNT)
        ]
        about = {"success": "the target class is predicted for the saved file"}
        write_run(root, f"<{recipe}>", items, recipe=recipe, search=recipe, about=about)
    overview = Overview([root], root / "index.html")
    overview.update()
    return overview.write()


def headings(browser: webdriver.Chrome) -> list[str]:
    return texts(browser, ".tile h3")


def choose(browser: webdriver.Chrome, field: str, words: str) -> None:
    script = """const node = document.getElementById(arguments[0]);
    node.value = [...node.options].find((option) => option.text.includes(arguments[1])).value;
    node.dispatchEvent(new Event("change"));"""
    run(browser, script, field, words)


def test_the_page_over_many_runs(browser: webdriver.Chrome, page: Path) -> None:
    browser.get(page.as_uri())
    assert browser.execute_async_script(DECODED) == 8
    assert find(browser, "#count").text == f"{2 * COUNT} of {2 * COUNT}"
    assert len(headings(browser)) < 80
    assert "class on top" in texts(browser, ".tile .sure")[1]
    assert "<fooling_genetic>" in " ".join(texts(browser, ".tile .quiet"))

    # filters
    find(browser, "#filter").send_keys("GRADIENT class")
    assert find(browser, "#count").text == f"{COUNT} of {2 * COUNT}"
    choose(browser, "by-target", "class 27")
    choose(browser, "by-seed", "1")
    assert find(browser, "#count").text == f"1 of {2 * COUNT}"
    choose(browser, "by-verdict", "failed")
    assert find(browser, "#nothing").is_displayed() == (headings(browser) == [])
    find(browser, "#filter").clear()
    find(browser, "#filter").send_keys("no such")
    find(browser, "#clear").click()
    assert find(browser, "#count").text == f"{2 * COUNT} of {2 * COUNT}"

    # the keyboard walks, also to pictures that are not in the document
    find(browser, ".tile .plate").send_keys(webdriver.Keys.END)
    assert run(browser, "return document.activeElement.closest('.tile').dataset.number") == str(
        2 * COUNT - 1
    )
    browser.switch_to.active_element.send_keys(webdriver.Keys.ENTER)
    assert find(browser, "#view-title").text == f"class {COUNT // 2 - 1}"
    assert find(browser, "#view-run").text == "<fooling_gradient>"
    link = run(browser, "return location.href")
    assert link.endswith(f"#picture=%3Cfooling_gradient%3E%2F{COUNT - 1}")
    assert (
        "Command\nsynth recipe=fooling_gradient target=all" in find(browser, "#view-details").text
    )

    # a slider between two methods, by keyboard and by pointer
    choose(browser, "with", "fooling genetic · seed 1")
    slider = find(browser, "#slider")
    slider.send_keys(webdriver.Keys.ARROW_RIGHT)
    at = "return document.getElementById('split').style.getPropertyValue('--at')"
    assert run(browser, at) == "51%"
    webdriver.ActionChains(browser).move_to_element(find(browser, "#split")).click().perform()
    assert run(browser, at) == "50%"
    assert texts(browser, ".tag") == ["fooling gradient", "fooling genetic"]
    both = run(browser, "return location.href")
    assert both.endswith(f"&with=%3Cfooling_genetic%3E%2F{COUNT - 1}")

    # copies, and the picture as a file
    find(browser, "#copy-command").click()
    waited = """const done = arguments[0], node = document.getElementById("copy-command");
    setTimeout(() => done(node.textContent), 100)"""
    assert browser.execute_async_script(waited) == "Copied"
    assert find(browser, "#download").get_attribute("download") == (
        f"_fooling_gradient_{COUNT - 1}_class_{COUNT // 2 - 1}.png"
    )
    browser.switch_to.active_element.send_keys(webdriver.Keys.ESCAPE)
    assert not find(browser, "#view").is_displayed()
    assert "#" not in run(browser, "return location.href").removeprefix(page.as_uri())

    find(browser, "#filter").send_keys(webdriver.Keys.CONTROL, "v")
    pasted = run(browser, "return document.getElementById('filter').value")
    assert pasted == "synth recipe=fooling_gradient target=all"
    find(browser, "#clear").click()

    # two methods side by side
    find(browser, "#side").click()
    assert find(browser, "#count").text == f"{COUNT} pairs"
    duo = find(browser, ".duo input")
    duo.send_keys(webdriver.Keys.ARROW_LEFT)
    assert run(browser, "return document.querySelector('.duo').style.getPropertyValue('--at')") == (
        "49%"
    )
    find(browser, ".tile .open").click()
    assert texts(browser, ".tag") == ["fooling genetic", "fooling gradient"]
    browser.switch_to.active_element.send_keys(webdriver.Keys.ARROW_RIGHT)
    assert texts(browser, ".tag") == ["fooling genetic", "fooling gradient"]

    # a link opens its picture, and what stands beside it
    browser.get("about:blank")
    browser.get(both)
    assert find(browser, "#view-title").text == f"class {COUNT // 2 - 1}"
    assert run(browser, "return document.getElementById('with').value") == str(COUNT - 1)
    find(browser, "#view-close").click()

    # a phone, and the hostile name
    phone = {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    wide = "return [document.documentElement.scrollWidth, innerWidth]"
    needed, available = run(browser, wide)
    assert needed <= available == 375
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    find(browser, "#filter").send_keys("hacked")
    assert find(browser, "#count").text == f"2 of {2 * COUNT}"
    find(browser, ".tile .plate").click()
    assert find(browser, "#view-title").text == HOSTILE
    assert not run(browser, "return window.hacked")
    foreign = """return performance.getEntriesByType("resource")
      .filter(({ name }) => !/^(file|data):/.test(name)).length"""
    assert run(browser, foreign) == 0
    assert [entry["message"] for entry in browser.get_log("browser")] == []
