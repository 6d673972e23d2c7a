"""Fourier spectra that start from cluster means: the mean images of clusters of a class's images.

Images of one class differ in kind: a single green pepper and a heap of them, a cinema by day and
by night. Nguyen, Yosinski & Clune, "Multifaceted Feature Visualization", 2016, call these the
facets of a class and start an ascent from each.
"""

from __future__ import annotations

import copy
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from synth import data
from synth.core import Encoding, Genome, Images, Rows
from synth.core.network import Network, over_places
from synth.data.sizes import Size, size_of
from synth.encodings.fourier import Fourier
from synth.errors import InputError
from synth.networks import reading
from synth.networks.style_layers import hidden_linear_layers

COMPONENTS = 50  # principal components of the activations that are clustered, as in the paper
THUMBNAIL = (16, 16)  # size at which pixels are clustered before a network is bound


class ClusterMeans(Encoding):
    """A `Fourier` spectrum per item, which starts as the mean of the images nearest to a centroid.

    The images are clustered by k-means on the first 50 principal components of a layer's
    activations, those of spatial layers averaged over positions. The largest cluster comes first;
    item i starts from cluster i, modulo their number. Until a network is bound, pixels are
    clustered. Departures from the paper: no t-SNE between the principal components and k-means, and
    a spectrum in place of pixels.

    Args:
        images: a folder, a glob or a list of images, of one class as a rule; at least `clusters`.
        clusters: number of clusters, 1 or more.
        layer: the layer whose activations are clustered; where None the last fully connected one
            before the scores (fc7 of AlexNet), if there is one, else the deepest spatial layer.
        nearest: how many images nearest to a centroid are averaged, 1 or more.
        size: height and width; those that the network reads where None.

    Raises:
        InputError: for no images, fewer images than clusters, a number below 1, or (from `bind`) a
            layer that the network lacks.
    """

    scalable = False

    def __init__(
        self,
        images: data.Sources | None,
        clusters: int = 4,
        layer: str | None = None,
        nearest: int = 15,
        size: Size = None,
    ) -> None:
        if images is None:
            raise InputError(
                "images: clusters are found among the pictures of a class; write images=FOLDER."
            )
        if clusters < 1 or nearest < 1:
            raise InputError(
                f"encoding: clusters={clusters}, nearest={nearest}; write 1 or more of each."
            )
        self.pictures = data.pictures(images)
        if len(self.pictures) < clusters:
            raise InputError(
                f"encoding.clusters={clusters}: images= has {len(self.pictures)} pictures; "
                "name more, or fewer clusters."
            )
        self.count = clusters
        self.layer = layer
        self.nearest = nearest
        self.size = size_of(size)
        self.spectrum = Fourier(self.size)
        self.activations: Tensor | None = None  # [images, units] on the CPU, set by `bind`

    def start(self, rows: Rows) -> Genome:
        return self.spectrum.genome_of(self.initial_images(rows))

    def decode(self, genome: Genome, rows: Rows) -> Images:
        return self.spectrum.decode(genome, rows)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome  # every spectrum is an image

    def at(self, size: tuple[int, int]) -> ClusterMeans:
        return self._with(size=size, spectrum=self.spectrum.at(size))

    def to(self, device: torch.device) -> ClusterMeans:
        return self._with(spectrum=self.spectrum.to(device))

    def bind(self, network: Network) -> ClusterMeans:
        layer = _deepest_layer(network) if self.layer is None else network.layer(self.layer)
        values = reading.activations(network, self.pictures, [layer], reduce=over_places)[layer]
        return self._with(activations=values.cpu())

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        assert isinstance(to, ClusterMeans)
        return self.spectrum.transfer(genome, to.spectrum)

    def baseline(self, rows: Rows) -> Genome:
        return self.spectrum.baseline(rows)

    def initial_images(self, rows: Rows) -> Images:
        return self.means[rows.item % self.count]

    @property
    def names(self) -> list[str]:  # type: ignore[override]
        # an item's random numbers are keyed by its name: another word here would change every run
        return [
            f"facet {i + 1} ({len(cluster)} pictures)" for i, cluster in enumerate(self.clusters)
        ]

    @cached_property
    def clusters(self) -> list[list[int]]:
        """Indices of each cluster's images, nearest to the centroid first; the largest first."""
        from sklearn.cluster import KMeans  # takes a second to import
        from sklearn.decomposition import PCA

        activations = self.activations
        if activations is None:
            thumbnails = [picture.at(THUMBNAIL) for picture in self.pictures]
            activations = torch.stack(thumbnails).flatten(1)
        values = activations.double().numpy()
        values = PCA(min(COMPONENTS, *values.shape), svd_solver="full").fit_transform(values)
        fit = KMeans(self.count, n_init=10, random_state=0).fit(values)
        distances = np.linalg.norm(values - fit.cluster_centers_[fit.labels_], axis=1)
        order = np.argsort(distances, kind="stable")
        clusters = [
            [int(i) for i in order if fit.labels_[i] == label] for label in range(self.count)
        ]
        return sorted(clusters, key=len, reverse=True)

    @cached_property
    def means(self) -> Images:
        """The mean image of each cluster at the size of the encoding: [clusters, 3, h, w]."""
        size = self.size or THUMBNAIL
        means = [
            torch.stack([self.pictures[i].at(size) for i in cluster[: self.nearest]]).mean(0)
            for cluster in self.clusters
        ]
        return torch.stack(means).to(self.spectrum.colour.device)

    def _with(self, **changes: object) -> ClusterMeans:
        """A copy with other attributes; cached results that depend on them are dropped."""
        other = copy.copy(self)
        other.__dict__.pop("means", None)
        if "activations" in changes:
            other.__dict__.pop("clusters", None)
        other.__dict__.update(changes)
        return other


def _deepest_layer(network: Network) -> str:
    """The last hidden fully connected layer, or the deepest that has more than one position."""
    hidden = hidden_linear_layers(network)
    if hidden:
        return hidden[-1]
    spatial = [name for name, shape in network.layers.items() if len(shape) == 3 and shape[1] > 1]
    return spatial[-1] if spatial else list(network.layers)[-1]
