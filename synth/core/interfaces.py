"""The nouns of the engine, nothing else: what a part takes, what it gives, and who may ask it.

    A search moves the genomes of an encoding so that the images they decode to
    score high on an objective, read from a network.

Images are RGB in [0, 1] everywhere; only a network normalises. Tensors keep their rows: nothing here is
ever averaged over the batch, because rows are different people's pictures.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from synth.core.lineage import Ancestors
from synth.core.rows import Rows as Rows

# Shapes are checked as calls happen, a few microseconds each. That is worth it where a wrong one would pass in
# silence, at pictures; inside the hot path the others are told in words.
Images = Float[Tensor, "n 3 h w"]  # RGB in [0, 1]
Genome = (
    Tensor  # [r, *shape], one row an individual: pixels, spectrum, perturbation, latent code, graph
)
Scores = Tensor  # [r, k], higher is better
PerRow = Tensor  # [r] or, where a row is an item, [n]
State = dict[str, Tensor]  # a search's whole memory; tensors only, axis 0 = item
Cotangents = Callable[[Tensor], Tensor]  # scores [r, k] -> covectors [v, r, k]


class Encoding(ABC):
    """How a genome stands for a picture: direct (pixels) or indirect (a spectrum, a code, a graph)."""

    differentiable: bool = True
    scalable: bool = False  # whether a genome means the same picture at any size
    stochastic: bool = False  # whether a genome shows other pictures whenever the rows' keys change
    eight_bit: bool = True  # whether what it finds is to hold in 8 bits: False where it is finer than a file can be
    images_per_genome: int = 1
    bytes_per_image: float = (
        0.0  # about what a decode and its gradient keep in memory for one picture
    )
    size: tuple[int, int] | None  # height, width of the pictures; None until `at` sets it
    names: Sequence[str] | None = (
        None  # names of the pictures it starts from; None where it serves any number
    )

    @abstractmethod
    def start(self, rows: Rows) -> Genome:
        """The first genome of each row, [r, *shape]."""

    @abstractmethod
    def decode(self, genome: Genome, rows: Rows) -> Images:
        """The pictures of the genomes, [r * images_per_genome, 3, h, w], RGB in [0, 1]."""

    @abstractmethod
    def project(self, genome: Genome, rows: Rows) -> Genome:
        """The nearest legal genome: inside the box, the L-infinity ball, the L2 ball."""

    @abstractmethod
    def at(self, size: tuple[int, int]) -> Encoding:
        """The same idea at another resolution (height, width)."""

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        """`genome` of this encoding as a genome of `to`, the same encoding at another resolution."""
        raise NotImplementedError(
            f"{type(self).__name__} cannot carry a genome to another resolution"
        )

    def bind(self, network: Any) -> Encoding:
        """This encoding with what it has to learn from `network` first; by default nothing, and itself."""
        return self

    def picture_index(self, rows: Rows) -> Tensor:
        """Which of its pictures each image that the rows decode to was made from: int64 [r * images_per_genome]."""
        return rows.item.repeat_interleave(self.images_per_genome)

    def export(self, genome: Genome, rows: Rows) -> Images:
        """The pictures that are kept of each row, [r * k, 3, h, w]: those it decodes to, as a rule."""
        return self.decode(genome, rows)

    def initial_images(self, rows: Rows) -> Images | None:
        """The picture each row set out from, where it is worth a look; the original, as a rule."""
        return self.originals(rows)

    def baseline(self, rows: Rows) -> Genome | None:
        """The genome that means "nothing there", towards which decay and clipping pull; None if there is none."""
        return None

    def originals(self, rows: Rows) -> Images | None:
        """The picture each row set out from, where distances to it have a meaning; else None."""
        return None

    def to(self, device: torch.device) -> Encoding:
        """This encoding with its tensors on `device`."""
        return self


class Transform(ABC):
    """A random change of the pictures before the network sees them; what survives it is robust."""

    stochastic: bool = True

    @abstractmethod
    def __call__(self, images: Images, rows: Rows) -> Images:
        """Changed pictures, [n, 3, h', w'], from pictures [n, 3, h, w]; draws come from `rows` alone."""


@dataclass(frozen=True)
class Target:
    """What a row is after, in words: `name` (a class, ``conv5:12``) and the class index where there is one.

    `niche` says what else the picture has to be (``dark, symmetric``), where one class has several places. `away`
    turns it round: any class but that one is meant, and `name` says so (``not goldfish``).
    """

    name: str
    index: int | None = None
    niche: str = ""
    untargeted: bool = False


@dataclass(frozen=True)
class Readout:
    """One look of the network at a batch.

    `activations` maps layer names to their outputs on the transformed pictures, `images` [n, 3, h, w] are the
    pictures before the transform (priors read those), `rows` says who each picture is. `source` [n] is which of
    the encoding's pictures each was made from, what its item is where nothing else is said. The images of one genome
    stand in a run: `facets` pictures, each `views` times under different draws of the transform.
    """

    activations: Mapping[str, Tensor]
    images: Images
    rows: Rows
    picture_index: Tensor | None = None
    images_per_genome: int = 1
    views: int = 1

    def __post_init__(self) -> None:
        if self.picture_index is None:
            object.__setattr__(self, "picture_index", self.rows.item)


class BoundObjective(ABC):
    """An objective bound to a network: class names and layers resolved, targets computed."""

    layers: tuple[str, ...] = ()
    columns: int = (
        1  # more than one: a picture is scored for every item, and column i is item i's ...
    )
    alternatives: bool = False  # ... unless they are an item's own: ways for it to get there, the nearest of which will do
    items: Sequence[Target] | None = (
        None  # one target an item; None where it serves any number of items
    )

    @abstractmethod
    def __call__(self, readout: Readout) -> Mapping[str, Scores]:
        """Named terms, each [r, columns], higher is better, never reduced over rows."""

    def at(self, size: tuple[int, int]) -> BoundObjective:
        """This objective for pictures of `size` (height, width); by default itself, which knows no size.

        An objective that compares with another picture looks at that picture here, at this size.
        """
        return self

    def target(self, rows: Rows) -> list[Target | None]:
        """What each row is after."""
        items = self.items
        if items is None:
            return [None] * len(rows)
        return [items[i if len(items) > 1 else 0] for i in rows.item.tolist()]


class Objective(ABC):
    """What a search climbs. Unbound: names of classes, layers and weights, no network yet.

    `weight` is its share where it is one term of a sum.
    """

    weight: float = 1.0
    needs_original: bool = (
        False  # whether it speaks of a picture that the encoding has to set out from
    )

    @abstractmethod
    def bind(self, network: Any) -> BoundObjective:
        """Resolve names against `network`; raises InputError with the nearest names for what it lacks."""


@dataclass
class Evaluation:
    """What the fitness module found for r rows.

    `scores` [r, k]; `terms` their named parts [r, k], which sum to them; `monitor` [r], the watched number (a
    confidence, say); `gradient` [v, r, *shape] of the pulled scores by the genome, or None; `forwards` and
    `backwards`, pictures passed through the network a row, so that budgets can be kept a row.
    """

    scores: Scores
    terms: dict[str, Tensor]
    monitor: PerRow
    gradient: Tensor | None
    forwards: int
    backwards: int


class Problem(ABC):
    """What a search sees of the world. `ImageProblem` is the one for pictures."""

    @property
    @abstractmethod
    def stochastic(self) -> bool:
        """Whether the same genome can score differently twice."""

    @property
    @abstractmethod
    def differentiable(self) -> bool:
        """Whether `evaluate` can give a gradient."""

    @property
    def columns(self) -> int:
        """How many scores a row gets: 1, or one for each item."""
        return 1

    @abstractmethod
    def start(self, rows: Rows) -> Genome:
        """The encoding's first genome of each row."""

    @abstractmethod
    def project(self, genome: Genome, rows: Rows) -> Genome:
        """The nearest legal genome."""

    @abstractmethod
    def baseline(self, rows: Rows) -> Genome | None:
        """The genome that means "nothing there", or None."""

    @abstractmethod
    def at(self, **parts: Any) -> Problem:
        """The same problem with a part exchanged: another size, transform, weight."""

    def transfer(self, genome: Genome, to: Problem) -> Genome:
        """`genome` of this problem as a genome of `to`, the same problem at another size."""
        return genome

    @abstractmethod
    def evaluate(
        self, genome: Genome, rows: Rows, cotangents: Cotangents | None = None
    ) -> Evaluation:
        """Scores of the genomes, with gradients of the pulled scores where `cotangents` is given."""


