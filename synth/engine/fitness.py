"""The fitness module: scores and gradients of genomes, the one hot path that every search uses.

Decode, transform, read the network, score; in chunks, so that a population of any size fits the
memory budget. The gradient is taken inside each chunk, so that no graph outlives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from synth.core import (
    BoundObjective,
    Cotangents,
    Encoding,
    Evaluation,
    Genome,
    Images,
    PerRow,
    Problem,
    Readout,
    Rows,
    Transform,
)
from synth.core.network import Network

# bytes of activations of the rows of one depth, from which a pass of their own saves time; measured
# on a CPU (benchmarks/gradient/depth.py), estimated for a GPU, where small passes wait for launches
LEAST_CPU_PASS = 8 << 20
LEAST_GPU_PASS = 256 << 20
EXACT_WIDTH = 16  # rows of a padded chunk; convolutions differ in the last bits between batch sizes


@dataclass(frozen=True)
class ImageProblem(Problem):
    """Encoding, transform, network and objective as one function from genomes to scores.

    Args:
        network: the network that is read.
        encoding: decodes genomes to images.
        transform: random change of the images before the network reads them.
        objective: what is scored.
        monitor: the objective that stopping rules are about; may be `objective` itself.
        memory: bytes of activations in one chunk; it fixes the chunk size, so that equal budgets
            give equal bits.
        exact: whether every chunk is padded to `EXACT_WIDTH` rows: an item is then bit-equal alone
            and in any batch on a CPU, at the price of the padding.
        views: random transforms of each image, over which the scores are averaged (expectation over
            transformation, Athalye et al. 2018).
        precise: whether the network is read in float32 as it is, not in its copy for searches.
    """

    network: Network
    encoding: Encoding
    transform: Transform
    objective: BoundObjective
    monitor: BoundObjective
    memory: int = 1 << 30
    exact: bool = False
    views: int = 1
    precise: bool = False

    @property
    def stochastic(self) -> bool:
        return self.transform.stochastic or self.encoding.stochastic

    @cached_property
    def _decoder(self) -> Encoding:
        """The encoding as a search decodes it."""
        if self.precise:
            return self.encoding
        return self.encoding.fast(self.network.search_dtype)

    @property
    def precision(self) -> str:
        """What the network is read in: ``float32`` or ``bfloat16``."""
        return "float32" if self.precise else self.network.precision

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that objective and monitor read."""
        return tuple(dict.fromkeys(self.objective.layers + self.monitor.layers))

    @property
    def differentiable(self) -> bool:
        return self.encoding.differentiable

    @property
    def columns(self) -> int:
        return self.objective.columns

    @property
    def size(self) -> tuple[int, int] | None:
        return self.encoding.size

    def start(self, rows: Rows) -> Genome:
        return self.encoding.start(rows)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return self.encoding.project(genome, rows)

    def baseline(self, rows: Rows) -> Genome | None:
        return self.encoding.baseline(rows)

    def at(
        self,
        size: tuple[int, int] | None = None,
        transform: Transform | None = None,
        **parts: object,
    ) -> ImageProblem:
        """The same problem at another size, or with other fields.

        Args:
            size: height and width of the images.
            transform: another transform.
            parts: other fields by name.

        Raises:
            InputError: where the network cannot read the images.
        """
        if transform is not None:
            parts["transform"] = transform
        if size is not None:
            self.network.check_size(size, self.layers)
            objective = self.objective.at(size)
            monitor = objective if self.monitor is self.objective else self.monitor.at(size)
            sized = {"encoding": self.encoding.at(size), "objective": objective, "monitor": monitor}
            parts = sized | parts
        other = replace(self, **parts)
        if size is not None or transform is not None:
            other.check()
        return other

    def check(self) -> None:
        """Raises InputError where the network cannot read the transformed images."""
        assert self.encoding.size is not None
        device = self.network.device
        zero = torch.zeros(1, dtype=torch.int64, device=device)
        with torch.no_grad():
            blank = torch.zeros(1, 3, *self.encoding.size, device=device)
            images = self.transform(blank, Rows(zero, zero))
        self.network.check_size((images.shape[2], images.shape[3]), self.layers)

    def transfer(self, genome: Genome, to: Problem) -> Genome:
        assert isinstance(to, ImageProblem)
        with torch.no_grad():
            return self.encoding.transfer(genome, to.encoding)

    def images(self, genome: Genome, rows: Rows) -> Images:
        """The images that are saved of genomes, without gradient.

        Args:
            genome: [r, *shape].
            rows: [r].

        Returns:
            [r * k, 3, h, w], RGB in [0, 1]; k is 1 for most encodings.
        """
        with torch.no_grad():
            parts = [
                self.encoding.export(*self._select(genome, rows, index))
                for index in self._chunks(len(genome), self.encoding)
            ]
        if len(parts) == 1 and not self.exact:
            return parts[0]
        # without the images of the padding
        images, count = torch.cat(parts), len(genome)
        padded = -(-count // EXACT_WIDTH) * EXACT_WIDTH if self.exact else count
        return images[: len(images) * count // padded]

    def confirmed(self, genome: Genome, rows: Rows) -> PerRow:
        """Monitored values [r] of genomes, untransformed, after 8-bit quantisation of the images.

        Not quantised where the encoding's results need not survive it (`Encoding.eight_bit`).
        """
        values = []
        size = self.encoding.images_per_genome
        with torch.inference_mode():
            for index in self._chunks(len(genome), self.encoding):
                part, part_rows = self._select(genome, rows, index)
                images = self.encoding.decode(part, part_rows)
                if self.encoding.eight_bit:
                    images = (images * 255).round() / 255
                image_rows = self._image_rows(part_rows)
                readout = Readout(
                    self.network.read(images, self.monitor.layers),
                    images,
                    image_rows,
                    self.encoding.picture_index(part_rows),
                    size,
                )
                scores = own(total(self.monitor(readout)), image_rows)
                values.append(scores.unflatten(0, (-1, size)).mean(1))
        return _joined(values, len(genome)).clone()  # an ordinary tensor, outside of inference mode

    def evaluate(
        self, genome: Genome, rows: Rows, cotangents: Cotangents | None = None
    ) -> Evaluation:
        """Scores of genomes and, with `cotangents`, their vector-Jacobian products.

        Args:
            genome: [r, *shape].
            rows: [r].
            cotangents: maps scores [r, k] to vectors [v, r, k]: one forward and v backwards a row.
                It is called once a chunk, so it must treat rows independently.
        """
        parts = [
            self._evaluate_chunk(*self._select(genome, rows, index), cotangents)
            for index in self._chunks(len(genome), self._decoder)
        ]
        count = len(genome)
        images = self.encoding.images_per_genome * self.views
        gradients = [part.gradient for part in parts if part.gradient is not None]
        return Evaluation(
            scores=_joined([part.scores for part in parts], count),
            terms={
                name: _joined([part.terms[name] for part in parts], count)
                for name in parts[0].terms
            },
            monitor=_joined([part.monitor for part in parts], count),
            gradient=_joined(gradients, count, 1) if gradients else None,
            forwards=images,
            backwards=images * (len(gradients[0]) if gradients else 0),
        )

    def _evaluate_chunk(
        self, genome: Genome, rows: Rows, cotangents: Cotangents | None
    ) -> Evaluation:
        with torch.inference_mode() if cotangents is None else torch.enable_grad():
            if cotangents is not None:
                genome = genome.detach().requires_grad_()
            readouts, places = self._read(genome, rows)
            terms = _in_order([self.objective(readout) for readout in readouts], places)
            scores = self._mean(total(terms))
            gradient = None if cotangents is None else _gradient(scores, genome, cotangents)
            with torch.no_grad():
                monitored = scores
                if self.monitor is not self.objective:
                    values = [self.monitor(readout) for readout in readouts]
                    monitored = self._mean(total(_in_order(values, places)))
                monitor = own(monitored.detach(), rows)
                means = {name: self._mean(value.detach()) for name, value in terms.items()}
        # clones made outside of inference mode are ordinary tensors, which autograd may use
        return Evaluation(
            scores=scores.detach().clone(),
            terms={name: value.clone() for name, value in means.items()},
            monitor=monitor.clone(),
            gradient=gradient,
            forwards=0,
            backwards=0,
        )

    def _read(self, genome: Genome, rows: Rows) -> tuple[list[Readout], Tensor | None]:
        """Images of the genomes, each under `views` transforms, and the network's activations.

        Rows whose items need the same depth of the network are one readout.

        Returns:
            The readouts, and the place of each image in their concatenation; None where there is
            one readout.
        """
        images = self._decoder.decode(genome, rows)
        image_rows = self._image_rows(rows)
        picture_index = self.encoding.picture_index(rows)
        if self.views > 1:
            images = images.repeat_interleave(self.views, 0)
            image_rows = image_rows.split(self.views)
            picture_index = picture_index.repeat_interleave(self.views)
        parts = [self.transform(images, image_rows), images, picture_index]
        if not self._passes_by_depth(images):
            return [self._readout(self.layers, image_rows, *parts)], None
        layers, depth_of_item = self._depths
        depth = depth_of_item[image_rows.item]
        order = depth.argsort(stable=True)
        counts = depth.bincount(minlength=len(layers)).tolist()
        groups = zip(
            layers,
            map(image_rows.select, order.split(counts)),
            *(part.index_select(0, order).split(counts) for part in parts),
            strict=True,
        )
        return [self._readout(*group) for group in groups if len(group[1])], order.argsort()

    def _passes_by_depth(self, images: Images) -> bool:
        """Whether rows pass the network apart, each to the deepest layer of its own item."""
        depths = len(self._depths[0])
        if depths == 1 or self.exact:  # padding would cost more than depth
            return False
        size = (images.shape[2], images.shape[3])
        least = LEAST_CPU_PASS if images.device.type == "cpu" else LEAST_GPU_PASS
        return len(images) * self.network.bytes_per_image(size) >= least * depths

    def _readout(
        self,
        layers: Sequence[str],
        rows: Rows,
        transformed: Images,
        images: Images,
        picture_index: Tensor,
    ) -> Readout:
        activations = self.network.read(transformed, layers, fast=not self.precise)
        size = self.encoding.images_per_genome
        return Readout(activations, images, rows, picture_index, size, self.views)

    @cached_property
    def _depths(self) -> tuple[list[tuple[str, ...]], Tensor]:
        """The layers that items read, together for those whose deepest layer is the same.

        Returns:
            The layers at each depth, and the index of each item's depth, int64 [items].
        """
        place = list(self.network.layers).index
        bounds = (self.objective, self.monitor)
        items = range(max(1, *(len(bound.items or ()) for bound in bounds)))
        needs = [[name for bound in bounds for name in bound.layers_of(item)] for item in items]
        deepest = [max(map(place, names), default=-1) for names in needs]
        layers: dict[int, dict[str, None]] = {}
        for depth, names in zip(deepest, needs, strict=True):
            layers.setdefault(depth, {}).update(dict.fromkeys(names))
        index = [list(layers).index(depth) for depth in deepest]
        device = self.network.device
        return [tuple(names) for names in layers.values()], torch.tensor(index, device=device)

    def _image_rows(self, rows: Rows) -> Rows:
        """The rows of the decoded images."""
        size = self.encoding.images_per_genome
        return rows.split(size) if size > 1 else rows

    def _mean(self, scores: Tensor) -> Tensor:
        """Scores [r, k] of the genomes from those of their images and views."""
        size = self.encoding.images_per_genome * self.views
        return scores if size == 1 else scores.unflatten(0, (-1, size)).mean(1)

    def _select(
        self, tensor: Tensor, rows: Rows, index: slice | Tensor | None
    ) -> tuple[Tensor, Rows]:
        return (tensor, rows) if index is None else (tensor[index], rows.select(index))

    def _chunks(self, count: int, encoding: Encoding) -> Iterator[slice | Tensor | None]:
        """Which rows, decoded by `encoding`, go together; None for all at once."""
        if self.exact:
            for first in range(0, count, EXACT_WIDTH):
                yield torch.arange(first, first + EXACT_WIDTH).clamp_(max=count - 1)
            return
        assert encoding.size is not None
        network_bytes = self.network.bytes_per_image(encoding.size) * self.views
        image_bytes = network_bytes + encoding.bytes_per_image
        most = max(1, int(self.memory // (image_bytes * encoding.images_per_genome)))
        pieces = -(-count // most)
        if pieces == 1:
            yield None
            return
        length = -(-count // pieces)  # even pieces: no chunk of one row at the end
        for first in range(0, count, length):
            yield slice(first, min(first + length, count))


def _in_order(parts: Sequence[Mapping[str, Tensor]], places: Tensor | None) -> Mapping[str, Tensor]:
    """The terms of readouts as those of one, whose rows are at `places` in the concatenation."""
    if places is None:
        return parts[0]
    return {name: torch.cat([part[name] for part in parts])[places] for name in parts[0]}


def own(scores: Tensor, rows: Rows) -> Tensor:
    """The score of each row for its own item, [r], of `scores` [r, 1] or [r, items]."""
    return scores[:, 0] if scores.shape[1] == 1 else scores.gather(1, rows.item[:, None])[:, 0]


def total(terms: Mapping[str, Tensor]) -> Tensor:
    """The sum of an objective's weighted terms: [r, k]."""
    values = list(terms.values())
    assert values, "an objective gave no term"
    return sum(values[1:], start=values[0])


def _gradient(scores: Tensor, genome: Tensor, cotangents: Cotangents) -> Tensor:
    """Vector-Jacobian products of the scores by the genome, [v, r, *shape]."""
    vectors = cotangents(scores.detach())
    last = len(vectors) - 1
    products = [
        torch.autograd.grad(scores, genome, vector, retain_graph=i < last)[0]
        for i, vector in enumerate(vectors)
    ]
    return torch.stack(products) if last else products[0][None]


def _joined(tensors: list[Tensor], count: int, axis: int = 0) -> Tensor:
    """The chunks as one tensor, without what padding added beyond `count`."""
    tensor = tensors[0] if len(tensors) == 1 else torch.cat(tensors, axis)
    return tensor if tensor.shape[axis] == count else tensor.narrow(axis, 0, count)
