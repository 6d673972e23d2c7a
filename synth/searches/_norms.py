"""L2 and L-infinity norms of genome changes, row by row, and their steepest directions."""

from __future__ import annotations

import torch
from torch import Tensor

from synth.core import PerRow, Problem
from synth.errors import InputError, nearest
from synth.searches._checks import check_differentiable

NORMS = ("l2", "linf")
# A margin below this can change its sign when images are measured again in a batch of another size
BEYOND = 2e-5
TINY = 1e-12


def check(norm: str, name: str, problem: Problem | None = None) -> None:
    """Check the norm and the gradient of a search.

    Args:
        norm: as the user wrote it.
        name: the search's name in the configuration.
        problem: where given, has to be differentiable.

    Raises:
        InputError: for an unknown norm, or a problem without a gradient.
    """
    if norm not in NORMS:
        raise InputError(
            f"search.norm={norm}: no such norm.{nearest(norm, NORMS) or ' Write l2 or linf.'}"
        )
    if problem is not None:
        check_differentiable(problem, name)


def lengths(change: Tensor, norm: str) -> PerRow:
    """The norm [r] of each row of `change` [r, *shape]."""
    flat = change.flatten(1)
    return flat.norm(dim=1) if norm == "l2" else flat.abs().amax(1)


def steepest(gradient: Tensor, norm: str) -> tuple[Tensor, PerRow]:
    """The change of norm 1 along which the score rises most, and its rate: [r, *shape] and [r].

    In L2 the direction is the gradient divided by its norm, and the rate that norm; in L-infinity
    they are the gradient's sign and the sum of its absolute values (the dual norm). Where the
    gradient vanishes so does the direction, and the rate is `TINY` rather than 0.
    """
    if norm == "linf":
        return gradient.sign(), gradient.flatten(1).abs().sum(1).clamp_min(TINY)
    rate = gradient.flatten(1).norm(dim=1).clamp_min(TINY)
    return gradient / across(rate, gradient), rate


def across(numbers: PerRow, like: Tensor) -> Tensor:
    """Numbers [r] as [r, 1, ...], to broadcast against `like` [r, *shape]."""
    return numbers.view(-1, *[1] * (like.ndim - 1))


def of_column(terms: dict[str, Tensor], column: Tensor) -> dict[str, Tensor]:
    """Each term [r, k] at every row's own `column` [r]: [r]. A term may have a single column."""
    return {
        name: value[:, 0] if value.shape[1] == 1 else value.gather(1, column[:, None])[:, 0]
        for name, value in terms.items()
    }


def one_hot(index: Tensor, like: Tensor) -> Tensor:
    """One-hot covectors [v, r, k] for scores `like` [r, k] at the columns `index` [r, v]."""
    return torch.zeros(index.shape[1], *like.shape, device=like.device).scatter_(
        2, index.T[:, :, None], 1.0
    )
