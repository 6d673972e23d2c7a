"""The abstract interfaces of the engine, and the records that its parts exchange.

    A search moves the genomes of an encoding so that the images they decode to
    score high on an objective, read from a network.

Images are RGB in [0, 1] everywhere; only a network normalises. Scores are per sample and never
reduced over the batch: each row is an independent optimisation problem.

Selection, crossover, mutation and survivor selection are in `synth.core.operators`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import SupportsFloat

import torch
from torch import Tensor

from synth.core.lineage import Ancestors
from synth.core.network import Network
from synth.core.part import Part
from synth.core.rows import Rows
from synth.core.types import Cotangents, Genome, Images, PerRow, Scores, State


class Encoding(Part):
    """How a genome represents an image: directly (pixels) or indirectly (a spectrum, code, graph).

    Attributes:
        differentiable: whether `decode` has a gradient with respect to the genome.
        scalable: whether a genome decodes to the same image at any resolution.
        stochastic: whether a genome decodes to other images when the rows' keys change.
        eight_bit: whether results must survive 8-bit quantisation; False where an image is finer
            than a file can be, as the smallest adversarial perturbation is.
        images_per_genome: how many images one genome decodes to.
        bytes_per_image: about how many bytes a decode and its gradient keep for one image.
        size: height and width of the images; None until `at` sets it.
        names: names of the images that it starts from; None where it serves any number of items.
    """

    differentiable: bool = True
    scalable: bool = False
    stochastic: bool = False
    eight_bit: bool = True
    images_per_genome: int = 1
    bytes_per_image: float = 0.0
    size: tuple[int, int] | None
    names: Sequence[str] | None = None

    @abstractmethod
    def start(self, rows: Rows) -> Genome:
        """The initial genome of each row, [r, *shape]."""

    @abstractmethod
    def decode(self, genome: Genome, rows: Rows) -> Images:
        """The images of the genomes, [r * images_per_genome, 3, h, w], RGB in [0, 1]."""

    @abstractmethod
    def project(self, genome: Genome, rows: Rows) -> Genome:
        """The nearest legal genome: in the box of pixels, the L-infinity ball, the L2 ball."""

    @abstractmethod
    def at(self, size: tuple[int, int]) -> Encoding:
        """This encoding at another resolution (height, width)."""

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        """`genome` of this encoding as a genome of `to`, the same encoding at another resolution.

        Only searches in stages of several resolutions (octaves) need it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} cannot transfer a genome to another resolution"
        )

    def bind(self, network: Network) -> Encoding:
        """This encoding with what it computes from `network` before a search; by default itself."""
        return self

    def fast(self, dtype: torch.dtype) -> Encoding:
        """This encoding as a search decodes it: the same images but for rounding, sooner.

        By default itself. The images that are saved are decoded without it.

        Args:
            dtype: in which a decoder that is a network may compute, float32 or bfloat16.
        """
        return self

    def picture_index(self, rows: Rows) -> Tensor:
        """Index of the source picture of each decoded image, int64 [r * images_per_genome].

        By default the item, for encodings that start each item from a picture of its own.
        """
        return rows.item.repeat_interleave(self.images_per_genome)

    def export(self, genome: Genome, rows: Rows) -> Images:
        """The images to save of each row, [r * k, 3, h, w]; by default those it decodes to."""
        return self.decode(genome, rows)

    def initial_images(self, rows: Rows) -> Images | None:
        """The image each row starts from, shown beside the result; None where it is of no interest.

        By default `originals`.
        """
        return self.originals(rows)

    def baseline(self, rows: Rows) -> Genome | None:
        """The genome of a blank image, [1 or r, *shape]: the point that decay shrinks genomes to.

        Optional: None by default, for encodings whose genomes have no such point. Those cannot be
        combined with what pulls a genome towards it: the regularisers of Yosinski et al. 2015
        (decay, clipping by norm or by contribution) refuse them with an InputError.
        """
        return None

    def originals(self, rows: Rows) -> Images | None:
        """The clean image of each row, where distances to it are of interest; else None.

        An attack perturbs a clean image; its norms are measured from here.
        """
        return None

    def to(self, device: torch.device) -> Encoding:
        """This encoding with its tensors on `device`."""
        return self


class Transform(Part):
    """A random change of the images before the network reads them, for robust results.

    The score is then an expectation over transformations (Athalye et al. 2018).

    Attributes:
        stochastic: whether it draws anything; False where it is deterministic.
    """

    stochastic: bool = True

    @abstractmethod
    def __call__(self, images: Images, rows: Rows) -> Images:
        """Changed images [n, 3, h', w'] of images [n, 3, h, w]; all draws come from `rows`."""


@dataclass(frozen=True)
class Target:
    """What an item is optimised for, as records name it.

    Args:
        name: a class (``goldfish``), a unit (``conv5:12``), or ``not goldfish``.
        index: index of the class in the network's outputs; None where the target is not a class.
        niche: what else the image has to be (``dark, symmetric``), where one class has several
            cells in a map of elites.
        untargeted: whether any class but `index` counts as success, as in an untargeted attack.
        seed_name: name that the item's random numbers are drawn from, where it is not `name`: so a
            name can be improved without changing the images of a seed.
    """

    name: str
    index: int | None = None
    niche: str = ""
    untargeted: bool = False
    seed_name: str = ""


