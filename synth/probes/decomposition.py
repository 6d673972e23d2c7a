"""Decompositions of a layer's activations into directions: PCA, NMF and k-means.

An activation is the vector of all channels at one place of one picture. PCA is exact: it needs no
more than the covariance of all of them. NMF and k-means, which go over their data many times, have
a uniform sample, and are scikit-learn's.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from synth.core import randomness
from synth.core.randomness import key_of
from synth.data.collection import Batch
from synth.errors import InputError
from synth.probes.probe import Tally
from synth.record.result import Json

MOST_NMF, MOST_KMEANS = 400, 300  # iterations
STARTS = 4  # of k-means, the best of which counts


@dataclass(frozen=True)
class Decomposition:
    """Directions that activations are made of, the most important first.

    Attributes:
        vectors: of length 1, float32 [k, channels].
        origin: from which projections are counted, float32 [channels]: the mean, or 0 for NMF.
        weights: of each, float32 [k], by `weight`.
        weight: what the weights are: ``explained_variance``, ``share``, ``cluster_share``.
        explained: the share that all together explain, of the variance, or of the squares for NMF.
        tensors: more of the method, by name.
        findings: more of the method, by name.
    """

    vectors: Tensor
    origin: Tensor
    weights: Tensor
    weight: str
    explained: float
    tensors: Mapping[str, Tensor]
    findings: Mapping[str, Json]


def vectors_of(activations: Tensor) -> Tensor:
    """Activations [n, c] or [n, c, h, w] as one vector a place, [n h w, c]."""
    return activations.flatten(2).mT.flatten(0, 1) if activations.ndim > 2 else activations


class Covariance(Tally):
    """Mean and covariance of all activations.

    Sums are of the differences from the first batch's mean, so that a large mean costs no digits.

    Args:
        layer: name of the layer.
        channels: how many it has.
        device: where they are added up.
    """

    def __init__(self, layer: str, channels: int, device: torch.device) -> None:
        self.layer = layer
        self.shift = torch.zeros(channels, device=device)
        self.total = torch.zeros(channels, device=device, dtype=torch.float64)
        self.products = torch.zeros(channels, channels, device=device, dtype=torch.float64)
        self.count = 0

    def add(self, batch: Batch, activations: Mapping[str, Tensor]) -> None:
        values = vectors_of(activations[self.layer])
        if not self.count:
            self.shift = values.mean(0)
        centred = values - self.shift
        self.count += len(values)
        self.total += centred.sum(0)
        self.products += centred.mT @ centred

    def state(self) -> dict[str, Tensor]:
        sums = {"shift": self.shift, "total": self.total, "products": self.products}
        return sums | {"count": torch.tensor(self.count)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.shift, self.total = state["shift"], state["total"]
        self.products = state["products"]
        self.count = int(state["count"])

    def pca(self, k: int) -> Decomposition:
        """The directions of largest variance.

        An eigenvector's sign is free: here its largest number is positive.

        Raises:
            InputError: not more than k activations, or all of them equal.
        """
        _check_count(self.count, k + 1, k, self.layer)
        offset = self.total / self.count
        covariance = self.products / self.count - offset[:, None] * offset
        _check_finite(covariance, self.layer)
        variances, vectors = torch.linalg.eigh(covariance.cpu() * (self.count / (self.count - 1)))
        variances, vectors = variances.flip(0).clamp(min=0), vectors.mT.flip(0)
        whole, mean = float(variances.sum()), (self.shift + offset).cpu()
        if whole <= 1e-12 * float(mean.square().sum()):  # no more than rounding
            raise InputError(f"layer={self.layer}: its activations are the same everywhere.")
        largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
        vectors = (vectors * largest.sign())[:k].float()
        return Decomposition(
            vectors,
            mean.float(),
            (variances[:k] / whole).float(),
            "explained_variance",
            float(variances[:k].sum()) / whole,
            {"variances": variances[:k].float()},
            {},
        )


class Sample(Tally):
    """A uniform sample of all activations, without replacement.

    Every place of every picture has a random key, and those with the lowest stay: the same ones in
    batches of any size, and in a pass that was resumed.

    Args:
        layer: name of the layer.
        channels: how many it has.
        names: of all pictures.
        size: how many activations.
        seed: of the keys.
        device: where it is.
    """

    def __init__(
        self,
        layer: str,
        channels: int,
        names: Sequence[str],
        size: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self.layer, self.size = layer, size
        keys = [key_of("activations", seed, place, name) for place, name in enumerate(names)]
        self.of_picture = torch.tensor(keys, device=device)
        self.keys = torch.zeros(0, dtype=torch.int64, device=device)
        self.values = torch.zeros(0, channels, device=device)
        self.count = 0

    def add(self, batch: Batch, activations: Mapping[str, Tensor]) -> None:
        values = vectors_of(activations[self.layer])
        each = len(values) // len(batch.places)
        own = self.of_picture[batch.places.to(values.device)].repeat_interleave(each)
        places = torch.arange(each, device=values.device).repeat(len(batch.places))
        keys = torch.cat([self.keys, randomness.fold_in(own, places)])
        self.keys, order = keys.topk(min(self.size, len(keys)), largest=False)
        self.values = torch.cat([self.values, values])[order]
        self.count += len(values)

    def state(self) -> dict[str, Tensor]:
        return {"keys": self.keys, "values": self.values, "count": torch.tensor(self.count)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.keys, self.values = state["keys"], state["values"]
        self.count = int(state["count"])

    def nmf(self, k: int, seed: int) -> Decomposition:
        """Directions without negative numbers whose sums the activations are (Lee & Seung 1999).

        Activations below 0 count as 0.

        Raises:
            InputError: fewer than k activations, or none above 0.
        """
        _check_count(self.count, k, k, self.layer)
        _check_finite(self.values, self.layer)
        from sklearn.decomposition import NMF  # takes a second to import
        from sklearn.exceptions import ConvergenceWarning

        negative = float((self.values < 0).float().mean())
        values = self.values.cpu().clamp(min=0).numpy()
        squares = float((values.astype("float64") ** 2).sum())
        if not squares:
            raise InputError(f"layer={self.layer}: none of its activations is above 0.")
        fit = NMF(k, init="nndsvda", max_iter=MOST_NMF, random_state=seed)
        with warnings.catch_warnings():  # how far it came is among the findings
            warnings.simplefilter("ignore", ConvergenceWarning)
            amounts = torch.from_numpy(fit.fit_transform(values)).double()
        parts = torch.from_numpy(fit.components_).double()
        lengths = parts.norm(dim=1)
        energy = (amounts * lengths).square().sum(0)
        order = energy.argsort(descending=True, stable=True)
        order = order[energy[order] > 0]
        lost = (torch.from_numpy(values).double() - amounts @ parts).square().sum()
        return Decomposition(
            (parts / lengths[:, None].clamp(min=1e-30))[order].float(),
            torch.zeros(values.shape[1]),
            (energy / energy.sum())[order].float(),
            "share",
            1 - float(lost) / squares,
            {},
            {
                "reconstruction_error": round((float(lost) / squares) ** 0.5, 4),
                "negative_share": round(negative, 4),
                "iterations": int(fit.n_iter_),
            },
        )

    def kmeans(self, k: int, seed: int) -> Decomposition:
        """The ways from the mean of all activations to the centres of k clusters.

        Raises:
            InputError: fewer than k different activations.
        """
        _check_count(self.count, k, k, self.layer)
        _check_finite(self.values, self.layer)
        from sklearn.cluster import KMeans  # takes a second to import
        from sklearn.exceptions import ConvergenceWarning

        values = self.values.cpu()
        fit = KMeans(k, n_init=STARTS, max_iter=MOST_KMEANS, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            try:
                fit.fit(values.numpy())
            except ConvergenceWarning as error:
                raise InputError(
                    f"k={k}: fewer different activations of {self.layer} in these pictures; write "
                    "a smaller k, or name more pictures."
                ) from error
        sizes = torch.bincount(torch.from_numpy(fit.labels_).long(), minlength=k)
        order = sizes.argsort(descending=True, stable=True)
        centres = torch.from_numpy(fit.cluster_centers_).float()[order]
        mean = values.mean(0)
        ways = centres - mean
        spread = float((values - mean).double().square().sum())
        return Decomposition(
            ways / ways.norm(dim=1, keepdim=True).clamp(min=1e-30),
            mean,
            sizes[order].float() / len(values),
            "cluster_share",
            1 - float(fit.inertia_) / spread,
            {"centres": centres},
            {"inertia": round(float(fit.inertia_) / len(values), 6)},
        )


def _check_count(count: int, least: int, k: int, layer: str) -> None:
    if count < least:
        most = k - (least - count)
        smaller = f"write k={most} or less, or " if most > 0 else ""
        raise InputError(
            f"k={k}: {count} activations of {layer} in these pictures; {smaller}name more pictures."
        )


def _check_finite(values: Tensor, layer: str) -> None:
    if not bool(values.isfinite().all()):
        raise InputError(f"layer={layer}: NaN or infinity among its activations.")
