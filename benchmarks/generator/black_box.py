"""Codes searched with and without gradients: evolution in 3,000 queries beside gradient ascent.

Eight classes (every twelfth) before the softmax, and eight channels of conv5 before its ReLU, each
in the middle; the same generator and bounds, a population of 40 and 75 generations. A score is
given as a share of what gradient ascent on the same codes reaches, the mean over units. The claim
tested is that of Wang & Ponce 2022 ("High-performance evolutionary algorithms for online neuron
control"): CMA-ES 66 % above a genetic algorithm.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from statistics import fmean

from benchmarks.generator.material import GENERATOR, mini_alexnet
from synth.core import Objective, Search
from synth.encodings.generator import Generator
from synth.engine.experiment import Experiment
from synth.objectives.scores import ClassScore, Neuron
from synth.record.folder_record import FolderRecord
from synth.searches.cma import CmaEs
from synth.searches.genetic import Genetic
from synth.searches.gradient import Gradient
from synth.searches.operators.combined_mutation import SelfAdaptive
from synth.searches.operators.crossover import UniformCrossover
from synth.searches.operators.mutation import GaussianMutation
from synth.searches.operators.selection import Tournament
from synth.searches.regularisers import Regularisers

GENERATIONS, POPULATION, SIGMA = 75, 40, 0.3
UNITS: dict[str, Objective] = {
    "eight classes": ClassScore(list(range(0, 96, 12))),
    "eight channels of conv5": Neuron("norm5", list(range(0, 128, 16))),
}
REFERENCE = Gradient(
    120, "normalised", 0.3, 0.0, momentum=0.0, regularisers=Regularisers(decay=0.03)
)


def rows() -> list[tuple[str, str]]:
    """A row for each kind of unit: the share of each search, and CMA-ES over genetic."""
    logging.getLogger("synth").setLevel(logging.WARNING)
    table = []
    for kind, objective in UNITS.items():
        ceiling = _scores(objective, REFERENCE, "random")
        shares = {}
        for name, (search, start) in _contenders().items():
            scores = _scores(objective, search, start)
            shares[name] = fmean(score / best for score, best in zip(scores, ceiling, strict=True))
        best_genetic = max(share for name, share in shares.items() if name.startswith("genetic"))
        best_cma = max(share for name, share in shares.items() if name.startswith("CMA"))
        title = (
            f"codes, {GENERATIONS * POPULATION} queries each, {kind}: score as a share of gradient "
            f"ascent's (mean {fmean(ceiling):.1f})"
        )
        numbers = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
        gain = f"the best CMA-ES {best_cma / best_genetic - 1:+.0%} on the best genetic algorithm"
        table.append((title, f"{numbers}; {gain}"))
    return table


def _contenders() -> dict[str, tuple[Search, str]]:
    """Searches and their starts, all with as many queries."""
    # the first population is a generation too
    times = {"generations": GENERATIONS - 1, "population": POPULATION}
    textbook = Genetic(Tournament(2), UniformCrossover(), GaussianMutation(0.1, 0.05), **times)
    tuned = Genetic(
        Tournament(4), UniformCrossover(), SelfAdaptive(GaussianMutation(0.3, 0.2)), **times
    )
    return {
        "genetic, textbook": (textbook, "random"),
        "genetic, recipe": (tuned, "random"),
        "CMA-ES, diagonal": (CmaEs(GENERATIONS, POPULATION, SIGMA), "mean"),
        "CMA-ES, full": (CmaEs(GENERATIONS, POPULATION, SIGMA, "full"), "mean"),
    }


def _scores(objective: Objective, search: Search, start: str) -> list[float]:
    """The final score of each unit."""
    with tempfile.TemporaryDirectory() as folder:
        result = Experiment(mini_alexnet(), Generator(GENERATOR, start), objective, search).run(
            FolderRecord(Path(folder))
        )
    return [item.score for item in result.items]