class Readout:
    """What an objective reads: the network's activations on a batch, and the batch itself.

    The images of one genome are consecutive: `images_per_genome` images, each repeated `views`
    times under different draws of the transform.

    Args:
        activations: outputs of the objective's layers on the transformed images, by layer name;
            at least those that the rows' items need.
        images: the images before the transform, [n, 3, h, w]; image priors read these.
        rows: item and random key of each image.
        picture_index: index of the source picture of each image among the encoding's, int64 [n];
            the image's item by default.
        images_per_genome: how many images one genome decodes to.
        views: how many draws of the transform each image is read under.
    """

    def __init__(
        self,
        activations: Mapping[str, Tensor],
        images: Images,
        rows: Rows,
        picture_index: Tensor | None = None,
        images_per_genome: int = 1,
        views: int = 1,
    ) -> None:
        self.activations = activations
        self.images = images
        self.rows = rows
        self.picture_index: Tensor = rows.item if picture_index is None else picture_index
        self.images_per_genome = images_per_genome
        self.views = views


class BoundObjective(ABC):
    """An objective bound to a network: names of classes and layers resolved, targets computed.

    Attributes:
        layers: names of the layers it reads.
        columns: scores a row, k. With more than one, an image is scored for every item, and column
            i is the score for item i, as MAP-Elites needs it.
        alternatives: whether the columns are instead alternative targets of the row's own item, of
            which the nearest to reach will do (DeepFool, an untargeted attack).
        items: one target an item; None where it serves any number of items.
        terms: of a weighted sum, its bound terms and their weights by name; else empty.
        range: the lowest and the highest value that a score can have, (0, 1) of a probability.
    """

    layers: tuple[str, ...] = ()
    columns: int = 1
    alternatives: bool = False
    items: Sequence[Target] | None = None
    terms: Mapping[str, tuple[BoundObjective, float]] = MappingProxyType({})
    range: tuple[float, float] = (-math.inf, math.inf)

    @abstractmethod
    def __call__(self, readout: Readout) -> Mapping[str, Scores]:
        """Named terms, each [r, columns], higher is better, never reduced over rows."""

    def layers_of(self, item: int) -> tuple[str, ...]:
        """Those of `layers` that the rows of `item` need; by default all.

        Where items need different ones, a readout may lack those that none of its rows needs.
        """
        return self.layers

    def at(self, size: tuple[int, int]) -> BoundObjective:
        """This objective for images of `size` (height, width); by default itself.

        An objective that compares with a reference picture reads that picture at this size here.
        """
        return self

    def target(self, rows: Rows) -> list[Target | None]:
        """The target of each row; None where it has none."""
        items = self.items
        if items is None:
            return [None] * len(rows)
        return [items[item if len(items) > 1 else 0] for item in rows.item.tolist()]


class Objective(Part):
    """What a search maximises: names of classes and layers, and weights, before a network is known.

    Objectives add, subtract and multiply by numbers: ``ClassScore("lemon") - 0.1 * L2()`` is a
    `WeightedSum`, whose first term names the items.

    Attributes:
        weight: its factor where it is one term of a sum.
        needs_original: whether it is about a clean image, which the encoding has to start from.
    """

    weight: float = 1.0
    needs_original: bool = False

    @abstractmethod
    def bind(self, network: Network) -> BoundObjective:
        """This objective with its names resolved in `network`.

        Raises:
            InputError: the network has no such class or layer; the message names the nearest.
        """

    def __add__(self, other: Objective) -> Objective:
        from synth.core.weighted_sum import summed

        return summed(self, other)

    def __radd__(self, other: int) -> Objective:
        """``sum`` begins with 0."""
        return self if other == 0 else NotImplemented

    def __sub__(self, other: Objective) -> Objective:
        return self + (-1.0) * other

    def __mul__(self, factor: SupportsFloat) -> Objective:
        from synth.core.weighted_sum import scaled

        return scaled(self, float(factor))

    __rmul__ = __mul__

    def __truediv__(self, divisor: SupportsFloat) -> Objective:
        return self * (1.0 / float(divisor))

    def __neg__(self) -> Objective:
        return self * -1.0


@dataclass
class Evaluation:
    """Scores of r genomes, and what they cost.

    Args:
        scores: [r, k], higher is better.
        terms: the named parts [r, k] of the scores, which sum to them.
        monitor: the monitored number of each row, [r]: the target's confidence, for example.
        gradient: vector-Jacobian products of the scores with the given cotangents,
            [v, r, *shape]; None where none were given.
        forwards: images a row that passed forward through the network, so that a search can keep
            to a budget.
        backwards: images a row that passed backward.
    """

    scores: Scores
    terms: dict[str, Tensor]
    monitor: PerRow
    gradient: Tensor | None
    forwards: int
    backwards: int


