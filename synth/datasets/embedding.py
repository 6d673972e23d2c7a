"""Vectors of the pictures of a data set at a layer of a network, and their places on a map."""

from __future__ import annotations

import io
from collections.abc import Iterator

import torch
from torch import Tensor

from synth import data
from synth.core.hardware import check_results_fit
from synth.core.network import Network, over_places
from synth.datasets.survey import Survey
from synth.datasets.tables import Embedded
from synth.files import decoded
from synth.networks import reading
from synth.networks.style_layers import penultimate_layer
from synth.probes.embeddings.projections import check_maps, project
from synth.record import progress


class Embedding:
    """What `export` takes for ``embed=``.

    Args:
        network: that reads the pictures, scaled and cropped to its size.
        layer: its layer, averaged over places; the penultimate one where None.
        projection: ``tsne``, ``umap``, ``pca``.
        seed: of the map.

    Raises:
        InputError: no such layer or map.
    """

    def __init__(
        self,
        network: Network,
        layer: str | None = None,
        projection: str = "tsne",
        seed: int = 0,
    ) -> None:
        check_maps([projection])
        self.network = network
        self.layer = penultimate_layer(network) if layer is None else network.layer(layer)
        self.projection = projection
        self.seed = seed

    def __call__(self, survey: Survey) -> Embedded:
        """The vectors and places of all pictures, in their order.

        Raises:
            InputError: they do not fit into memory.
        """
        check_results_fit(
            4 * self.network.layers[self.layer][0] * len(survey),
            f"vectors of {len(survey):,} pictures",
            "export fewer runs at a time, or name a narrower layer",
        )
        vectors = reading.activations(
            self.network, self._batches(survey), [self.layer], reduce=over_places
        )[self.layer].cpu()
        points = project(self.projection, vectors, self.seed)
        return Embedded(vectors.numpy(), points.numpy())

    def _batches(self, survey: Survey) -> Iterator[Tensor]:
        batch: list[Tensor] = []
        with progress.Steps("reading pictures", len(survey)) as bar:
            for done, example in enumerate(survey.examples(), 1):
                with decoded(io.BytesIO(example.content), f"{example.id}.png") as image:
                    picture = data.Picture(example.id, data.rgb(image))
                batch.append(picture.at(self.network.size))
                if len(batch) == reading.BATCH or done == len(survey):
                    yield torch.stack(batch)
                    batch = []
                    bar.at(done, "")
