"""Embedding: neighbours against a loop, maps, runs among pictures, and what is refused."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import noisy_pictures, tiny_module, wrapped
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from synth.core import hardware
from synth.core.network import Network
from synth.errors import InputError
from synth.probes.embedding import Embedding
from synth.probes.embeddings import neighbours, parquet, projections, viewer
from synth.probes.embeddings.neighbours import chance, mean_interval, nearest
from synth.probes.embeddings.sheets import map_sheet
from synth.probes.embeddings.viewer import thumbnail_side
from synth.probes.probe import Probe
from synth.record.folder_record import FolderRecord
from synth.record.memory_record import MemoryRecord


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of five pictures, one of another size, and a copy of one in the other class."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for place, name in enumerate(("n01443537", "<b>cat")):
        noisy_pictures(folder / name, 5, place, 128 * (place + 1))
    with Image.open(folder / "<b>cat" / "04.png") as image:
        image.resize((40, 25)).save(folder / "<b>cat" / "04.png")
    copy = (folder / "<b>cat" / "00.png").read_bytes()
    (folder / "n01443537" / "copy.png").write_bytes(copy)
    return folder


class Largest(TorchFunctionMode):
    """Counts the numbers in the largest tensor that is made."""

    count = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple | list) else [result]:
            if isinstance(value, Tensor):
                self.count = max(self.count, value.numel())
        return result


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_neighbours_are_those_of_all_distances_however_small_the_blocks(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = torch.Generator().manual_seed(0)
    base = torch.randn(83, 6, generator=draws) + 1000 * (metric == "l2")
    rows = torch.tensor([3, 0, 82, 40])
    monkeypatch.setattr(neighbours, "ROWS", 3)
    monkeypatch.setattr(neighbours, "BLOCK", 120)
    near = nearest(base[rows], base, 7, metric, own=rows)
    exact = base.double()
    if metric == "cosine":
        unit = exact / exact.norm(dim=1, keepdim=True)
        distances = 1 - unit[rows] @ unit.T
    else:
        distances = torch.cdist(exact[rows], exact)
    distances[torch.arange(4), rows] = math.inf
    expected, order = distances.sort(1)
    assert torch.equal(near.rows, order[:, :7])
    assert torch.allclose(near.distances.double(), expected[:, :7], atol=1e-4)
    whole = nearest(base[rows], base, 7, metric)  # a picture that is no query of itself
    assert whole.rows[:, 0].tolist() == rows.tolist()


def test_a_hundred_thousand_vectors_need_no_matrix_of_all_distances(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", 1 << 20)
    base = torch.rand(100_000, 8)
    base[77] = base[12_345] + 1e-3
    queries = torch.arange(12_300, 12_400)
    with Largest() as largest:
        near = nearest(base[queries], base, 5, own=queries)
    assert near.rows[45, 0] == 77
    assert largest.count <= neighbours.BLOCK  # all distances of 100 queries are 10 million


def test_a_folder_is_embedded_and_its_copies_left_out(
    network: Network, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    network.classes = type(network.classes)(
        network.classes.names, ("n01443537", None, None, None, None)
    )
    probe = Embedding(network, str(folder), "conv1", k=20, shown=3, maps=["tsne", "pca"])
    result = probe.run(record := FolderRecord(tmp_path / "run"))
    assert "pictures: 1 copies of another are left out" in caplog.text
    assert "k=20: there are 10 pictures, so k is 9" in caplog.text
    findings = result.findings
    assert findings["averaged_over"] == "16 x 16 places"
    assert (findings["pictures"], findings["duplicate_pictures"], findings["k"]) == (10, 1, 9)
    # all others are neighbours: four of nine are of the class, in any space
    for space in ("features", "cosine", "pixels", "chance"):
        assert findings[f"neighbour_share_{space}"] == pytest.approx(4 / 9, abs=1e-4)
    rows = findings["spaces"]
    assert [row["space"] for row in rows] == [
        "conv1, L2",
        "conv1, cosine",
        "pixels, L2",
        "PCA map",
        "t-SNE map",
    ]
    assert -1 <= rows[-1]["silhouette"] <= 1
    content = json.loads((record.folder / "map" / "map.json").read_text())
    classes = content["groups"][0]["names"]
    assert classes == sorted(["<b>cat", network.classes.label(0)])
    assert [len(each["rows"]) for each in content["neighbours"]] == [90, 90]
    assert (tmp_path / "run" / "embedding.parquet").is_file() == parquet.is_available()
    assert [figure.file for figure in result.figures] == ["figures/000.png", "map.png"]
    with Image.open(tmp_path / "run" / "map" / "000.webp") as image:
        assert image.size == (21 * 96, 96)


def test_vectors_are_those_of_the_layer_also_after_a_kill(
    network: Network, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synth.probes.probe.CHECKPOINT_EVERY", -1.0)
    scan = Probe.scan
    monkeypatch.setattr(Probe, "scan", lambda *given: scan(*given, batch=4))
    read, passes = Network.read, []

    def dies(self: Network, images: Tensor, *rest: object) -> object:
        passes.append(len(images))
        if len(passes) == 3:
            raise OSError("killed")
        return read(self, images, *rest)

    settings = {"layer": "relu2", "k": 2, "maps": "pca", "pixels": 8}
    whole = MemoryRecord()
    Embedding(network, str(folder), **settings).measure(whole)
    monkeypatch.setattr(Network, "read", dies)
    with pytest.raises(OSError, match="killed"):
        Embedding(network, str(folder), **settings).run(FolderRecord(tmp_path / "run"))
    tensors = MemoryRecord()
    probe = Embedding(network, str(folder), **settings)
    monkeypatch.setattr(tensors, "resume", FolderRecord(tmp_path / "run").resume)
    probe.measure(tensors)
    assert passes == [4, 4, 3, 3]
    expected = whole.saved_tensors["embedding.safetensors"]
    for name, tensor in tensors.saved_tensors["embedding.safetensors"].items():
        assert torch.equal(tensor, expected[name]), name
    places = expected["places"].tolist()
    images = torch.stack([probe.pictures.picture(p).at((16, 16)) for p in places])
    with torch.no_grad():
        own = read(network, images, ["relu2"])["relu2"].mean((2, 3))
    assert torch.allclose(expected["embeddings"], own, atol=1e-5)
    pixels = torch.nn.functional.interpolate(images, (8, 8), mode="bilinear", antialias=True)
    levels = (255 * pixels).round().flatten(1)
    distances = torch.cdist(levels, levels).fill_diagonal_(math.inf)
    assert torch.equal(expected["neighbours_pixels"][:, 0], distances.argmin(1))


def test_pictures_of_runs_stand_among_natural_ones(
    network: Network, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projections, "has_umap", lambda: True)
    for first, name in enumerate(("_tsne", "_umap")):
        columns = slice(first, first + 2)
        monkeypatch.setattr(projections, name, lambda values, _, own=columns: values[:, own])
    run = tmp_path / "runs" / "fooling"
    run.mkdir(parents=True)
    noisy_pictures(run / "images", 2, 5, 256)
    items = [{"file": f"images/0{place}.png", "target": "<b>cat"} for place in range(2)]
    result = {"status": "done", "recipe": "fooling_gradient", "items": items, "figures": []}
    (run / "result.json").write_text(json.dumps(result))
    record = MemoryRecord()
    runs = str(tmp_path / "runs")
    measured = Embedding(network, str(folder), "fc", runs, 3, maps=["tsne", "umap"]).measure(record)
    shares = {row["space"]: row["same_class"] for row in measured.findings["spaces"]}
    assert measured.findings["map_share"] == shares["t-SNE map"] != shares["UMAP map"]
    tensors = record.saved_tensors["embedding.safetensors"]
    assert tensors["source"].tolist() == [0] * 10 + [1, 1]
    assert (len(tensors["embeddings"]), len(tensors["places"])) == (12, 10)
    (row,) = measured.findings["sources"]
    assert (row["recipe"], row["pictures"]) == ("fooling_gradient", 2)
    base = tensors["embeddings"][:10]
    near = torch.cdist(tensors["embeddings"][10:], base)
    spread = torch.cdist(base, base).fill_diagonal_(math.inf).amin(1).median()
    expected = float(near.amin(1).median() / spread)
    assert row["distance_to_natural"] == pytest.approx(expected, abs=2e-4)
    groups = json.loads(record.files["map/map.json"])["groups"]
    assert groups[0]["names"] == ["<b>cat", "n01443537"]
    sizes = tensors["labels"].bincount().tolist()
    assert measured.findings["class_names"] == [
        {"label": 0, "class": "<b>cat", "pictures": sizes[0]},
        {"label": 1, "class": "n01443537", "pictures": sizes[1]},
    ]
    own = tensors["labels"][torch.cdist(tensors["embeddings"][10:], base).topk(3, 1, False).indices]
    assert row["natural_neighbours_of_its_class"] == round(float((own == 0).float().mean()), 4)
    alone = Embedding(network, str(folder / "<b>cat"), "fc", runs, 1, maps="pca")
    assert alone.measure(MemoryRecord()).findings["sources"] == [
        row | {"natural_neighbours_of_its_class": None, "distance_to_natural": mock.ANY}
    ]
    assert [group["name"] for group in groups] == ["class", "source"]
    assert groups[1]["names"] == ["images", "fooling_gradient"]
    for file in ("../../pictures/n01443537/00.png", "images/00.png\0"):
        items[0]["file"] = file
        (run / "result.json").write_text(json.dumps(result))
        with pytest.raises(InputError, match="is outside of the run"):
            Embedding(network, str(folder), runs=str(run))


def test_a_folder_without_classes_has_no_shares(
    network: Network, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = MemoryRecord()
    measured = Embedding(network, str(folder / "<b>cat"), "fc", k=1, maps="pca").measure(record)
    assert "they are in one folder, so there are no classes" in caplog.text
    assert "neighbour_share_features" not in measured.findings
    assert json.loads(record.files["map/map.json"])["groups"] == []
    assert "Green" not in measured.figures[0].caption
    single = [str(folder / name) for name in ("<b>cat/00.png", "n01443537/01.png")]
    measured = Embedding(network, single, "fc", k=1, maps="tsne").measure(MemoryRecord())
    assert "no class has two pictures" in caplog.text
    assert "neighbour_share_features" not in measured.findings


def test_a_map_of_more_than_are_fitted_places_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = torch.Generator().manual_seed(0)
    labels = torch.arange(40) % 2
    vectors = torch.randn(40, 5, generator=draws) + 30 * labels[:, None]
    monkeypatch.setattr(projections, "MOST", 30)
    points = projections.project("tsne", vectors)
    assert points.isfinite().all()
    own = torch.arange(40)
    assert float(projections.share_in_plane(points, labels, 3, own).mean()) == 1.0
    monkeypatch.setattr(projections, "MOST", 40)
    assert projections.silhouette(vectors, labels) == pytest.approx(0.9, abs=0.1)
    assert projections.silhouette(vectors, own) is None
    assert projections.silhouette(vectors, own * 0) is None
    flat = projections.pca(vectors, 3)
    centred = (vectors - vectors.mean(0)).double()
    values = torch.linalg.svdvals(centred)[:3]
    assert torch.allclose(flat.double().norm(dim=0), values, rtol=1e-4)
    assert projections.project("tsne", vectors[:2]).shape == (2, 2)


def test_pictures_on_a_map_do_not_overlap() -> None:
    points = torch.tensor([[0.0, 0.0], [0.001, 0.0], [1.0, 1.0]])
    thumbnails = torch.zeros(3, 3, 8, 8, dtype=torch.uint8)
    sheet, drawn = map_sheet(points, thumbnails, torch.zeros(3).long(), ["a"], torch.arange(3))
    assert drawn == 2
    assert int((np.asarray(sheet).max(2) == 0).sum()) == 2 * 116**2
    assert map_sheet(points, thumbnails[..., :0, :0], torch.zeros(3).long(), [], torch.arange(3))


def test_shares_have_intervals_and_a_level_of_chance() -> None:
    values = torch.tensor([0.2, 0.4, 0.6, 0.8])
    mean, low, high = mean_interval(values)
    error = 1.96 * float(values.std()) / 2
    assert (mean, low, high) == pytest.approx((0.5, 0.5 - error, 0.5 + error))
    assert chance(torch.tensor([0, 0, 0, 1])) == pytest.approx(0.5)
    assert [thumbnail_side(count) for count in (10, 10_000, 100_000)] == [96, 32, 0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": "conv9"}, "layer=conv9: tiny has no such layer"),
        ({"k": 0}, "k=0: write 1 or more"),
        ({"pixels": 0}, "pixels=0: write 1 or more"),
        ({"maps": "tsn"}, "maps=tsn: no such map. Did you mean tsne?"),
        ({"runs": "nowhere"}, "runs=nowhere: there is no finished run"),
        ({"maps": "umap"}, "maps=umap: needs umap-learn"),
        ({"parquet": True}, "parquet=true: needs pyarrow"),
    ],
)
def test_mistakes_are_refused_in_one_line(
    network: Network,
    folder: Path,
    settings: dict[str, Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(projections, "has_umap", lambda: False)
    monkeypatch.setattr(parquet, "is_available", lambda: False)
    with pytest.raises(InputError, match=message.replace(".", r"\.")) as error:
        Embedding(network, str(folder), **settings)
    assert "\n" not in str(error.value)


def test_too_few_pictures_and_numbers_that_are_none_are_refused(
    network: Network, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="images: one picture has no neighbours"):
        Embedding(network, str(folder / "n01443537" / "00.png"))
    copies = [str(folder / name) for name in ("<b>cat/00.png", "n01443537/copy.png")]
    with pytest.raises(InputError, match="all pictures are copies of one"):
        Embedding(network, copies, "fc").measure(MemoryRecord())
    monkeypatch.setattr(hardware, "total_memory", lambda device: 1000)
    with pytest.raises(InputError, match="of 11 pictures take 0 GB"):
        Embedding(network, str(folder))
    module = tiny_module()
    nn.init.constant_(module.fc.weight, math.nan)
    monkeypatch.undo()
    probe = Embedding(wrapped(module), copies, "fc")
    with pytest.raises(InputError, match="layer=fc: tiny answers 1 pictures with NaN"):
        probe.measure(MemoryRecord())


def test_parquet_has_the_columns_that_viewers_read(network: Network, folder: Path) -> None:
    table = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    for path in (folder / "<b>cat" / "01.png", folder / "<b>cat"):
        path.rename(path.with_name("\udcff.png"))  # a byte that is no UTF-8
    record = MemoryRecord()
    Embedding(network, str(folder), "fc", k=1, maps="pca").measure(record)
    rows = table.read_table(record.folder / parquet.FILE)
    names = ["image", "label", "embedding", "projection_x", "projection_y"]
    assert rows.column_names == names
    assert rows["image"][0].as_py()["bytes"].startswith(b"\xff\xd8")
    names = [row["path"] for row in rows["image"].to_pylist()]
    label = rows["label"][names.index(r"\udcff.png")].as_py()
    assert label == r"\udcff.png"
    expected = record.saved_tensors["embedding.safetensors"]
    assert torch.allclose(torch.tensor(rows["embedding"].to_pylist()), expected["embeddings"])


def test_a_page_needs_no_more_than_a_devices_textures() -> None:
    record = MemoryRecord()
    thumbnails = torch.randint(256, (40, 3, 64, 64), dtype=torch.uint8)
    points = torch.rand(40, 2)
    names = ["\u202egnp.exe", *map(str, range(39))]
    viewer.save(record, "t", {"PCA": points}, thumbnails, names, {}, {})
    content = json.loads(record.files["map/map.json"])
    assert content["names"][0] == "\\u202egnp.exe"
    assert max(content["maps"][0]["points"]) <= viewer.STEPS
    assert content["thumbnails"] == {"side": 64, "across": 32, "sheets": 1}
    viewer.save(record, "t", {"PCA": points}, thumbnails[..., :0, :0], names, {}, {})
    content = json.loads(record.files["map/map.json"])
    assert content["thumbnails"] == {"side": 0, "across": 0, "sheets": 0}