class Problem(ABC):
    """The optimisation problem that a search solves: genomes in, scores and gradients out.

    `synth.engine.fitness.ImageProblem` is the one for images.
    """

    @property
    @abstractmethod
    def stochastic(self) -> bool:
        """Whether the same genome can score differently when it is evaluated again."""

    @property
    @abstractmethod
    def differentiable(self) -> bool:
        """Whether `evaluate` can give a gradient."""

    @property
    def columns(self) -> int:
        """Scores a row, k: 1, or one for each item or each alternative target."""
        return 1

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the images; None where genomes are not images of one size."""
        return None

    @abstractmethod
    def start(self, rows: Rows) -> Genome:
        """The encoding's initial genome of each row."""

    @abstractmethod
    def project(self, genome: Genome, rows: Rows) -> Genome:
        """The nearest legal genome."""

    @abstractmethod
    def baseline(self, rows: Rows) -> Genome | None:
        """The genome of a blank image, or None where the encoding has none."""

    @abstractmethod
    def at(
        self, *, size: tuple[int, int] | None = None, transform: Transform | None = None
    ) -> Problem:
        """This problem with images of another size or under another transform.

        Args:
            size: height and width; None leaves them as they are.
            transform: replaces the transform; None leaves it as it is.
        """

    def transfer(self, genome: Genome, to: Problem) -> Genome:
        """`genome` of this problem as a genome of `to`, the same problem at another size."""
        return genome

    @abstractmethod
    def evaluate(
        self, genome: Genome, rows: Rows, cotangents: Cotangents | None = None
    ) -> Evaluation:
        """Scores of the genomes, with gradients where `cotangents` is given.

        Args:
            genome: [r, *shape].
            rows: item and random key of each genome.
            cotangents: from the scores [r, k] to v covectors [v, r, k]; the gradient is then the
                vector-Jacobian product of each with the scores.
        """


@dataclass
class StepReport:
    """What one step of a search reports of each item: the genome *as evaluated*, and its scores.

    Args:
        genome: [n, *shape].
        score: [n].
        monitor: the monitored number of the genome, [n].
        forwards: forward passes that the step took, [n].
        backwards: backward passes that the step took, [n].
        terms: named parts of the score, each [n].
        statistics: statistics of the fitness over the population (mean, deviation), each [n];
            empty where the search has no population.
        births: parentage of the surviving offspring, int64 [b, 4]: item, child, parent and mate,
            -1 where there is none. A row without a child stands for an offspring that did not
            survive. None where the search has no offspring.
    """

    genome: Genome
    score: PerRow
    monitor: PerRow
    forwards: Tensor
    backwards: Tensor
    terms: dict[str, Tensor] = field(default_factory=dict)
    statistics: dict[str, Tensor] = field(default_factory=dict)
    births: Tensor | None = None


class Search(Part):
    """An optimiser of genomes: gradient ascent, an evolutionary algorithm, an attack.

    It never prints, saves or decides when to stop; `synth.engine.experiment.Experiment` does that
    for all searches.

    Attributes:
        steps: how many steps it is planned to take.
        gradient: whether it needs the gradient of the score with respect to the genome.
        shared_population: whether its items share a population, as the cells of MAP-Elites do;
            then no item is dropped before all are finished.
        alternatives: whether it reads several scores of an item, one for each alternative target.
        staged: whether it goes through stages, in which scores are those of images of another size
            or under another transform than the problem's.
        precise: whether it needs scores and gradients in float32: it compares small differences of
            them, as a line search does, or walks along a decision boundary.
        individuals: genomes that it keeps at once, of each item, or of all items together where
            they share a population; a run that has no memory for them is refused.
    """

    steps: int
    gradient: bool = False
    shared_population: bool = False
    alternatives: bool = False
    staged: bool = False
    precise: bool = False
    individuals: int = 1

    @abstractmethod
    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        """The state before step 0.

        Args:
            problem: what is to be solved.
            rows: one row an item, n.
            genome: initial genomes [n, *shape]; the encoding's by default.
        """

    @abstractmethod
    def passes(self, stochastic: bool, items: int = 1) -> int:
        """An upper bound of the passes through the network that a step takes for one item.

        A forward pass counts 1 and a backward pass 2, for one image a genome. A step that might
        exceed the budget is not started.

        Args:
            stochastic: whether the problem is.
            items: how many items there are; a search with a shared population divides its passes
                among them.
        """

    @abstractmethod
    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        """One step of every item: the next state, and the report.

        Args:
            problem: what is to be solved.
            rows: one row an item, n; rows of `state` are in the same order.
            state: what `init` or the last step returned.
            step: the number of the step, from 0.
        """

    def ancestors(self, state: State) -> Ancestors | None:
        """The line of descent of each item's genome; None where the search keeps none."""
        return None


def ones(scores: Tensor) -> Tensor:
    """Cotangents of plain ascent, [1, r, k] of scores [r, k]: the gradient of each row's sum."""
    return torch.ones_like(scores)[None]
