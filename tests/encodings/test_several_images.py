"""Several images per row: each decodes as a genome of the inner encoding, and each is saved."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_worlds import rows_of, tiny_module, wrapped

from synth.core.weighted_sum import WeightedSum
from synth.encodings.fourier import Fourier
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.encodings.several_images import SeveralImages
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.objectives.diversity import Diversity
from synth.objectives.scores import Channel
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient


def test_each_image_is_a_genome_of_the_inner_encoding() -> None:
    inner, rows = Fourier((16, 12)), rows_of(2, "facets")
    encoding = SeveralImages(inner, 3)
    genome = encoding.start(rows)
    assert genome.shape == (2, 3, 3, 16, 7, 2)
    assert len({float(single.sum()) for single in genome.flatten(0, 1)}) == 6  # no two start alike
    images = encoding.decode(genome, rows)
    for row in range(2):
        for index in range(3):
            alone = inner.decode(genome[row, index][None], rows.select(slice(row, row + 1)))
            torch.testing.assert_close(images[3 * row + index], alone[0])
    assert encoding.picture_index(rows).tolist() == [0, 0, 0, 1, 1, 1]
    assert (genome - encoding.baseline(rows)).shape == genome.shape
    larger = encoding.at((32, 24))
    assert SeveralImages(inner, 3, [32, 24]).size == larger.size == (32, 24)
    carried = encoding.transfer(genome, larger)
    assert carried.shape == larger.start(rows).shape
    torch.testing.assert_close(
        carried[1, 2], inner.transfer(genome[1, 2][None], Fourier((32, 24)))[0]
    )


def test_several_perturbations_stay_in_the_ball() -> None:
    encoding = SeveralImages(Perturbation(images=["china", "flower"], epsilon=8 / 255, size=16), 2)
    assert list(encoding.names or ()) == ["china.jpg", "flower.jpg"]
    rows = rows_of(2, "facets")
    genome = encoding.project(encoding.start(rows) + rows.normal(2, 3, 16, 16), rows)
    assert float(genome.abs().max()) <= 8 / 255 + 1e-6
    difference = (
        encoding.decode(genome, rows).unflatten(0, (2, 2)) - encoding.originals(rows)[:, None]
    )
    torch.testing.assert_close(difference, genome, rtol=0, atol=1e-6)


def test_a_run_saves_every_image_and_numbers_them(tmp_path: Path) -> None:
    network = wrapped(tiny_module())
    objective = WeightedSum(
        {"unit": Channel("conv2", [1, 2]), "diversity": Diversity("conv2", 0.5)}
    )
    result = Experiment(network, SeveralImages(Fourier(), 3), objective, Gradient(3)).run(
        FolderRecord(tmp_path)
    )
    assert [(item.target, item.facet) for item in result.items] == [
        (f"conv2:{unit}", facet) for unit in (1, 2) for facet in range(3)
    ]
    assert len({(tmp_path / item.file).read_bytes() for item in result.items}) == 6


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(InputError, match=r"encoding\.count=0"):
        SeveralImages(Pixels(), 0)
    with pytest.raises(InputError, match="one picture a genome"):
        SeveralImages(SeveralImages(Pixels(), 2), 2)
