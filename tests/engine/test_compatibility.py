"""Which items a run has, and what is refused before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from small_worlds import noisy_pictures
from torch import Tensor

from synth.core import BoundObjective, Images, Objective, Readout, Rows, Target, Transform
from synth.core.network import Network
from synth.core.randomness import key_of
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.engine.compatibility import items_rows
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.objectives.every_class import EveryClass
from synth.objectives.scores import Channel, ClassScore
from synth.objectives.untargeted import Untargeted
from synth.searches.gradient import Gradient

CPU = torch.device("cpu")


def targets(*names: str) -> list[Target]:
    return [Target(name, place) for place, name in enumerate(names)]


def test_there_are_as_many_items_as_targets_or_pictures() -> None:
    for given, count in (
        ((None, None), 1),
        ((targets("a"), None), 1),
        ((targets("a", "b"), None), 2),
        ((None, ["p", "q", "r"]), 3),
        ((targets("a"), ["p", "q"]), 2),
        ((targets("a", "b"), ["p"]), 2),
        ((targets("a", "b"), ["p", "q"]), 2),
    ):
        rows = items_rows(*given, 5, CPU)
        assert rows.item.tolist() == list(range(count))
        assert len(set(rows.key.tolist())) == count


def test_an_item_s_key_is_what_it_is_and_not_where_it_stands() -> None:
    several = items_rows(targets("a", "b", "c"), ["p"], 5, CPU).key
    for place, name in enumerate("abc"):
        assert (
            items_rows(targets(name), ["p"], 5, CPU).key[0]
            == several[place]
            == key_of(5, f"{name}:p", 0)
        )
    assert (
        items_rows(targets("a", "a"), None, 5, CPU).key[0]
        == items_rows(targets("a"), None, 5, CPU).key[0]
    )
    assert len(set(items_rows(targets("a", "a", "a"), None, 5, CPU).key.tolist())) == 3
    assert (
        items_rows(targets("a"), None, 6, CPU).key[0]
        != items_rows(targets("a"), None, 5, CPU).key[0]
    )


def test_targets_and_pictures_that_do_not_pair_are_refused() -> None:
    with pytest.raises(
        InputError, match="2 targets and 3 pictures: name one target for all, or one for each"
    ):
        items_rows(targets("a", "b"), ["p", "q", "r"], 0, CPU)


class Alternatives(Objective):
    """Five ways for an item to get there."""

    def bind(self, network: Network) -> BoundObjective:
        return _BoundRivals()


class _BoundRivals(BoundObjective):
    columns, alternatives = 5, True

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        return {"rivals": readout.images.mean((1, 2, 3))[:, None].expand(-1, 5)}


class RivalSearch(Gradient):
    alternatives = True


class Coupled(Gradient):
    shared_population = True


class Quarter(Transform):
    """A part so small that the network cannot read it."""

    def __call__(self, images: Images, rows: Rows) -> Images:
        return images[:, :, :1, :1]


@pytest.fixture
def photographs(tmp_path: Path) -> list[str]:
    return sorted(map(str, noisy_pictures(tmp_path / "photographs", 2, low=0, high=256).iterdir()))


@pytest.mark.parametrize(
    ("objective", "search", "options", "said"),
    [
        (
            Alternatives(),
            Gradient(2),
            {"monitor": ClassScore("lemon")},
            "several scores of an item, which gradient cannot",
        ),
        (
            Alternatives(),
            RivalSearch(2),
            {},
            "monitor: with an objective of rivals a single score must be watched",
        ),
        (EveryClass(), Gradient(2), {}, "compete for all 5 items, which gradient cannot read"),
        (ClassScore("lemon"), Coupled(2), {"monitor": ClassScore("lemon")}, "leave it out"),
        (
            ClassScore("lemon"),
            Gradient(2),
            {"monitor": ClassScore(["lemon", "teapot"])},
            "monitor: 2 targets, 1 items",
        ),
        (
            Channel("conv2", 3),
            Gradient(2),
            {"transform": Quarter()},
            "cannot read pictures of that size",
        ),
    ],
)
def test_parts_that_do_not_go_together_are_refused(
    objective: Objective, search: Gradient, options: dict[str, Any], said: str, network: Network
) -> None:
    with pytest.raises(InputError, match=said):
        Experiment(network, Pixels(16), objective, search, **options)


def test_rivals_are_heard_by_a_search_that_reads_them(network: Network) -> None:
    experiment = Experiment(
        network, Pixels(16), Alternatives(), RivalSearch(2), monitor=ClassScore("lemon")
    )
    assert experiment.problem.objective.alternatives
    assert len(experiment.rows) == 1


def test_a_map_sets_out_from_one_picture(network: Network, photographs: list[str]) -> None:
    encoding = Perturbation(images=photographs, size=16)
    with pytest.raises(InputError, match="set out from one; name one picture, not 2"):
        Experiment(network, encoding, EveryClass(["lemon", "teapot"]), Coupled(2))


def test_nothing_to_search_is_refused_only_where_all_is_there(
    network: Network, photographs: list[str]
) -> None:
    encoding = Perturbation(images=photographs, epsilon=0.5, size=16)
    there = network(encoding.clean_images).argmax(1).tolist()
    other = [network.classes.names[(index + 1) % 5] for index in there]
    seen = [network.classes.names[index] for index in there]
    for names in ([seen[0], other[1]], [other[0], seen[1]], other):
        Experiment(network, encoding, ClassScore(names), Gradient(2))
    with pytest.raises(InputError, match="sees that already"):
        Experiment(network, encoding, ClassScore(seen), Gradient(2))
    Experiment(
        network, encoding, Untargeted(images=photographs), Gradient(2)
    )  # away from what is seen: not there yet
