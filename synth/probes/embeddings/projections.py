"""Vectors projected to the plane: PCA, t-SNE, UMAP; and how far classes are apart there.

Source: van der Maaten & Hinton 2008, "Visualizing data using t-SNE"; McInnes, Healy & Melville
2018, "UMAP". Departure: t-SNE and UMAP read the first 50 principal components, and beyond `MOST`
pictures are fitted to a sample; the others stand at the mean of their nearest of that.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import torch
from torch import Tensor

from synth.errors import InputError
from synth.errors import nearest as nearest_name
from synth.probes.embeddings.neighbours import nearest, same_class

NAMES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
COMPONENTS = 50  # principal components that t-SNE and UMAP read
MOST = 10_000  # pictures that they are fitted to, and that silhouettes are measured on
AROUND = 3  # mapped neighbours, at whose mean a picture beyond those stands
PERPLEXITY = 30.0
FEWEST = 5  # pictures; fewer have no neighbourhoods to preserve


def check_maps(names: list[str]) -> None:
    """Raises InputError for a map that there is not, or that needs a package."""
    for name in names:
        if name not in NAMES:
            hint = nearest_name(name, NAMES) or f" Write one of {', '.join(NAMES)}."
            raise InputError(f"maps={name}: no such map.{hint}")
        if name == "umap" and not has_umap():
            raise InputError("maps=umap: needs umap-learn; pip install synth[maps], or write tsne.")


def has_umap() -> bool:
    """Whether umap-learn is installed."""
    return importlib.util.find_spec("umap") is not None


def pca(vectors: Tensor, count: int, seed: int = 0) -> Tensor:
    """The first principal components, float32 [n, count]; zeros where there are fewer.

    Args:
        vectors: [n, d].
        count: of components.
        seed: of the randomised decomposition.
    """
    from sklearn.decomposition import PCA

    most = min(count, *vectors.shape)
    fitted = PCA(most, svd_solver="auto", random_state=seed).fit_transform(vectors.cpu().numpy())
    points = torch.zeros(len(vectors), count)
    points[:, :most] = torch.from_numpy(fitted).float()
    return points


def project(name: str, vectors: Tensor, seed: int = 0) -> Tensor:
    """Places in the plane, float32 [n, 2].

    Args:
        name: ``pca``, ``tsne``, ``umap``.
        vectors: [n, d].
        seed: of all draws.
    """
    components = pca(vectors, 2 if name == "pca" else COMPONENTS, seed)
    if name == "pca" or len(vectors) < FEWEST:
        return components[:, :2].contiguous()
    place = {"tsne": _tsne, "umap": _umap}[name]
    return _fitted_to_some(place, components, seed)


def _fitted_to_some(place: Callable[[Tensor, int], Tensor], vectors: Tensor, seed: int) -> Tensor:
    if len(vectors) <= MOST:
        return place(vectors, seed)
    draws = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(vectors), generator=draws)
    some, others = order[:MOST].sort().values, order[MOST:]
    points = torch.zeros(len(vectors), 2)
    points[some] = place(vectors[some], seed)
    around = nearest(vectors[others], vectors[some], AROUND).rows
    points[others] = points[some][around].mean(1)
    return points


def _tsne(vectors: Tensor, seed: int) -> Tensor:
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    fit = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
    return torch.from_numpy(fit.fit_transform(vectors.numpy())).float()


def _umap(vectors: Tensor, seed: int) -> Tensor:
    from umap import UMAP

    count = min(15, len(vectors) - 1)
    fit = UMAP(n_neighbors=count, random_state=seed, n_jobs=1)
    return torch.from_numpy(fit.fit_transform(vectors.numpy())).float()


def share_in_plane(points: Tensor, labels: Tensor, k: int, own: Tensor) -> Tensor:
    """The share of the k nearest on a map that are of the same class, [q]; `own` are the queries.

    Args:
        points: [n, 2].
        labels: int64 [n].
        k: neighbours.
        own: rows of the points that are looked at, int64 [q].
    """
    rows = nearest(points[own], points, k, own=own).rows
    return same_class(rows, labels[own], labels)


def silhouette(points: Tensor, labels: Tensor, seed: int = 0) -> float | None:
    """The mean silhouette of classes, -1 ... 1, of at most `MOST` of the points drawn at random.

    None where there are not two classes, or none has two pictures.
    """
    from sklearn.metrics import silhouette_score

    if len(points) > MOST:
        draws = torch.Generator().manual_seed(seed)
        rows = torch.randperm(len(points), generator=draws)[:MOST]
        points, labels = points[rows], labels[rows]
    if not 2 <= len(labels.unique()) < len(labels):
        return None
    return float(silhouette_score(points.cpu().numpy(), labels.numpy()))
