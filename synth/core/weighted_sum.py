"""Weighted sum of objectives, as named terms that can be overridden or added by name."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from itertools import chain, count

from torch import Tensor

from synth.core import BoundObjective, Objective, Readout, Rows, Target
from synth.core.network import Network
from synth.core.part import check_parts
from synth.errors import InputError


class WeightedSum(Objective):
    """The sum of several objectives, each times its own `weight`.

    A term of negative weight is minimised. The first term names the targets of the items.

    Args:
        terms: the objectives by name; one that is None is left out.

    Raises:
        InputError: where there is no term; in `bind`, where terms name different numbers of items.
    """

    def __init__(self, terms: Mapping[str, Objective | None]) -> None:
        self.terms = {name: term for name, term in terms.items() if term is not None}
        if not self.terms:
            raise InputError("objective.terms: empty; name at least one objective.")
        check_parts("objective.terms", self.terms, Objective)
        self.needs_original = any(term.needs_original for term in self.terms.values())

    def bind(self, network: Network) -> BoundObjective:
        return _BoundSum(
            {name: (term.bind(network), term.weight) for name, term in self.terms.items()}
        )


def summed(first: Objective, second: Objective) -> WeightedSum:
    """The sum of two objectives; the terms of sums stay terms."""
    terms: dict[str, Objective] = {}
    for objective in (first, second):
        for name, term in _terms(objective).items():
            names = chain([name], (f"{name}_{number}" for number in count(2)))
            terms[next(free for free in names if free not in terms)] = term
    return WeightedSum(terms)


def scaled(objective: Objective, factor: float) -> Objective:
    """An objective `factor` times as large; of a sum each term is."""
    if not math.isfinite(factor):
        raise InputError(f"objective: a factor of {factor}; write a finite number.")
    if isinstance(objective, WeightedSum):
        return WeightedSum({name: scaled(term, factor) for name, term in objective.terms.items()})
    other = copy.copy(objective)
    other.weight = objective.weight * factor
    return other


def _terms(objective: Objective) -> Mapping[str, Objective]:
    """The terms of a sum; of another objective itself, under the name of its class."""
    if isinstance(objective, WeightedSum):
        return objective.terms
    return {type(objective).__name__.lower(): objective}


class _BoundSum(BoundObjective):
    def __init__(self, terms: Mapping[str, tuple[BoundObjective, float]]) -> None:
        bounds = [bound for bound, _ in terms.values()]
        items = [bound.items for bound in bounds if bound.items is not None]
        counts = [len(targets) for targets in items if len(targets) > 1]
        if len(set(counts)) > 1:
            raise InputError(
                f"objective.terms: they name {' and '.join(map(str, counts))} targets; name as "
                "many in each."
            )
        self.terms = terms
        self.layers = tuple(dict.fromkeys(layer for bound in bounds for layer in bound.layers))
        self.columns = max(bound.columns for bound in bounds)
        self.alternatives = any(bound.alternatives for bound in bounds)
        self.items = max(items, key=len, default=None)
        self.first = bounds[0]
        (low, high), weight = bounds[0].range, next(iter(terms.values()))[1]
        if len(bounds) == 1 and weight > 0:
            self.range = (low * weight, high * weight)

    def at(self, size: tuple[int, int]) -> BoundObjective:
        return _BoundSum(
            {name: (bound.at(size), weight) for name, (bound, weight) in self.terms.items()}
        )

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        terms = {}
        for name, (bound, weight) in self.terms.items():
            parts = list(bound(readout).values())
            value = parts[0] if len(parts) == 1 else sum(parts[1:], parts[0])
            terms[name] = value if weight == 1.0 else value * weight
        return terms

    def layers_of(self, item: int) -> tuple[str, ...]:
        needs = [bound.layers_of(item) for bound, _ in self.terms.values()]
        return tuple(dict.fromkeys(layer for layers in needs for layer in layers))

    def target(self, rows: Rows) -> list[Target | None]:
        return self.first.target(rows)
