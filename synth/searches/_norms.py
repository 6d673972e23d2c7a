"""Takes changes of genomes; gives their lengths in L2 and L-infinity, row by row, and what is dual to them."""

from __future__ import annotations

import torch
from torch import Tensor

from synth.core import PerRow, Problem
from synth.errors import InputError, nearest

NORMS = ("l2", "linf")
# A margin this small can have the other sign in a batch of another size, where pictures are measured again.
BEYOND = 2e-5
TINY = 1e-12


def check(norm: str, name: str, problem: Problem | None = None) -> None:
    """Raises InputError for a norm that is none, and where `problem` has no gradient for the search called `name`."""
    if norm not in NORMS:
        raise InputError(
            f"search.norm={norm}: no such norm.{nearest(norm, NORMS) or ' Write l2 or linf.'}"
        )
    if problem is not None and not problem.differentiable:
        raise InputError(
            f"search={name}: this encoding has no gradient; use search=genetic, or another encoding."
        )


def lengths(change: Tensor, norm: str) -> PerRow:
    """The length [r] of each row of `change` [r, *shape]."""
    flat = change.flatten(1)
    return flat.norm(dim=1) if norm == "l2" else flat.abs().amax(1)


def steepest(gradient: Tensor, norm: str) -> tuple[Tensor, PerRow]:
    """The change of length 1 that `gradient` [r, *shape] promises most of, and how much: [r, *shape] and [r].

    In L2 that is the gradient over its length, and its length; in L-infinity its sign, and the sum of its absolute
    values. Where the gradient vanishes so does the change, and the promise is next to nothing, not 0.
    """
    if norm == "linf":
        return gradient.sign(), gradient.flatten(1).abs().sum(1).clamp_min(TINY)
    promise = gradient.flatten(1).norm(dim=1).clamp_min(TINY)
    return gradient / across(promise, gradient), promise


def across(numbers: PerRow, like: Tensor) -> Tensor:
    """Numbers [r] as [r, 1, ...], to go with `like` [r, *shape]."""
    return numbers.view(-1, *[1] * (like.ndim - 1))


def of_column(terms: dict[str, Tensor], column: Tensor) -> dict[str, Tensor]:
    """Of each term [r, k] the number [r] in each row's own `column` [r]; a term of one column has only that."""
    return {
        name: value[:, 0] if value.shape[1] == 1 else value.gather(1, column[:, None])[:, 0]
        for name, value in terms.items()
    }


def one_each(index: Tensor, like: Tensor) -> Tensor:
    """Covectors [v, r, k] for scores `like` [r, k], each a 1 at the columns that `index` [r, v] names."""
    return torch.zeros(index.shape[1], *like.shape, device=like.device).scatter_(
        2, index.T[:, :, None], 1.0
    )
