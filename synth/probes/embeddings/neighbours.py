"""Nearest neighbours among many vectors, a block of distances at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 1 << 24  # numbers in a tensor at most: 64 MiB
ROWS = 1024  # queries at a time
MORE = 4  # candidates beyond k whose distances are computed anew, without cancellation
NORMAL = 1.96  # standard deviations of a 95 % interval


@dataclass(frozen=True)
class Neighbours:
    """The nearest neighbours of some vectors, nearest first.

    Attributes:
        rows: of the neighbours, int64 [q, k].
        distances: float32 [q, k].
    """

    rows: Tensor
    distances: Tensor


def nearest(
    queries: Tensor,
    base: Tensor,
    k: int,
    metric: str = "l2",
    own: Tensor | None = None,
    device: torch.device | str = "cpu",
) -> Neighbours:
    """The k nearest of `base` to each of `queries`.

    No tensor that is made on the way has more than `BLOCK` numbers, however many vectors there are.

    Args:
        queries: [q, d], of any type of number, on any device.
        base: [n, d].
        k: at most n, or n - 1 where queries are of the base themselves.
        metric: ``l2``, the Euclidean distance, or ``cosine``, one minus the cosine of the angle.
        own: int64 [q], each query's own row of the base, which is no neighbour of it.
        device: where it is computed.

    Returns:
        Neighbours on the CPU. Where more vectors than k are equally near, some of them.
    """
    count, width = base.shape
    step = max(1, min(count, BLOCK // max(width, ROWS)))
    centre = torch.zeros(width, dtype=torch.float64, device=device)
    for _, part in _blocks(base, step, metric, device):
        centre += part.sum(0, dtype=torch.float64)
    centre = (centre / count).float()
    most = min(k + MORE, count)
    rows, distances = [], []
    for start in range(0, len(queries), ROWS):
        part = _prepared(queries[start : start + ROWS], metric, device) - centre
        selves = None if own is None else own[start : start + ROWS].to(device)
        best = _candidates(part, base, most, step, metric, centre, selves)
        exact = torch.stack(
            [
                (_prepared(base[column.to(base.device)], metric, device) - centre - part).norm(
                    dim=1
                )
                for column in best.T
            ],
            1,
        )
        if selves is not None:
            exact = exact.masked_fill(best == selves[:, None], torch.inf)
        exact, order = exact.sort(dim=1, stable=True)
        rows.append(best.gather(1, order)[:, :k].cpu())
        distances.append(exact[:, :k].cpu())
    values = torch.cat(distances)
    # of vectors of length 1 the squared distance is twice one minus the cosine
    return Neighbours(torch.cat(rows), values.square() / 2 if metric == "cosine" else values)


def _candidates(
    queries: Tensor,
    base: Tensor,
    count: int,
    step: int,
    metric: str,
    centre: Tensor,
    own: Tensor | None,
) -> Tensor:
    """Rows of the `count` nearest to each query [q, count], ascending."""
    rows = queries.new_zeros(len(queries), 0, dtype=torch.int64)
    values = queries.new_zeros(len(queries), 0)
    for start, part in _blocks(base, step, metric, queries.device):
        part = part - centre
        # |x - y|^2 without |x|^2, which is the same for all y
        squares = torch.addmm(part.square().sum(1)[None], queries, part.T, alpha=-2)
        places = torch.arange(start, start + len(part), device=queries.device)
        if own is not None:
            squares.masked_fill_(places == own[:, None], torch.inf)
        least, columns = squares.topk(min(count, len(part)), 1, largest=False)
        values, order = torch.cat([values, least], 1).topk(
            min(count, rows.shape[1] + least.shape[1]), 1, largest=False
        )
        rows = torch.cat([rows, places[columns]], 1).gather(1, order)
    return rows.sort(1).values


def _blocks(
    base: Tensor, step: int, metric: str, device: torch.device | str
) -> Iterator[tuple[int, Tensor]]:
    for start in range(0, len(base), step):
        yield start, _prepared(base[start : start + step], metric, device)


def _prepared(vectors: Tensor, metric: str, device: torch.device | str) -> Tensor:
    values = vectors.to(device).float()
    if metric == "cosine":
        values = values / values.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return values


def same_class(rows: Tensor, own: Tensor, labels: Tensor) -> Tensor:
    """The share of each query's neighbours that are of its class, float32 [q].

    Args:
        rows: of the neighbours, [q, k].
        own: labels of the queries, int64 [q].
        labels: of the base, int64 [n].
    """
    return (labels[rows] == own[:, None]).float().mean(1)


def mean_interval(values: Tensor) -> tuple[float, float, float]:
    """The mean of `values` [n] and its 95 % interval, by the normal approximation."""
    mean = float(values.mean())
    error = NORMAL * float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return mean, max(mean - error, 0.0), min(mean + error, 1.0)


def chance(labels: Tensor) -> float:
    """The share of pictures of the same class among all others, by mean over the pictures."""
    counts = labels.bincount().float()
    return float((counts * (counts - 1)).sum() / (len(labels) * (len(labels) - 1)))
