"""Random search: genomes drawn from the encoding's own start distribution, of which the best stays.

The floor under every other search: what a budget buys without a gradient, a memory or a population.
"""

from __future__ import annotations

import torch

from synth.core import Genome, Problem, Rows, Search, State, StepReport
from synth.errors import InputError

EVALUATE = 1  # the stream of a transform's random numbers, apart from those of the draws


class Random(Search):
    """Independent draws of the encoding's start, a batch of them a step; the best so far stays.

    A score that is NaN never wins. Where scores are noisy (random transforms) the best so far is
    evaluated again in each step, since otherwise the luckiest would stay. An encoding that starts
    from the same genome every time (``start=zeros``) gives nothing to choose from.

    Args:
        steps: how many steps.
        population: genomes drawn in a step, for each item.

    Raises:
        InputError: for numbers below 1.
    """

    def __init__(self, steps: int = 100, population: int = 64) -> None:
        if steps < 1:
            raise InputError(f"search.steps={steps}: write 1 or more.")
        if population < 1:
            raise InputError(f"search.population={population}: write 1 or more.")
        self.steps = steps
        self.population = population
        self.individuals = population + 1

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        unknown = torch.full((len(rows),), -torch.inf, device=rows.item.device)
        return {
            "genome": problem.start(rows) if genome is None else genome,
            "score": unknown,
            "monitor": torch.zeros_like(unknown),
        }

    def passes(self, stochastic: bool, items: int = 1) -> int:
        return self.population + stochastic

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        count = len(rows)
        again = problem.stochastic and step > 0  # the best so far is among the candidates
        individuals = rows.fold_in(step).split(self.population + again)
        genomes = problem.start(individuals).unflatten(0, (count, -1))
        if step == 0 or again:
            genomes[:, 0] = state["genome"]
        evaluation = problem.evaluate(genomes.flatten(0, 1), individuals.fold_in(EVALUATE))
        score, best = evaluation.scores.view(count, -1).nan_to_num(-torch.inf).max(1)
        places = torch.arange(count, device=best.device)
        monitor = evaluation.monitor.view(count, -1)[places, best]
        better = torch.ones_like(score, dtype=torch.bool) if again else score > state["score"]
        shape = (count, *[1] * (genomes.ndim - 2))
        state = {
            "genome": torch.where(better.view(shape), genomes[places, best], state["genome"]),
            "score": torch.where(better, score, state["score"]),
            "monitor": torch.where(better, monitor, state["monitor"]),
        }
        passes = torch.full((count,), len(individuals) // count, device=rows.item.device)
        return state, StepReport(
            genome=state["genome"],
            score=state["score"],
            monitor=state["monitor"],
            forwards=passes * evaluation.forwards,
            backwards=torch.zeros_like(passes),
        )