@dataclass
class StepReport:
    """What one step of a search says of each item: the genome *as evaluated*, and what was found for it.

    `score` and `monitor` [n]; `terms` named parts [n]; `forwards` and `backwards` [n], passes this step spent;
    `statistics`, numbers of a whole population [n] (mean, deviation), where the search has one; `births`, who came
    of whom: int64 [b, 4] of item, child, parent and mate (-1: none), only of those that live.
    """

    genome: Genome
    score: PerRow
    monitor: PerRow
    forwards: Tensor
    backwards: Tensor
    terms: dict[str, Tensor] = field(default_factory=dict)
    statistics: dict[str, Tensor] = field(default_factory=dict)
    births: Tensor | None = None


class Search(ABC):
    """Moves genomes. It never prints, saves or decides when to stop: `Experiment` does, once, for all."""

    steps: int  # how many steps it is meant to take
    gradient: bool = False  # whether it needs the gradient of the score by the genome
    shared_population: bool = (
        False  # whether its items live from one another: then all go on until all are done
    )
    alternatives: bool = False  # whether it reads several scores of an item

    @abstractmethod
    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        """The state before step 0, from the encoding's start or from a given genome [n, *shape]."""

    @abstractmethod
    def passes(self, stochastic: bool, items: int = 1) -> int:
        """The most network passes that a step takes of an item with one picture a genome: a forward 1, a backward 2.

        `stochastic` is the problem's, `items` how many there are (a coupled search shares its passes among them).
        A budget is kept by it: a step that might break one is not begun.
        """

    @abstractmethod
    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        """One step of every item in `rows`; `state` rows are in the order of `rows`."""

    def ancestors(self, state: State) -> Ancestors | None:
        """Where each item's genome comes from, where the search remembers it."""
        return None


def ones(scores: Tensor) -> Tensor:
    """The pull of plain ascent: every row climbs its own summed score. [1, r, k] from [r, k]."""
    return torch.ones_like(scores)[None]
