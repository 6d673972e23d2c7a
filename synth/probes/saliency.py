"""Saliency: which pixels a class's score, or a neuron's activation, depends on."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from synth import data
from synth.core.classes import Name
from synth.core.hardware import check_results_fit
from synth.core.network import OUTPUT, Network
from synth.networks.directions import Source, directed
from synth.probes.attributions import colours
from synth.probes.attributions.maps import Maps, item_of, percent, tile
from synth.probes.attributions.methods import methods_of, title
from synth.probes.attributions.score import Score
from synth.probes.probe import Measurement, Probe
from synth.record.record import Record
from synth.record.result import Figure, Item

METHODS = (
    "vanilla",
    "guided_backprop",
    "grad_cam",
    "guided_grad_cam",
    "gradient_x_input",
    "smoothgrad",
    "integrated_gradients",
)
ACROSS = 4  # pictures in a row of a sheet
SHEETS = 24  # pictures that have one


class Saliency(Probe):
    """Maps of several methods, for each picture side by side.

    Tensors ``saliency``: ``maps`` float32 [methods, n, h, w] in the order of `methods`, ``neurons``
    int64 [n], the class or neuron that each is about.

    Args:
        network: the network.
        images: a folder, glob, list or name of pictures.
        methods: names of `synth.probes.attributions.methods`, or ``all``.
        target: the class that is explained; by default the one that is predicted.
        score: of a class ``logit`` or ``probability``.
        layer: explain a neuron of this layer in place of a class.
        unit: its channel, at the place where it is strongest; by default the channel that is
            strongest in the picture.
        cam_layer: whose maps Grad-CAM weights; by default the deepest.
        samples: noisy copies, of SmoothGrad.
        noise: of SmoothGrad, as a share of the range of the picture's pixels.
        integration_steps: of integrated gradients.
        baseline: of integrated gradients: ``black``, ``mean``, ``average``, ``grey``, ``blur``,
            ``noise``.
        masks: of RISE.
        directions: vectors [k, channels] in the layer, or a file of them, in place of its channels.
        seed: of the random numbers.

    Raises:
        InputError: no such method, class, layer or unit, or maps beyond the memory.
    """

    needs_pictures = True

    def __init__(
        self,
        network: Network,
        images: data.Sources,
        methods: str | Sequence[str] = METHODS,
        target: Name | None = None,
        score: str = "logit",
        layer: str | None = None,
        unit: int | None = None,
        cam_layer: str | None = None,
        samples: int = 25,
        noise: float = 0.15,
        integration_steps: int = 50,
        baseline: str = "black",
        masks: int = 1000,
        seed: int = 0,
        directions: Source | None = None,
    ) -> None:
        if directions is not None:
            network, layer = directed(network, layer, directions)
        super().__init__(network, images)
        self.score = Score(network, layer or OUTPUT, score)
        self.unit = self.score.unit(target, unit)
        self.methods = methods_of(
            network,
            methods,
            samples=samples,
            noise=noise,
            integration_steps=integration_steps,
            baseline=baseline,
            masks=masks,
            cam_layer=cam_layer,
        )
        self.seed = seed
        height, width = network.size
        check_results_fit(
            4 * height * width * len(self.methods) * len(self.pictures),
            f"images: {len(self.pictures)} maps of {len(self.methods)} methods",
            "name fewer pictures or methods",
        )

    def measure(self, record: Record) -> Measurement:
        tally = Maps(self.score, self.methods, self.pictures.names, self.unit, self.seed, SHEETS)
        self.scan(record, [OUTPUT], {"maps": tally}, batch=self.score.rows)
        places = tally.places
        maps, neurons = tally.maps[:, places], tally.neurons[places]
        record.tensors("saliency", {"maps": maps, "neurons": neurons})
        items, figures = [], []
        for number, place in enumerate(places.tolist()):
            image = self.pictures.picture(place).at(self.network.size)
            item = item_of(
                self.score, self.pictures.names[place], tally.logits[place], int(neurons[number])
            )
            item.file = record.picture(number, image, item.to_dict())
            items.append(item)
            if place < SHEETS:
                figures.append(self._sheet(record, number, image, item, tally, place))
        methods = [{"method": name, "map": row} for row, name in enumerate(self.methods)]
        return Measurement({"pictures": len(items), "methods": methods}, items, figures)

    def _sheet(
        self, record: Record, number: int, image: Tensor, item: Item, tally: Maps, place: int
    ) -> Figure:
        of_class = self.score.layer == OUTPUT
        parts = [(tile(image), f"{item.target}{percent(item.confidence)}")]
        for row, (name, method) in enumerate(self.methods.items()):
            # plain beside guided, as lectures show the gradient of a neuron
            view = "colour" if name == "vanilla" and not of_class else method.view
            shown = colours.view(view, image, tally.values[row, place], tally.maps[row, place])
            parts.append((tile(shown), title(name)))
        scale = f"the {self.score.kind} of " if of_class else ""
        names = ", ".join(map(title, self.methods))
        caption = (
            f"{item.image}: the pixels that {scale}{item.target} depends on, by {names}. Bright, "
            "red or far from grey means much; blue, in a map on white, means against it."
        )
        units = None if of_class else [str(item.target)]
        return self.save_sheet(record, number, parts, ACROSS, caption, units)
