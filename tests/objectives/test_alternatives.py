"""Margins over the nearest alternative classes, against a sort by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import rows_of
from torch import Tensor

from synth.core import BoundObjective, Readout, Rows
from synth.core.network import OUTPUT, Network
from synth.encodings.perturbation import Perturbation
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.objectives.alternatives import Alternatives
from synth.objectives.scores import ClassScore
from synth.objectives.untargeted import Untargeted
from synth.searches.deepfool import DeepFool
from synth.searches.gradient import Gradient

COUNT = 3


@pytest.fixture
def folder(tmp_path: Path) -> str:
    for number in range(COUNT):
        noisy = np.random.default_rng(number).integers(40, 216, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(noisy).save(tmp_path / f"{number}.png")
    return str(tmp_path)


def scored(bound: BoundObjective, scores: Tensor, rows: Rows) -> Tensor:
    (value,) = bound(Readout({OUTPUT: scores}, torch.zeros(len(scores), 3, 16, 16), rows)).values()
    return value


def test_columns_are_sorted_margins_over_other_classes(loud_network: Network, folder: str) -> None:
    bound = Alternatives(images=folder, label=[1, 0, 4], count=3).bind(loud_network)
    assert (bound.columns, bound.alternatives) == (3, True)
    rows = rows_of(COUNT).select(torch.tensor([2, 0]))  # rows find their picture by item
    scores = torch.tensor([[5.0, 1.0, 2.0, 3.0, 4.0], [5.0, 1.0, 2.0, 3.0, 4.0]])
    assert scored(bound, scores, rows).tolist() == [[1.0, -1.0, -2.0], [4.0, 3.0, 2.0]]


def test_the_first_column_is_the_margin_and_the_items_are_those_of_untargeted(
    loud_network: Network, folder: str
) -> None:
    bound, plain = (
        Alternatives(images=folder, count=4).bind(loud_network),
        Untargeted(images=folder).bind(loud_network),
    )
    scores = torch.randn(COUNT, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        scored(bound, scores, rows_of(COUNT))[:, :1], scored(plain, scores, rows_of(COUNT))
    )
    assert bound.items == plain.items
    single = Alternatives(image=f"{folder}/1.png", count=2).bind(loud_network)
    assert [target.index for target in single.target(rows_of(2))] == [plain.items[1].index] * 2


def test_the_gradient_is_that_of_finite_differences(loud_network: Network, folder: str) -> None:
    bound = Alternatives(images=folder, label="lemon", count=3).bind(loud_network)
    scores = torch.randn(
        COUNT, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    assert torch.autograd.gradcheck(lambda logits: scored(bound, logits, rows_of(COUNT)), scores)


def test_a_target_is_a_single_alternative(loud_network: Network, folder: str) -> None:
    bound = Alternatives(images=folder, target=["lemon", "teapot", "goldfish"]).bind(loud_network)
    plain = ClassScore(["lemon", "teapot", "goldfish"], "margin").bind(loud_network)
    scores = torch.randn(COUNT, 5)
    assert (bound.columns, bound.alternatives) == (1, False)
    assert torch.equal(scored(bound, scores, rows_of(COUNT)), scored(plain, scores, rows_of(COUNT)))


def test_mistakes(loud_network: Network, folder: str) -> None:
    with pytest.raises(InputError, match="objective count=0: write 1 or more"):
        Alternatives(images=folder, count=0)
    with pytest.raises(
        InputError, match="count=5: of 5 classes 4 are alternatives to one; write 4 or fewer"
    ):
        Alternatives(images=folder, count=5).bind(loud_network)
    with pytest.raises(InputError, match="starts from one clean image"):
        Alternatives()
    with pytest.raises(InputError, match=r"absent\.png: no such file"):
        Alternatives(image=f"{folder}/absent.png", count=4).bind(loud_network)
    encoding, aim = Perturbation(images=folder), Alternatives(images=folder, count=4)
    with pytest.raises(InputError, match="write search=deepfool"):
        Experiment(loud_network, encoding, aim, Gradient(2), monitor=Untargeted(images=folder))
    with pytest.raises(InputError, match="a single score must be monitored"):
        Experiment(loud_network, encoding, aim, DeepFool(2))
