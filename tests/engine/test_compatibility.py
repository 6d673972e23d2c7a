"""Which items a run has, and which parts are refused before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from small_worlds import Rounded, noisy_pictures
from torch import Tensor

from synth.core import (
    BoundObjective,
    Encoding,
    Images,
    Objective,
    Readout,
    Rows,
    Search,
    Target,
    Transform,
)
from synth.core.network import Network
from synth.core.randomness import key_of
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.engine import experiment as engine
from synth.engine.compatibility import RULES, Parts, check_compatible, items_rows
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.objectives.every_class import EveryClass
from synth.objectives.scores import Channel, ClassScore
from synth.objectives.untargeted import Untargeted
from synth.searches.gradient import Gradient
from synth.searches.stages import octaves

CPU = torch.device("cpu")


def targets(*names: str) -> list[Target]:
    return [Target(name, place) for place, name in enumerate(names)]


def test_there_are_as_many_items_as_targets_or_pictures() -> None:
    for arguments, count in (
        ((None, None), 1),
        ((targets("a"), None), 1),
        ((targets("a", "b"), None), 2),
        ((None, ["p", "q", "r"]), 3),
        ((targets("a"), ["p", "q"]), 2),
        ((targets("a", "b"), ["p"]), 2),
        ((targets("a", "b"), ["p", "q"]), 2),
    ):
        rows = items_rows(*arguments, 5, CPU)
        assert rows.item.tolist() == list(range(count))
        assert len(set(rows.key.tolist())) == count


def test_the_key_of_an_item_depends_on_its_names_and_not_on_its_place() -> None:
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
    """An objective of five alternatives."""

    def bind(self, network: Network) -> BoundObjective:
        return _BoundAlternatives()


class _BoundAlternatives(BoundObjective):
    columns, alternatives = 5, True

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        return {"alternatives": readout.images.mean((1, 2, 3))[:, None].expand(-1, 5)}


class AlternativesSearch(Gradient):
    alternatives = True


class SharedPopulation(Gradient):
    shared_population = True


class OnePixel(Transform):
    """A crop so small that the network cannot read it."""

    def __call__(self, images: Images, rows: Rows) -> Images:
        return images[:, :, :1, :1]


@pytest.fixture
def photographs(tmp_path: Path) -> list[str]:
    return sorted(map(str, noisy_pictures(tmp_path / "photographs", 2, low=0, high=256).iterdir()))


@pytest.mark.parametrize(
    ("objective", "search", "options", "message"),
    [
        (
            Alternatives(),
            Gradient(2),
            {"monitor": ClassScore("lemon")},
            "several scores of an item, which gradient cannot",
        ),
        (
            Alternatives(),
            AlternativesSearch(2),
            {},
            "monitor: with an objective of alternatives a single score must be monitored",
        ),
        (EveryClass(), Gradient(2), {}, "for all 5 items, which gradient cannot read"),
        (
            ClassScore("lemon"),
            SharedPopulation(2),
            {"monitor": ClassScore("lemon")},
            "leave it out",
        ),
        (
            ClassScore("lemon"),
            Gradient(2),
            {"monitor": ClassScore(["lemon", "teapot"])},
            "monitor: 2 targets, 1 items",
        ),
        (
            Channel("conv2", 3),
            Gradient(2),
            {"transform": OnePixel()},
            "cannot read pictures of that size",
        ),
    ],
)
def test_parts_that_do_not_go_together_are_refused(
    objective: Objective, search: Gradient, options: dict[str, Any], message: str, network: Network
) -> None:
    with pytest.raises(InputError, match=message):
        Experiment(network, Pixels(16), objective, search, **options)


class Captured(Exception):
    """Carries the parts of an experiment instead of checking them."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts


def captured_parts(monkeypatch: pytest.MonkeyPatch, *arguments: Any, **options: Any) -> Parts:
    """The parts that an experiment of these arguments would check."""

    def capture(parts: Parts) -> None:
        raise Captured(parts)

    monkeypatch.setattr(engine, "check_compatible", capture)
    with pytest.raises(Captured) as capture_error:
        Experiment(*arguments, **options)
    return capture_error.value.parts


class OneSize(Encoding):
    """Noise, without what stages need."""

    def __init__(self, size: int) -> None:
        self.size = size, size

    def start(self, rows: Rows) -> Tensor:
        return rows.uniform(3, *self.size)

    def decode(self, genome: Tensor, rows: Rows) -> Tensor:
        return genome

    def project(self, genome: Tensor, rows: Rows) -> Tensor:
        return genome.clamp(0, 1)

    def at(self, size: tuple[int, int]) -> Encoding:
        return OneSize(size[0])


