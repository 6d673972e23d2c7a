"""Takes a term of the objective that is minus an error; gives that error on saved pictures, and on the first ones."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

import torch

from synth.core import BoundObjective, Images, Rows
from synth.engine.fitness import ImageProblem
from synth.engine.metric import Metric, Outcome
from synth.engine.verdict import evaluate_images
from synth.errors import InputError, nearest

MOST = 16  # items whose errors are told one by one beside their mean


class TermError(Metric):
    """Minus the objective's `term`, without its weight, on the files as they were saved: the finding `finding`.

    Each item's record has it, the findings have the mean over items, the same of the pictures that the search began
    with (``_start``), and of 2 to 16 items what each has (``_of``).
    """

    def __init__(self, term: str, finding: str) -> None:
        self.term, self.finding = term, finding

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        self._bound(problem)

    def __call__(self, outcome: Outcome) -> Mapping[str, Any]:
        problem, items = outcome.problem, outcome.items
        there = [i for i, item in enumerate(items) if item["file"] is not None]
        if not there:
            return {}
        each = len(items) // len(outcome.rows)
        rows = outcome.rows.repeat(each) if each > 1 else outcome.rows
        kept = torch.tensor(there, device=rows.item.device)
        saved = torch.stack([outcome.record.read_back(items[i]["file"]) for i in there])
        errors = self._errors(problem, saved.to(problem.network.device), rows.select(kept))
        first = self._errors(
            problem, problem.images(problem.start(outcome.rows), outcome.rows), rows
        )
        for i, error in zip(there, errors, strict=True):
            items[i][self.finding] = round(error, 6)
        found: dict[str, Any] = {
            self.finding: round(fmean(errors), 6),
            f"{self.finding}_start": round(fmean(first), 6),
        }
        if 1 < len(there) <= MOST:
            found[f"{self.finding}_of"] = {
                str(items[i]["target"]): items[i][self.finding] for i in there
            }
        return found

    def _bound(self, problem: ImageProblem) -> BoundObjective:
        terms = getattr(problem.objective, "terms", {})
        if self.term not in terms:
            raise InputError(
                f"metrics term={self.term}: the objective has no such term.{nearest(self.term, terms)}"
                " Leave the measure out with metrics.NAME=null."
            )
        return terms[self.term][0]

    def _errors(self, problem: ImageProblem, images: Images, rows: Rows) -> list[float]:
        return (-evaluate_images(problem.network, self._bound(problem), images, rows)[1]).tolist()
