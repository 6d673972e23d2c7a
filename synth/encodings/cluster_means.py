"""Takes the pictures of a class; gives spectra that start from its facets: the mean pictures of clusters of them.

A class is more than one picture: a green pepper and a heap of them, a cinema by day and by night. Source: Nguyen,
Yosinski & Clune, "Multifaceted Feature Visualization", 2016.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from synth import data
from synth.core import Encoding, Genome, Images, Rows
from synth.core.network import Network, over_places
from synth.data.sizes import Size, size_of
from synth.encodings.fourier import Fourier
from synth.errors import InputError

COMPONENTS = 50  # of the codes that are clustered, as in the paper
BATCH = 64
GLANCE = (16, 16)  # pixels at which pictures are compared before a network has looked


class ClusterMeans(Encoding):
    """A `Fourier` spectrum an item, which starts as the mean of the `nearest` pictures to the middle of a cluster.

    `images` (a folder, a glob, a list), of one class as a rule, are clustered into `facets` by k-means on the first 50
    principal components of what `layer` says of them, spatial layers averaged over places; null: ``fc7`` where the
    network has it, else its deepest spatial layer. The largest cluster comes first. Until a network is bound the
    pixels are clustered. Departures from the paper: no t-SNE between the components and k-means, a spectrum in place
    of pixels.
    """

    scalable = False

    def __init__(
        self,
        images: str | Sequence[str] | None,
        clusters: int = 4,
        layer: str | None = None,
        nearest: int = 15,
        size: Size = None,
    ) -> None:
        if images is None:
            raise InputError(
                "images: facets are found among the pictures of a class; write images=FOLDER."
            )
        if clusters < 1 or nearest < 1:
            raise InputError(
                f"encoding: clusters={clusters}, nearest={nearest}; write 1 or more of each."
            )
        self.pictures = data.pictures(images)
        if len(self.pictures) < clusters:
            raise InputError(
                f"encoding.clusters={clusters}: images= has {len(self.pictures)} pictures; name more, or fewer facets."
            )
        self.clusters, self.layer, self.nearest = clusters, layer, nearest
        self.size = size_of(size)
        self.spectrum = Fourier(self.size)
        self.codes: Tensor | None = None  # [pictures, units] on the CPU, once a network is bound

    def start(self, rows: Rows) -> Genome:
        return self.spectrum.genome_of(self.initial_images(rows))

    def decode(self, genome: Genome, rows: Rows) -> Images:
        return self.spectrum.decode(genome, rows)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome  # every spectrum is a picture

    def at(self, size: tuple[int, int]) -> ClusterMeans:
        return self._with(size=size, spectrum=self.spectrum.at(size))

    def to(self, device: torch.device) -> ClusterMeans:
        return self._with(spectrum=self.spectrum.to(device))

    def bind(self, network: Network) -> ClusterMeans:
        layer = _deep(network) if self.layer is None else network.layer(self.layer)
        codes = []
        with torch.inference_mode():
            for first in range(0, len(self.pictures), BATCH):
                images = torch.stack(
                    [picture.at(network.size) for picture in self.pictures[first : first + BATCH]]
                )
                codes.append(over_places(network.read(images.to(network.device), [layer])[layer]))
        return self._with(codes=torch.cat(codes).cpu())

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        assert isinstance(to, ClusterMeans)
        return self.spectrum.transfer(genome, to.spectrum)

    def baseline(self, rows: Rows) -> Genome:
        return self.spectrum.baseline(rows)

    def initial_images(self, rows: Rows) -> Images:
        return self.starts[rows.item % self.clusters]

    @property
    def items(self) -> list[str]:  # type: ignore[override]
        return [
            f"facet {i + 1} ({len(cluster)} pictures)" for i, cluster in enumerate(self.clusters)
        ]

    @cached_property
    def clusters(self) -> list[list[int]]:
        """The pictures of each facet, the largest first, and in each those nearest to its middle."""
        from sklearn.cluster import KMeans  # takes a second to import
        from sklearn.decomposition import PCA

        codes = self.codes
        if codes is None:
            codes = torch.stack([picture.at(GLANCE) for picture in self.pictures]).flatten(1)
        values = codes.double().numpy()
        values = PCA(min(COMPONENTS, *values.shape), svd_solver="full").fit_transform(values)
        found = KMeans(self.clusters, n_init=10, random_state=0).fit(values)
        away = np.linalg.norm(values - found.cluster_centers_[found.labels_], axis=1)
        order = np.argsort(away, kind="stable")
        clusters = [
            [int(i) for i in order if found.labels_[i] == facet] for facet in range(self.clusters)
        ]
        return sorted(clusters, key=len, reverse=True)

    @cached_property
    def starts(self) -> Images:
        """The mean picture of each facet at the size: [facets, 3, h, w]."""
        size = self.size or GLANCE
        means = [
            torch.stack([self.pictures[i].at(size) for i in cluster[: self.nearest]]).mean(0)
            for cluster in self.clusters
        ]
        return torch.stack(means).to(self.spectrum.colour.device)

    def _with(self, **changed: Any) -> ClusterMeans:
        """This encoding with other attributes; what followed from the old ones is found anew when it is asked for."""
        other = copy.copy(self)
        other.__dict__.pop("starts", None)
        if "codes" in changed:
            other.__dict__.pop("clusters", None)
        other.__dict__.update(changed)
        return other


def _deep(network: Any) -> str:
    """``fc7``, or the deepest layer that has more than one place."""
    if "fc7" in network.layers:
        return "fc7"
    spatial = [name for name, shape in network.layers.items() if len(shape) == 3 and shape[1] > 1]
    return spatial[-1] if spatial else list(network.layers)[-1]
