"""Directions of a layer by PCA, NMF or k-means, and the pictures that project on them most."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from synth import data
from synth.core.layers import DIRECTION
from synth.core.network import Network
from synth.data.sheet import sized
from synth.errors import InputError, check_least, nearest
from synth.networks.style_layers import dream_layer
from synth.probes.attributions import colours
from synth.probes.decomposition import Covariance, Decomposition, Sample
from synth.probes.probe import Measurement, Probe
from synth.probes.strongest import Strongest
from synth.record.record import Record
from synth.record.result import Figure, Json

log = logging.getLogger(__name__)

METHODS = ("pca", "nmf", "kmeans")
TILE = 192  # pixels of a picture on a sheet
ROWS = 8  # directions on a sheet
WEIGHTS = {
    "explained_variance": "its share of the variance",
    "share": "its share of the sum",
    "cluster_share": "its cluster's share of all activations",
}


class Directions(Probe):
    """Decomposes the activations of a layer, and shows where its directions are strong.

    Tensors ``directions``: ``directions`` float32 [k, channels], of length 1, which ``directions=``
    of other recipes reads; ``origin`` [channels], from which projections are counted on the sheets;
    ``weights`` [k]; ``values`` [k, shown], ``pictures`` and ``maps`` [k, shown, h, w] of the
    strongest pictures.

    Source: Olah et al. 2018, "The building blocks of interpretability", for NMF of activations.

    Args:
        network: the network.
        images: a folder, glob or list of pictures.
        layer: of which they are; None for the network's `dream_layer`.
        method: ``pca``: directions of largest variance, exactly, over all pictures; ``nmf``: parts
            without negative numbers whose sums the activations are; ``kmeans``: from the mean to
            the centres of clusters.
        k: how many.
        sample: activations, drawn uniformly from all places of all pictures, on which NMF and
            k-means work.
        shown: pictures a direction on the sheets.
        seed: of that sample, and of the start of NMF and k-means.

    Raises:
        InputError: for pictures, a layer or a method that does not exist, or a number out of range.
    """

    needs_pictures = True

    def __init__(
        self,
        network: Network,
        images: data.Sources,
        layer: str | None = None,
        method: str = "pca",
        k: int = 8,
        sample: int = 20000,
        shown: int = 4,
        seed: int = 0,
    ) -> None:
        super().__init__(network, images, dream_layer(network) if layer is None else layer)
        (self.layer,) = self.layers
        if method not in METHODS:
            hint = nearest(method, METHODS) or f" Write one of {', '.join(METHODS)}."
            raise InputError(f"method={method}: no such method.{hint}")
        check_least(2 if method == "kmeans" else 1, k=k)
        check_least(k, sample=sample)
        check_least(1, shown=shown)
        shape = network.layers[self.layer]
        # refused before the pass is made
        network.with_directions(self.layer, torch.zeros(1, shape[0]))
        if method != "kmeans" and k > shape[0]:
            raise InputError(f"k={k}: {self.layer} has {shape[0]} channels; write so many or less.")
        self.method = method
        self.k = k
        self.sample = sample
        self.shown = min(shown, len(self.pictures))
        self.seed = seed

    def measure(self, record: Record) -> Measurement:
        parts, positions = self._decomposed(record)
        # from here on the directions are a layer of the network
        self.network = self.network.with_directions(self.layer, parts.vectors)
        strongest = Strongest(self.network, [DIRECTION], self.shown)
        self.scan(record, [DIRECTION], {"strongest": strongest}, "projections")
        top = strongest.tops[DIRECTION]
        values, pictures = top.values.cpu(), top.pictures.cpu()
        offsets = parts.vectors @ parts.origin
        maps = torch.stack([self._maps(own, j) for j, own in enumerate(pictures)])
        maps -= offsets.view(-1, 1, 1, 1)
        maps[pictures < 0] = 0.0
        figures = [
            self._sheet(record, number, parts, pictures, maps)
            for number in range(0, len(maps), ROWS)
        ]
        shown = {"values": values - offsets[:, None], "pictures": pictures, "maps": maps}
        made = {"directions": parts.vectors, "origin": parts.origin, "weights": parts.weights}
        record.tensors("directions", {**made, **shown, **parts.tensors})
        findings: dict[str, Json] = {
            "method": self.method,
            "layer": self.layer,
            "k": len(parts.vectors),
            "explained_share": round(parts.explained, 4),
            **parts.findings,
            "pictures": strongest.pictures,
            "duplicate_pictures": strongest.duplicates,
            "activations": positions,
        }
        if self.method != "pca":
            findings["sampled_activations"] = min(self.sample, positions)
        findings["directions"] = [self._about(parts, j, pictures) for j in range(len(maps))]
        return Measurement(findings, figures=figures)

    def _decomposed(self, record: Record) -> tuple[Decomposition, int]:
        """The directions, and how many activations there are."""
        network, channels = self.network, self.network.layers[self.layer][0]
        if self.method == "pca":
            covariance = Covariance(self.layer, channels, network.device)
            self.scan(record, [self.layer], {"covariance": covariance}, "activations")
            return covariance.pca(self.k), covariance.count
        names = self.pictures.names
        sample = Sample(self.layer, channels, names, self.sample, self.seed, network.device)
        self.scan(record, [self.layer], {"sample": sample}, "activations")
        if self.method == "kmeans":
            return sample.kmeans(self.k, self.seed), sample.count
        parts = sample.nmf(self.k, self.seed)
        negative = parts.findings["negative_share"]
        if negative:
            log.warning(
                "%s: %.1f %% of its values are below 0 and count as 0; %s",
                *(self.layer, 100 * float(str(negative)), self._behind()),
            )
        if len(parts.vectors) < self.k:
            log.warning("k=%d: %d parts are enough", self.k, len(parts.vectors))
        return parts, sample.count

    def _behind(self) -> str:
        """Where to find fewer negative values."""
        behind = self.network.rectified(self.layer)
        return "method=pca keeps them" if behind == self.layer else f"layer={behind} has fewer"

    def _maps(self, pictures: Tensor, direction: int) -> Tensor:
        """Projections [n, h, w] of pictures on a direction at every place."""
        images = torch.stack([self._image(place) for place in pictures.tolist()])
        with torch.inference_mode():
            read = self.network.read(images.to(self.network.device), [DIRECTION])[DIRECTION]
        maps = read[:, direction].cpu().clone()
        return maps if maps.ndim == 3 else maps[:, None, None]

    def _image(self, place: int) -> Tensor:
        """A picture as the network reads it; white where there is none."""
        size = self.network.size
        return self.pictures.picture(place).at(size) if place >= 0 else torch.ones(3, *size)

    def _sheet(
        self, record: Record, first: int, parts: Decomposition, pictures: Tensor, maps: Tensor
    ) -> Figure:
        """Some directions, a row each: pictures, and beside each where it projects."""
        size = self.network.size
        has_places = maps.shape[2:] != (1, 1)
        tiles = []
        last = min(first + ROWS, len(maps))
        for j in range(first, last):
            largest = float(maps[j].abs().max())
            for slot, place in enumerate(pictures[j].tolist()):
                image = self._image(place)
                value = f"{float(maps[j, slot].max()):.3g}" if place >= 0 else ""
                name = self.pictures.names[place] if place >= 0 else ""
                label = name if has_places else value
                if not slot:
                    weight = f"{100 * float(parts.weights[j]):.3g} %"
                    label = f"{DIRECTION}:{j}  {weight}" + ("" if has_places else f": {value}")
                tiles.append((_tile(image), label))
                if has_places:
                    fine = functional.interpolate(maps[j, slot][None, None], size, mode="bilinear")
                    shown = colours.tinted(image, fine[0, 0], largest) if place >= 0 else image
                    tiles.append((_tile(shown), value))
        beside = (
            "; beside each where it does: red along the direction, blue against it"
            if has_places
            else ""
        )
        caption = (
            f"{self.layer}, {self.method}: a direction a row with {WEIGHTS[parts.weight]}, and the "
            f"{self.shown} of {len(self.pictures)} pictures that project on it most{beside}."
        )
        across = self.shown * (1 + has_places)
        units = [f"{DIRECTION}:{j}" for j in range(first, last)]
        return self.save_sheet(record, first // ROWS, tiles, across, caption, units)

    def _about(self, parts: Decomposition, direction: int, pictures: Tensor) -> Mapping[str, Json]:
        """A direction's record in the table of the run."""
        place = int(pictures[direction, 0])
        return {
            "direction": direction,
            parts.weight: round(float(parts.weights[direction]), 4),
            "strongest_picture": self.pictures.names[place] if place >= 0 else None,
        }


def _tile(image: Tensor) -> Image.Image:
    return sized(data.to_image(image), TILE, TILE)
