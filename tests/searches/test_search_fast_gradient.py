"""The fast gradient method, against its equation by hand and by autograd on the network itself."""

from __future__ import annotations

import pytest
import torch
from small_worlds import Analytic, Rounded, evolved, quadratics, rows_of
from torch.nn import functional

from synth.core import Rows
from synth.core.network import Network
from synth.encodings.perturbation import Perturbation
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.objectives.attack import attack
from synth.record.folder_record import FolderRecord
from synth.searches.fast_gradient import FastGradient

LENGTH, ITEMS = 6, 3


@pytest.mark.parametrize("rule", ["sign", "unit"])
def test_one_step_of_a_quadratic(rule: str) -> None:
    problem, matrices, centres = quadratics(ITEMS, LENGTH)
    rows = rows_of(ITEMS)
    (reports,), _ = evolved(FastGradient(0.03, rule), problem, rows)
    start = problem.start(rows)
    gradient = torch.einsum("rij,rj->ri", matrices, centres - start)
    direction = gradient.sign() if rule == "sign" else gradient / gradient.norm(dim=1, keepdim=True)
    torch.testing.assert_close(reports.genome, start + 0.03 * direction)
    torch.testing.assert_close(
        reports.score, problem.score(reports.genome, rows)
    )  # where it arrived, not where it began
    assert (reports.forwards.tolist(), reports.backwards.tolist()) == ([2] * ITEMS, [1] * ITEMS)
    assert problem.calls == [(ITEMS, True), (ITEMS, False)]


def test_it_arrives_inside_the_box() -> None:
    problem = Analytic(
        lambda genome, rows: genome.sum(1), lambda rows: rows.uniform(LENGTH), box=(0.0, 1.0)
    )
    (reports,), _ = evolved(FastGradient(0.5), problem, rows_of(ITEMS))
    torch.testing.assert_close(reports.genome, (problem.start(rows_of(ITEMS)) + 0.5).clamp(max=1.0))


def test_both_looks_of_a_stochastic_problem_are_the_steps_own() -> None:
    output: list[torch.Tensor] = []

    def score(genome: torch.Tensor, rows: Rows) -> torch.Tensor:
        output.append(rows.key)
        return genome.sum(1)

    problem = Analytic(score, lambda rows: rows.uniform(LENGTH), stochastic=True)
    evolved(FastGradient(), problem, rows_of(2), 2)
    assert torch.equal(output[0], output[1])
    assert not torch.equal(output[1], output[2])


@pytest.mark.parametrize("target", [None, "teapot"])
def test_it_is_the_equation_of_the_paper(
    target: str | None, loud_network: Network, tmp_path
) -> None:
    epsilon = 4 / 255
    aim = attack(target, "china", score="cross_entropy")
    encoding = Perturbation("china", epsilon=epsilon)
    result = (
        Experiment(loud_network, encoding, aim, FastGradient(epsilon))
        .run(FolderRecord(tmp_path))
        .to_dict()
    )
    (item,) = result["items"]
    picture = encoding.at((16, 16)).clean_images.requires_grad_()
    scores = loud_network(picture)
    index = scores.argmax(1) if target is None else torch.tensor([2])
    (gradient,) = torch.autograd.grad(functional.cross_entropy(scores, index), picture)
    moved = picture + (epsilon if target is None else -epsilon) * gradient.sign()
    saved = FolderRecord(tmp_path).read_back(item["file"])
    torch.testing.assert_close(saved, moved[0].detach().clamp(0, 1), atol=1e-6, rtol=0)
    assert item["linf"] == pytest.approx(epsilon, abs=1e-6)
    assert (item["steps"], item["forwards"], item["backwards"]) == (1, 2, 1)


def test_a_budget_lets_it_go_on(loud_network: Network, tmp_path) -> None:
    experiment = Experiment(
        loud_network,
        Perturbation("china", epsilon=0.1),
        attack(None, "china"),
        FastGradient(),
        budget=9,
    )
    (item,) = experiment.run(FolderRecord(tmp_path)).to_dict()["items"]
    assert item["steps"] == 2
    with pytest.raises(
        InputError, match="budget=3: one step of fast_gradient can take 4 network passes"
    ):
        Experiment(
            loud_network,
            Perturbation("china", epsilon=0.1),
            attack(None, "china"),
            FastGradient(),
            budget=3,
        )


def test_what_cannot_be_is_refused(network: Network) -> None:
    with pytest.raises(InputError, match=r"search\.rule=signn: no such rule\. Did you mean sign"):
        FastGradient(rule="signn")
    for rate in (0.0, -0.1):
        with pytest.raises(InputError, match=r"search\.rate=.*: write a length above 0"):
            FastGradient(rate)
    for rate in (float("inf"), float("nan")):
        with pytest.raises(InputError, match=r"rate=.*: write a finite number"):
            FastGradient(rate)
    with pytest.raises(InputError, match="search=fast_gradient: this encoding has no gradient"):
        Experiment(network, Rounded(16), attack("teapot"), FastGradient())
