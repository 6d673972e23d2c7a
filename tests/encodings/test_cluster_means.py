"""Clusters of a class's images: recovered where they are well separated, averaged, named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import rows_of, tiny_module, wrapped

from synth.encodings.cluster_means import ClusterMeans
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.objectives.scores import ClassScore
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient
from synth.searches.stages import Stage, Stages

COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}
COUNTS = {"red": 7, "green": 5, "blue": 3}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images of three colours, a cluster each."""
    draws = np.random.default_rng(0)
    (tmp_path / "class").mkdir()
    for name, colour in COLOURS.items():
        for number in range(COUNTS[name]):
            noise = draws.integers(-20, 20, (20, 20, 3))
            Image.fromarray((np.array(colour) + noise).astype(np.uint8)).save(
                tmp_path / "class" / f"{number}{name}.png"
            )
    return tmp_path / "class"


@pytest.mark.parametrize("layer", [None, "conv2", "fc"])
def test_items_are_the_clusters_and_start_as_their_means(folder: Path, layer: str | None) -> None:
    encoding = ClusterMeans(str(folder), 3, layer, nearest=2, size=16).bind(wrapped(tiny_module()))
    assert list(encoding.names or ()) == [
        f"facet {i + 1} ({count} pictures)" for i, count in enumerate((7, 5, 3))
    ]
    rows = rows_of(3, "clusters")
    means = encoding.initial_images(rows)
    for index, (name, cluster) in enumerate(zip(COLOURS, encoding.clusters, strict=True)):
        assert {encoding.pictures[i].name[1:] for i in cluster} == {f"{name}.png"}
        mean = torch.stack([encoding.pictures[i].at((16, 16)) for i in cluster[:2]]).mean(0)
        torch.testing.assert_close(means[index], mean)
    torch.testing.assert_close(
        encoding.decode(encoding.start(rows), rows), means.clamp(0.02, 0.98), rtol=0, atol=1e-5
    )
    assert encoding.originals(rows) is None  # distances to a mean image have no meaning


def test_a_run_names_the_clusters_and_saves_their_starts(folder: Path, tmp_path: Path) -> None:
    network = wrapped(tiny_module(gain=4.0))
    search = Stages(Gradient(2), [Stage(2, 0.75), Stage(2)])
    experiment = Experiment(
        network, ClusterMeans(str(folder), 3, size=32), ClassScore("lemon"), search
    )
    items = experiment.run(FolderRecord(tmp_path / "out")).items
    assert [item.image for item in items] == [
        "facet 1 (7 pictures)",
        "facet 2 (5 pictures)",
        "facet 3 (3 pictures)",
    ]
    assert all((tmp_path / "out" / item.original).is_file() for item in items)
    assert all(item.linf is None and item.already is None for item in items)


def test_wrong_settings_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="images="):
        ClusterMeans(None)
    with pytest.raises(InputError, match=r"encoding\.clusters=16: images= has 15 pictures"):
        ClusterMeans(str(folder), 16)
    with pytest.raises(InputError, match="layer=fc8: tiny has no such layer"):
        ClusterMeans(str(folder), 2, "fc8").bind(wrapped(tiny_module()))