# one case for each rule, in the order of the table: objective, search, options, message
RULE_CASES: list[tuple[Objective, Search, dict[str, Any], str]] = [
    (
        ClassScore("lemon"),
        Gradient(2),
        {"monitor": ClassScore(["lemon", "teapot"])},
        "monitor: 2 targets, 1 items; name one, or one for each.",
    ),
    (
        Alternatives(),
        Gradient(2),
        {"monitor": ClassScore("lemon")},
        "objective: it gives several scores of an item, which gradient cannot read; write "
        "search=deepfool, or an objective of one score, untargeted.",
    ),
    (
        Alternatives(),
        AlternativesSearch(2),
        {},
        "monitor: with an objective of alternatives a single score must be monitored; write "
        "monitor=untargeted.",
    ),
    (
        EveryClass(),
        Gradient(2),
        {},
        "objective: it scores each image for all 5 items, which gradient cannot read; write "
        "search=map_elites, or an objective of one score, class_log_probability.",
    ),
    (
        EveryClass(),
        SharedPopulation(2),
        {"monitor": ClassScore("lemon")},
        "monitor: sharedpopulation monitors the objective itself; leave it out (monitor=null).",
    ),
    (
        EveryClass(["lemon", "teapot"]),
        SharedPopulation(2),
        {"pictures": True},
        "search=sharedpopulation: all items share one population, which starts from one picture; "
        "name one picture, not 2.",
    ),
    (
        Untargeted(image="china"),
        Gradient(2),
        {},
        "image: encoding=pixels does not start from a picture, so nothing reads it; write "
        "encoding=perturbation, or leave image= out.",
    ),
    (
        ClassScore("lemon"),
        Gradient(2),
        {"encoding": Rounded(16)},
        "search=gradient: this encoding has no gradient; use search=genetic, or another encoding.",
    ),
    (
        ClassScore("lemon"),
        octaves(Gradient(2), count=2),
        {"encoding": OneSize(16)},
        "search=stages: encoding=onesize transfers no genome to another size; write "
        "search=gradient, or another encoding.",
    ),
]


@pytest.mark.parametrize("number", range(len(RULES)))
def test_each_rule_of_the_table_refuses_its_parts_in_one_line(
    number: int, network: Network, photographs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(RULE_CASES) == len(RULES)
    objective, search, options, message = RULE_CASES[number]
    options = dict(options)
    encoding = options.pop("encoding", Pixels(16))
    if options.pop("pictures", False):
        encoding = Perturbation(images=photographs, size=16)
    with pytest.raises(InputError) as error:
        Experiment(network, encoding, objective, search, **options)
    assert str(error.value) == message
    parts = captured_parts(monkeypatch, network, encoding, objective, search, **options)
    assert [rule.violated(parts) for rule in RULES].index(True) == number


def test_parts_that_meet_violate_no_rule(
    network: Network, photographs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    perturbation = Perturbation(images=photographs, size=16)
    for encoding, objective, search, monitor in (
        (Pixels(16), ClassScore("lemon"), Gradient(2), None),
        (Pixels(16), ClassScore(["lemon", "teapot"]), Gradient(2), ClassScore("lemon")),
        (Pixels(16), Alternatives(), AlternativesSearch(2), ClassScore("lemon")),
        (Pixels(16), EveryClass(), SharedPopulation(2), None),
        (perturbation, Untargeted(images=photographs), Gradient(2), None),
    ):
        parts = captured_parts(monkeypatch, network, encoding, objective, search, monitor=monitor)
        assert not any(rule.violated(parts) for rule in RULES)
        check_compatible(parts)


def test_alternatives_are_taken_by_a_search_that_reads_them(network: Network) -> None:
    experiment = Experiment(
        network, Pixels(16), Alternatives(), AlternativesSearch(2), monitor=ClassScore("lemon")
    )
    assert experiment.problem.objective.alternatives
    assert len(experiment.rows) == 1


def test_a_shared_population_starts_from_one_picture(
    network: Network, photographs: list[str]
) -> None:
    encoding = Perturbation(images=photographs, size=16)
    with pytest.raises(InputError, match="starts from one picture; name one picture, not 2"):
        Experiment(network, encoding, EveryClass(["lemon", "teapot"]), SharedPopulation(2))


def test_a_target_that_is_met_is_refused_only_where_there_is_no_other_image(
    network: Network, photographs: list[str]
) -> None:
    encoding = Perturbation(images=photographs, epsilon=0.5, size=16)
    predictions = network(encoding.clean_images).argmax(1).tolist()
    others = [network.classes.names[(index + 1) % 5] for index in predictions]
    predicted = [network.classes.names[index] for index in predictions]
    for names in ([predicted[0], others[1]], [others[0], predicted[1]], others, predicted):
        Experiment(network, encoding, ClassScore(names), Gradient(2))
    single = Perturbation(image=photographs[0], epsilon=0.5, size=16)
    with pytest.raises(InputError, match="already predicts"):
        Experiment(network, single, ClassScore(predicted[0]), Gradient(2))
    # the untargeted objective is not met by the clean image
    Experiment(network, encoding, Untargeted(images=photographs), Gradient(2))
