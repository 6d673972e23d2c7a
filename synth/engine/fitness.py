"""Takes genomes, gives scores and gradients: the one hot path that every search climbs through.

Decode, transform, read the network, score; chunk by chunk, so that a population of any size fits the memory
budget, and with the gradient taken inside, so that no graph outlives its chunk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

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

EXACT_WIDTH = 16  # rows of a padded chunk; convolutions differ in the last bits between batch sizes


@dataclass(frozen=True)
class ImageProblem(Problem):
    """Encoding, transform, network and objective as one function from genomes to scores.

    `memory` is the budget in bytes for one chunk's activations; it fixes the chunk size, so equal budgets
    give equal pictures. `exact` pads every chunk to one width: an item is then bit-equal alone and in any
    batch on a CPU, at the price of the padding. `views` is how often each picture is shown, each time under a
    transform of its own, before the scores are averaged (expectation over transformation: Athalye et al. 2018).
    """

    network: Network
    encoding: Encoding
    transform: Transform
    objective: BoundObjective
    monitor: BoundObjective
    memory: int = 1 << 30
    exact: bool = False
    views: int = 1

    @property
    def stochastic(self) -> bool:
        return self.transform.stochastic or self.encoding.stochastic

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that objective and watch read."""
        return tuple(dict.fromkeys(self.objective.layers + self.monitor.layers))

    @property
    def differentiable(self) -> bool:
        return self.encoding.differentiable

    @property
    def columns(self) -> int:
        return self.objective.columns

    def start(self, rows: Rows) -> Genome:
        return self.encoding.start(rows)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return self.encoding.project(genome, rows)

    def baseline(self, rows: Rows) -> Genome | None:
        return self.encoding.baseline(rows)

    def at(self, size: tuple[int, int] | None = None, **parts: Any) -> ImageProblem:
        """The same problem at another `size` (height, width), or with other fields exchanged by name."""
        if size is not None:
            self.network.check_size(size, self.layers)
            objective = self.objective.at(size)
            monitor = objective if self.monitor is self.objective else self.monitor.at(size)
            parts = {
                "encoding": self.encoding.at(size),
                "objective": objective,
                "monitor": monitor,
            } | parts
        other = replace(self, **parts)
        if size is not None or "transform" in parts:
            other.check()
        return other

    def check(self) -> None:
        """Raises InputError where the network cannot read what the transform makes of the encoding's pictures."""
        assert self.encoding.size is not None
        device = self.network.device
        nobody = torch.zeros(1, dtype=torch.int64, device=device)
        with torch.no_grad():
            seen = self.transform(
                torch.zeros(1, 3, *self.encoding.size, device=device), Rows(nobody, nobody)
            )
        self.network.check_size((seen.shape[2], seen.shape[3]), self.layers)

    def transfer(self, genome: Genome, to: Problem) -> Genome:
        assert isinstance(to, ImageProblem)
        with torch.no_grad():
            return self.encoding.transfer(genome, to.encoding)

    def images(self, genome: Genome, rows: Rows) -> Images:
        """The pictures that `genome` is kept as, without gradient: [r * k, 3, h, w], k = 1 for most encodings."""
        with torch.no_grad():
            parts = [
                self.encoding.export(*self._part(genome, rows, index))
                for index in self._chunks(len(genome))
            ]
            return parts[0] if len(parts) == 1 and not self.exact else self._cut(parts, len(genome))

    def confirmed(self, genome: Genome, rows: Rows) -> PerRow:
        """The watched number of `genome`, untransformed, in 8 bits where the encoding says that those count: [r]."""
        found = []
        with torch.inference_mode():
            for index in self._chunks(len(genome)):
                part, who = self._part(genome, rows, index)
                images = self.encoding.decode(part, who)
                if self.encoding.eight_bit:
                    images = (images * 255).round() / 255
                each, size = self._spread(who), self.encoding.images_per_genome
                activations = self.network.read(images, self.monitor.layers)
                readout = Readout(activations, images, each, self.encoding.picture_index(who), size)
                found.append(
                    own(total(self.monitor(readout)), each).unflatten(0, (-1, size)).mean(1)
                )
        return _joined(
            found, len(genome)
        ).clone()  # outside the mode, or it would be an inference tensor too

    def evaluate(
        self, genome: Genome, rows: Rows, cotangents: Cotangents | None = None
    ) -> Evaluation:
        """Scores of `genome` [r, *shape]; with `cotangents`, also the gradients of the pulled scores by it.

        `cotangents` maps scores [r, k] to covectors [v, r, k]: one forward and v backwards a row. It is called
        chunk by chunk, so it must treat rows alone.
        """
        parts = [
            self._chunk(*self._part(genome, rows, index), cotangents)
            for index in self._chunks(len(genome))
        ]
        count, size = len(genome), self.encoding.images_per_genome * self.views
        gradients = [part.gradient for part in parts if part.gradient is not None]
        return Evaluation(
            scores=_joined([part.scores for part in parts], count),
            terms={
                name: _joined([part.terms[name] for part in parts], count)
                for name in parts[0].terms
            },
            monitor=_joined([part.monitor for part in parts], count),
            gradient=_joined(gradients, count, 1) if gradients else None,
            forwards=size,
            backwards=size * (len(gradients[0]) if gradients else 0),
        )

    def _chunk(self, genome: Genome, rows: Rows, cotangents: Cotangents | None) -> Evaluation:
        with torch.inference_mode() if cotangents is None else torch.enable_grad():
            if cotangents is not None:
                genome = genome.detach().requires_grad_()
            images, who, source = (
                self.encoding.decode(genome, rows),
                self._spread(rows),
                self.encoding.picture_index(rows),
            )
            if self.views > 1:
                images, who = images.repeat_interleave(self.views, 0), who.split(self.views)
                source = source.repeat_interleave(self.views)
            activations = self.network.read(self.transform(images, who), self.layers)
            readout = Readout(
                activations, images, who, source, self.encoding.images_per_genome, self.views
            )
            terms = self.objective(readout)
            scores = self._mean(total(terms))
            gradient = None
            if cotangents is not None:
                covectors = cotangents(scores.detach())
                last = len(covectors) - 1
                pulled = [
                    torch.autograd.grad(scores, genome, covector, retain_graph=i < last)[0]
                    for i, covector in enumerate(covectors)
                ]
                gradient = torch.stack(pulled) if last else pulled[0][None]
            with torch.no_grad():
                monitored = (
                    scores
                    if self.monitor is self.objective
                    else self._mean(total(self.monitor(readout)))
                )
                monitor = own(monitored.detach(), rows)
                parts = {name: self._mean(value.detach()) for name, value in terms.items()}
        # inference tensors may not meet autograd later: a clone outside the mode is an ordinary tensor
        return Evaluation(
            scores.detach().clone(),
            {k: v.clone() for k, v in parts.items()},
            monitor.clone(),
            gradient,
            0,
            0,
        )

    def _spread(self, rows: Rows) -> Rows:
        size = self.encoding.images_per_genome
        return rows.split(size) if size > 1 else rows

    def _cut(self, parts: list[Images], count: int) -> Images:
        """Pictures of all chunks without those of the padding; some encodings keep several a row."""
        whole = torch.cat(parts)
        padded = -(-count // EXACT_WIDTH) * EXACT_WIDTH if self.exact else count
        return whole[: len(whole) * count // padded]

    def _mean(self, scores: Tensor) -> Tensor:
        size = self.encoding.images_per_genome * self.views
        return scores if size == 1 else scores.unflatten(0, (-1, size)).mean(1)

    def _part(
        self, tensor: Tensor, rows: Rows, index: slice | Tensor | None
    ) -> tuple[Tensor, Rows]:
        return (tensor, rows) if index is None else (tensor[index], rows.select(index))

    def _chunks(self, count: int) -> Iterator[slice | Tensor | None]:
        """Which rows go together; None for all at once."""
        if self.exact:
            for first in range(0, count, EXACT_WIDTH):
                yield torch.arange(first, first + EXACT_WIDTH).clamp_(max=count - 1)
            return
        assert self.encoding.size is not None
        height, width = self.encoding.size
        seen = self.network.bytes_per_pixel * height * width * self.views
        bytes_per_row = (seen + self.encoding.bytes_per_image) * self.encoding.images_per_genome
        most = max(1, int(self.memory // bytes_per_row))
        pieces = -(-count // most)
        if pieces == 1:
            yield None
            return
        length = -(-count // pieces)  # even pieces: no chunk of one at the end
        for first in range(0, count, length):
            yield slice(first, min(first + length, count))


def _joined(tensors: list[Tensor], count: int, axis: int = 0) -> Tensor:
    """The chunks as one tensor; what padding added beyond `count` is cut off."""
    whole = tensors[0] if len(tensors) == 1 else torch.cat(tensors, axis)
    return whole if whole.shape[axis] == count else whole.narrow(axis, 0, count)


def own(scores: Tensor, rows: Rows) -> Tensor:
    """What each row says of its own item, [r]: the only column of `scores` [r, k], or its item's."""
    return scores[:, 0] if scores.shape[1] == 1 else scores.gather(1, rows.item[:, None])[:, 0]


def total(terms: Any) -> Tensor:
    """The sum of an objective's weighted terms: [r, k]."""
    whole = None
    for value in terms.values():
        whole = value if whole is None else whole + value
    assert whole is not None, "an objective gave no term"
    return whole
