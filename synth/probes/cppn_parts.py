"""A CPPN that evolved beside one that gradient ascent trained: do they come apart into parts?

Kumar, Clune, Lehman & Stanley 2025 paint one image by two networks: evolved, its nodes are parts of
the image (an eye, an outline) and a weight changes one of them; trained, every weight changes a
little of everything. Here both are searched for one class, and read in one format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import torch
from PIL import Image
from torch import Tensor

from synth import data
from synth.core import Genome, Images, Rows
from synth.core.hardware import check_results_fit
from synth.core.network import Network
from synth.core.part import check_parts
from synth.data.sizes import Size, size_of
from synth.encodings._points import INPUTS
from synth.encodings.cppn import OUTPUTS, Cppn
from synth.encodings.cppn_nodes import graph_of, node_images, places_of, used_nodes
from synth.encodings.cppn_weights import CppnWeights
from synth.engine.experiment import Experiment
from synth.errors import InputError, check_least
from synth.probes import _cppn_figures as figures
from synth.probes.probe import FOLDER, Measurement, Probe
from synth.record.record import Record
from synth.record.result import Figure, Item, Json

PIXELS = 1 << 18  # of the images that are decoded together, by each of FACTORS
LEAST = 1 / 255  # mean change of an image by a weight that matters
FACTORS = (-1.0, 0.0)  # of a weight, for the measures


class CppnParts(Probe):
    """Searches CPPNs for one class by several methods, and takes each apart.

    Of each it draws the image at every node and the film strips of the weights that change the
    image most, of each node the strongest. Findings, `cppn_parts` with a row for each:

        ``changed_share``     the part of the image that a weight changes, 0 to 1, the median of
                              weights that matter: (sum d)^2 / (pixels sum d^2), d a pixel's change
                              where the weight is turned round or taken out
        ``symmetry``          correlation of the image with its mirror image, of the better axis
        ``symmetry_kept``     the same of the image with a weight turned round, the median
        ``independent_nodes`` the number of uncorrelated images that vary as much as those of the
                              hidden nodes do (participation ratio), as a share of their number

    Tensors ``cppn_parts``: of each method its graph ``NAME.graph`` [N, 2 + N] in the form of
    `synth.core.graph`, the images of its nodes ``NAME.nodes`` [N, h, w], and the changes by its
    weights ``NAME.changes`` [weights, h, w] with ``NAME.weights`` [weights, 2], the nodes that each
    leads to and from.

    Args:
        network: the network that is to be fooled.
        experiments: searches by name, each of one image of a CPPN.
        size: height and width of the images that are compared.
        weights: swept weights of each that are drawn.
        frames: of a film strip, an odd number so that the middle is the image without the weight.

    Raises:
        InputError: for an encoding that is no CPPN, several items, or a number out of range.
    """

    def __init__(
        self,
        network: Network,
        experiments: Mapping[str, Experiment | None],
        size: Size = 64,
        weights: int = 8,
        frames: int = 9,
    ) -> None:
        super().__init__(network)
        self.experiments = {name: entry for name, entry in experiments.items() if entry is not None}
        if not self.experiments:
            raise InputError("experiments: empty; name at least one search.")
        check_parts("experiments", self.experiments, Experiment)
        shape = size_of(size, "size")
        if shape is None:
            raise InputError("size=null: write one number of pixels, or [height, width].")
        check_least(1, weights=weights)
        check_least(3, frames=frames)
        if frames % 2 == 0:
            raise InputError(
                f"frames={frames}: write an odd number; the middle one is the image without the "
                "weight."
            )
        self.size, self.weights, self.frames = shape, weights, frames
        for name, experiment in self.experiments.items():
            items = len(experiment.rows)
            if items != 1:
                raise InputError(
                    f"experiments.{name}: searches {items} images; name one class, such as "
                    "target=lemon."
                )
            encoding = experiment.problem.encoding
            first = encoding.start(experiment.rows)[0]
            graph_of(encoding, first)
            # at most an image for each number of the genome
            room = 4 * first.numel() * shape[0] * shape[1]
            check_results_fit(
                room, f"size={size}: the changes by all weights", "write fewer pixels"
            )

    def measure(self, record: Record) -> Measurement:
        result = Measurement()
        table: list[Json] = []
        tensors: dict[str, Tensor] = {}
        opened: list[tuple[str, _Parts, Item]] = []
        for name, experiment in self.experiments.items():
            share = record.of(name, len(result.items))
            part = share.part_result() or experiment.run(share)
            if part.status != "done":
                raise KeyboardInterrupt
            share.keep_part_result(part)
            item = part.items[0]
            item.contender = name
            result.about = part.about
            genome = share.read_tensors("genomes")["genome"][0]
            encoding = experiment.problem.encoding.at(self.size).to(torch.device("cpu"))
            opened.append((name, _Parts(encoding, genome.cpu()), item))
            result.items.append(item)
        for name, part, item in opened:
            table.append({"search": name, "confidence": item.confidence, **part.numbers()})
            tensors |= {
                f"{name}.graph": part.graphs,
                f"{name}.nodes": part.nodes,
                f"{name}.weights": part.weights,
                f"{name}.changes": part.changes,
            }
        result.findings["cppn_parts"] = table
        for number, (name, part, item) in enumerate(opened):
            caption = (
                f"{name}: the image of every node, from the coordinates on the left to red, green "
                "and blue on the right, and what they paint. Red is above 0, blue below, each node "
                "by its own largest value; a line is as strong as its share in the node that it "
                "leads to."
            )
            sheet = figures.drawn_graph(part.graphs, part.image, _title(name, item, part))
            result.figures.append(_figure(record, number, sheet, caption))
        factors = torch.linspace(-1, 1, self.frames).tolist()
        for number, (name, part, _) in enumerate(opened, len(opened)):
            chosen = part.strongest(self.weights)
            sheet = figures.strips(
                [part.swept(weight, factors) for weight in chosen],
                [part.name(weight) for weight in chosen],
                [round(factor, 2) for factor in factors],
            )
            caption = (
                f"{name}: one weight at a time from -1 to +1 times its value, those that change "
                "the image most, of each node the strongest; in the last column is the image as it "
                "is."
            )
            result.figures.append(_figure(record, number, sheet, caption))
        record.tensors("cppn_parts", tensors)
        return result


class _Parts:
    """A CPPN taken apart.

    Args:
        encoding: with the size of its images.
        genome: one genome.

    Attributes:
        graphs: its graph, [N, 2 + N].
        image: [3, h, w].
        nodes: of every node, [N, h, w].
        weights: of connections to nodes that lead to a colour, [k, 2]: to and from.
        changes: of the image by each, [k, h, w], the mean of colours and `FACTORS`.
    """

    def __init__(self, encoding: Cppn | CppnWeights, genome: Genome) -> None:
        assert encoding.size is not None
        self.encoding, self.genome = encoding, genome
        self.graphs = graph_of(encoding, genome)
        self.image = self._decoded(genome[None])[0]
        self.nodes = node_images(self.graphs, encoding.size)
        self.used = used_nodes(self.graphs)
        places = places_of(encoding, genome)
        self.weights = ((places >= 0) & self.used[:, None]).nonzero()
        self._places = places[tuple(self.weights.T)]
        axis = _axis(self.image)
        changes: list[Tensor] = []
        symmetries: list[float] = []
        many = max(1, PIXELS // self.image[0].numel())
        for some in self._places.split(many):
            for images in self._swept(some, FACTORS):
                changes.append((images - self.image).abs().mean((0, 1)))
                symmetries.append(_symmetry(images[0], axis))
        # a graph may be of constants alone
        self.changes = torch.stack(changes) if changes else torch.zeros(0, *encoding.size)
        self.symmetry, self._symmetries = _symmetry(self.image, axis), symmetries

    def numbers(self) -> dict[str, Json]:
        """The row of the findings."""
        matters = self.changes.mean((1, 2)) >= LEAST
        changes = self.changes[matters].flatten(1).double()
        shares = changes.sum(1).square() / (changes.shape[1] * changes.square().sum(1))
        symmetries = [self._symmetries[weight] for weight in matters.nonzero()[:, 0].tolist()]
        hidden = self.used.clone()
        hidden[:INPUTS] = hidden[-OUTPUTS:] = False
        return {
            "hidden_nodes": int(hidden.sum()),
            "connections": len(self.weights),
            "weights_that_matter": int(matters.sum()),
            "changed_share": _rounded(median(shares.tolist())) if len(shares) else None,
            "symmetry": _rounded(self.symmetry),
            "symmetry_kept": _rounded(median(symmetries)) if symmetries else None,
            "independent_nodes": _independent(self.nodes[hidden]),
        }

    def strongest(self, count: int) -> list[int]:
        """The weights of the largest changes, of each node that they lead from the largest."""
        chosen: dict[int, int] = {}
        for weight in self.changes.mean((1, 2)).argsort(descending=True, stable=True).tolist():
            chosen.setdefault(int(self.weights[weight, 1]), weight)
        return [*chosen.values()][:count]

    def swept(self, weight: int, factors: Sequence[float]) -> Images:
        """The images with a weight at `factors` times its value, [f, 3, h, w]."""
        return self._swept(self._places[weight : weight + 1], factors)[0]

    def _swept(self, places: Tensor, factors: Sequence[float]) -> Tensor:
        """The images with each weight at `places` [k] times each factor, [k, f, 3, h, w]."""
        count = len(factors)
        genomes = self.genome.flatten().repeat(len(places) * count, 1)
        rows = torch.arange(len(genomes))
        column = places.repeat_interleave(count)
        genomes[rows, column] *= torch.tensor(factors).repeat(len(places))
        images = self._decoded(genomes.view(-1, *self.genome.shape))
        return images.unflatten(0, (len(places), count))

    def name(self, weight: int) -> str:
        """A weight in words: ``sine 5 to red``."""
        names = figures.node_names(self.graphs)
        end, start = self.weights[weight].tolist()
        return f"{names[start]} to {names[end]}"

    def _decoded(self, genomes: Genome) -> Images:
        key = torch.zeros(len(genomes), dtype=torch.int64)
        return self.encoding.decode(genomes, Rows(key, key))


def _figure(record: Record, number: int, sheet: Image.Image, caption: str) -> Figure:
    return Figure(record.picture(number, data.from_image(sheet), {}, FOLDER), caption)


def _axis(image: Tensor) -> int:
    """The dimension along which an image [3, h, w] is more like its mirror image."""
    return max((1, 2), key=lambda axis: _symmetry(image, axis))


def _symmetry(image: Tensor, axis: int) -> float:
    """Correlation of an image with its mirror image; 1 of one colour, which any axis mirrors."""
    values = (image - image.mean((1, 2), keepdim=True)).double()
    norm = float(values.square().sum())
    return float((values * values.flip(axis)).sum()) / norm if norm > 1e-9 else 1.0


def _independent(nodes: Tensor) -> float | None:
    """Participation ratio of the correlations of images [n, h, w], as a share of n."""
    values = nodes.flatten(1).double()
    values = values - values.mean(1, keepdim=True)
    norms = values.norm(dim=1)
    values = values[norms > 1e-9] / norms[norms > 1e-9, None]
    if not len(values):
        return None
    # of a correlation matrix: the square of the trace over the sum of squared entries
    return _rounded(len(values) / float((values @ values.T).square().sum()))


def _title(name: str, item: Item, part: _Parts) -> str:
    hidden = int(part.used[INPUTS:-OUTPUTS].sum())
    confidence = "" if item.confidence is None else f" at {item.confidence:.3f}"
    return f"{name}: {item.target}{confidence}, {hidden} hidden node{'s' * (hidden != 1)}"


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
