"""Several objectives as one: a weighted sum of named terms, each of which can be overridden or added by name."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from synth.core import BoundObjective, Objective, Readout, Rows, Target
from synth.core.network import Network
from synth.errors import InputError


class WeightedSum(Objective):
    """The sum of each objective times its own `weight` over the named `terms`; a null term is left out.

    A negative weight turns climbing into avoiding. The first term says what the items are after.
    """

    def __init__(self, terms: Mapping[str, Objective | None]) -> None:
        self.terms = {name: term for name, term in terms.items() if term is not None}
        if not self.terms:
            raise InputError("objective.terms: empty; name at least one objective.")
        self.needs_original = any(term.needs_original for term in self.terms.values())

    def bind(self, network: Network) -> BoundObjective:
        return _BoundSum({
            name: (term.bind(network), term.weight)
            for name, term in self.terms.items()
        })  # fmt: skip


class _BoundSum(BoundObjective):
    def __init__(self, terms: dict[str, tuple[BoundObjective, float]]) -> None:
        self.terms = terms
        self.layers = tuple(
            dict.fromkeys(layer for bound, _ in terms.values() for layer in bound.layers)
        )
        self.columns = max(bound.columns for bound, _ in terms.values())
        self.alternatives = any(bound.alternatives for bound, _ in terms.values())
        counts = [
            len(bound.items)
            for bound, _ in terms.values()
            if bound.items is not None and len(bound.items) > 1
        ]
        if len(set(counts)) > 1:
            raise InputError(
                f"objective.terms: they name {' and '.join(map(str, counts))} targets; name as many in each."
            )
        self.items = max(
            (bound.items for bound, _ in terms.values() if bound.items is not None),
            key=len,
            default=None,
        )
        self._main = next(iter(terms.values()))[0]

    def at(self, size: tuple[int, int]) -> BoundObjective:
        return _BoundSum(
            {name: (bound.at(size), weight) for name, (bound, weight) in self.terms.items()}
        )

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        found = {}
        for name, (bound, weight) in self.terms.items():
            parts = list(bound(readout).values())
            value = parts[0] if len(parts) == 1 else sum(parts[1:], parts[0])
            found[name] = value if weight == 1.0 else value * weight
        return found

    def target(self, rows: Rows) -> list[Target | None]:
        return self._main.target(rows)
