"""The page of a map of pictures in Chromium, from disk, on a canvas and with WebGL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from chromium import find, needs_chromium, run, texts
from run_folders import write_run

from synth.errors import InputError
from synth.gallery import build_run_page
from synth.gallery.map_page import build_map_page
from synth.probes.embeddings import viewer
from synth.probes.embeddings.sheets import colours
from synth.record.folder_record import FolderRecord

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

HOSTILE = '</script><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">'
COUNT = 30
READY = """const done = arguments[0], ready = () =>
  document.documentElement.dataset.ready ? done(document.documentElement.dataset.painter)
  : setTimeout(ready, 20); ready();"""
PIXELS = """const done = arguments[0];
requestAnimationFrame(() => setTimeout(() => {
  painter.draw(true);  // in the same task: a WebGL canvas is cleared after it
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [plane.width, plane.height];
  const pen = copy.getContext('2d');
  pen.drawImage(plane, 0, 0);
  const { data } = pen.getImageData(0, 0, copy.width, copy.height);
  let red = 0, blue = 0;
  for (let at = 0; at < data.length; at += 4) {
    red += data[at] > 200 && data[at + 1] < 60 && data[at + 2] < 60;
    blue += data[at + 2] > 200 && data[at + 1] < 60 && data[at] < 60;
  }
  done([red, blue]);
}))"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of an embedding: red pictures of one class to the left, blue ones to the right."""
    folder = write_run(tmp_path_factory.mktemp("runs"), "embedding", [])
    thumbnails = torch.zeros(COUNT, 3, 64, 64, dtype=torch.uint8)
    labels = torch.arange(COUNT) % 2
    thumbnails[labels == 0, 0] = thumbnails[labels == 1, 2] = 250
    points = torch.rand(COUNT, 3) + 4 * labels[:, None] * torch.tensor([1, 0, 0])
    neighbours = (torch.arange(COUNT)[:, None] + torch.tensor([2, 4])) % COUNT
    viewer.save(
        FolderRecord(folder),
        HOSTILE,
        {"t-SNE": points[:, :2], "PCA in 3-D": points},
        thumbnails,
        [HOSTILE, *map(str, range(COUNT - 1))],
        {
            "class": ([HOSTILE, "cat"], labels, colours(2)),
            "source": (["images", "runs"], labels * 0, colours(2)),
        },
        {"Nearest": neighbours},
    )
    build_run_page(folder)
    return folder


@pytest.fixture
def page(browser: Chrome, folder: Path, request: pytest.FixtureRequest) -> Iterator[Chrome]:
    browser.get("about:blank")
    browser.get(f"{(folder / 'map.html').as_uri()}#{request.param}")
    assert browser.execute_async_script(READY) == request.param
    yield browser
    entries = [entry["message"] for entry in browser.get_log("browser")]
    assert [text for text in entries if "GL Driver" not in text and "WebGL" not in text] == []
    assert not run(browser, "return window.hacked")


@needs_chromium
@pytest.mark.parametrize("page", ["canvas", "webgl"], indirect=True)
def test_pictures_are_drawn_filtered_and_taken_apart(page: Chrome) -> None:
    red, blue = page.execute_async_script(PIXELS)
    assert min(red, blue) > 2000
    find(page, "#by button").click()
    find(page, "#legend li:first-child button").click()  # the red ones alone
    alone, others = page.execute_async_script(PIXELS)
    assert alone >= red
    assert others == 0
    find(page, "#all").click()
    plane = find(page, "#plane")
    plane.send_keys("p")  # dots have the colours of their classes, neither red nor blue
    assert page.execute_async_script(PIXELS) == [0, 0]
    plane.send_keys("p")
    plane.send_keys("+")
    assert run(page, "return view.zoom") == pytest.approx(1.25)
    plane.send_keys("0")
    assert run(page, "return view.zoom") == 1
    page.execute_script("byId('maps').lastChild.click()")
    before = page.execute_async_script(PIXELS)
    run(page, "turn(300, 0)")
    assert page.execute_async_script(PIXELS) != before


@needs_chromium
@pytest.mark.parametrize("page", ["canvas"], indirect=True)
def test_a_picture_is_chosen_with_its_neighbours(page: Chrome) -> None:
    find(page, "#plane").send_keys("n")
    assert texts(page, "#chosen h2") == [HOSTILE]
    assert texts(page, "#chosen p") == [f"{HOSTILE} · images"]
    assert len(texts(page, "#near button.same")) == 2
    find(page, "#near li:last-child button").click()
    assert run(page, "return chosen") == 4
    place = run(
        page, "const o = {m: matrix(), unit: unit()}; project(4, o); return nearestTo(o.x, o.y)"
    )
    assert place == 4
    assert texts(page, "#legend span:nth-child(2)") == ["images", "runs"]
    find(page, "#by button").click()
    assert texts(page, "#legend span:nth-child(2)") == [HOSTILE, "cat"]
    find(page, "#find").send_keys("CAT")
    assert len(texts(page, "#legend li:not([hidden])")) == 1
    script = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    assert all(name.startswith("data:") for name in run(page, script))
    for width in (390, 1400):
        metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 700}
        page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        assert run(page, "return document.documentElement.scrollWidth") == width
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_page_is_one_file_that_the_run_links_to(folder: Path) -> None:
    html = (folder / "map.html").read_text()
    assert html.count("</script>") == 3  # the data, a sheet, the script: none of a name's
    assert 'src="' not in html
    assert 'href="map.html"' in (folder / "index.html").read_text()


@pytest.mark.parametrize(
    "content",
    ["no json", "{}", *(f'{{"title": "", "thumbnails": {{"sheets": {n}}}}}' for n in (2, "1e999"))],
)
def test_damaged_maps_are_reported_in_one_line(tmp_path: Path, content: str) -> None:
    assert build_map_page(tmp_path) is None
    (tmp_path / "map").mkdir()
    (tmp_path / "map" / "map.json").write_text(content)
    with pytest.raises(InputError, match=r"map\.json: damaged"):
        build_map_page(tmp_path)
