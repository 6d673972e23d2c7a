"""The error that one term of the objective minimises, measured on the saved images."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

import torch

from synth.core import BoundObjective, Images, Rows
from synth.engine.fitness import ImageProblem
from synth.engine.metric import Metric, Outcome
from synth.engine.verdict import evaluate_images
from synth.errors import InputError, nearest
from synth.record.result import Json

MAX_LISTED = 16  # up to so many items, the findings list the error of each beside the mean


class TermError(Metric):
    """Minus one term of the objective, without its weight, on the saved files.

    Findings: the mean over items; with ``_start`` the same of the initial images; with ``_of``, for
    2 to 16 items, the error of each by its target. Each item has its own.

    Args:
        term: name of the term in the objective (``features``, ``style``).
        finding: name of the finding (``feature_error``).
    """

    def __init__(self, term: str, finding: str) -> None:
        self.term = term
        self.finding = finding

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        self._bound(problem)

    def __call__(self, outcome: Outcome) -> Mapping[str, Json]:
        problem = outcome.problem
        places = [i for i, item in enumerate(outcome.items) if item.file is not None]
        if not places:
            return {}
        items = [outcome.items[i] for i in places]
        images_per_row = len(outcome.items) // len(outcome.rows)
        rows = outcome.rows.repeat(images_per_row) if images_per_row > 1 else outcome.rows
        index = torch.tensor(places, device=rows.item.device)
        saved = torch.stack([outcome.record.read_back(str(item.file)) for item in items])
        errors = self._errors(problem, saved.to(problem.network.device), rows.select(index))
        initial = problem.images(problem.start(outcome.rows), outcome.rows)
        initial_errors = self._errors(problem, initial, rows)
        for item, error in zip(items, errors, strict=True):
            item.extra[self.finding] = round(error, 6)
        findings: dict[str, Json] = {
            self.finding: round(fmean(errors), 6),
            f"{self.finding}_start": round(fmean(initial_errors), 6),
        }
        if 1 < len(items) <= MAX_LISTED:
            findings[f"{self.finding}_of"] = {
                str(item.target): item.extra[self.finding] for item in items
            }
        return findings

    def _bound(self, problem: ImageProblem) -> BoundObjective:
        terms = problem.objective.terms
        if self.term not in terms:
            raise InputError(
                f"metrics term={self.term}: the objective has no such term."
                f"{nearest(self.term, terms)} Leave the metric out with metrics.NAME=null."
            )
        return terms[self.term][0]

    def _errors(self, problem: ImageProblem, images: Images, rows: Rows) -> list[float]:
        _, values = evaluate_images(problem.network, self._bound(problem), images, rows)
        return (-values).tolist()
