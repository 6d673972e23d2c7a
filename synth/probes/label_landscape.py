"""The label landscape: what a network says about the images around a picture."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure as Plot
from matplotlib.patches import Patch
from torch import Tensor
from torch.nn import functional

from synth import data
from synth.core.hardware import check_results_fit
from synth.core.network import OUTPUT, Network
from synth.core.prediction import NO_CLASS, predictions
from synth.core.randomness import key_of
from synth.errors import InputError
from synth.probes.probe import BATCH, Measurement, Probe
from synth.record import progress
from synth.record.interrupt import Interrupt
from synth.record.plots import INK, save_plot
from synth.record.record import Record
from synth.record.result import Figure, Json

log = logging.getLogger(__name__)

PLANES = ("gradient", "random")
LEVELS = 255
MOST_FIGURES = 8  # pictures that have one
MOST_COLOURED = 9  # labels with a colour of their own
SHADES = (
    "#1d4ed8",
    "#f59e0b",
    "#0f766e",
    "#c2410c",
    "#7c3aed",
    "#65a30d",
    "#be185d",
    "#0ea5e9",
    "#78716c",
)
REST, WITHOUT = "#d9dde3", "#ffffff"  # other labels; none, where a network answers NaN


class LabelLandscape(Probe):
    """The labels that networks predict on a plane of images around a picture.

    A point (a, b) of the plane is the picture with ``a u + b v`` added, in levels of 255, where
    every value of u and v is 1 or -1; values are cut off at black and white. So a is the radius in
    the maximum norm along an axis, and |a| + |b| bounds it elsewhere. ``gradient``: u is the sign
    of the gradient of the loss of the network's own label at the picture, the direction of the fast
    gradient sign method, and v is drawn. ``random``: both are drawn, the same for all networks.

    A network with many labels on the plane has many decision hypotheses in the neighbourhood of
    its samples, the sign of memorising (Arpit et al. 2017). The margin is the smallest |a| + |b| of
    a point with another label.

    Tensors ``label_landscape``: ``labels.NETWORK`` int64 [pictures, grid, grid], rows from -b to b,
    columns from -a to a; ``places`` int64 [pictures], of the pictures in the folder.

    Source: Arpit et al. 2017, "A closer look at memorization in deep networks"; Goodfellow et al.
    2015, "Explaining and harnessing adversarial examples", for such planes.

    Args:
        network: the network.
        images: the pictures.
        networks: further ones, by any name, which must read images of the same size.
        pictures: how many of the images are measured, evenly spread; the first eight have a figure.
        radius: half the side of the plane, in levels of 255.
        grid: points along a side, odd, so that the picture is one of them.
        plane: ``gradient`` or ``random``.
        seed: of the drawn directions.

    Raises:
        InputError: for a number out of its range, an unknown plane, or a network of another size.
    """

    needs_pictures = True

    def __init__(
        self,
        network: Network,
        images: data.Sources,
        networks: Mapping[str, Network | None] | None = None,
        pictures: int = 4,
        radius: float = 16.0,
        grid: int = 61,
        plane: str = "gradient",
        seed: int = 0,
    ) -> None:
        super().__init__(network, images)
        if pictures < 1:
            raise InputError(f"pictures={pictures}: at least 1.")
        if not 0 < radius <= LEVELS:
            raise InputError(f"radius={radius}: levels of 255, above 0 and up to {LEVELS}.")
        if grid < 3 or grid % 2 == 0:
            raise InputError(
                f"grid={grid}: write an odd number from 3 on, so that the picture is in the middle."
            )
        if plane not in PLANES:
            raise InputError(f"plane={plane}: write {' or '.join(PLANES)}.")
        others = {name: entry for name, entry in (networks or {}).items() if entry is not None}
        self.networks = {_name(network, others): network, **others}
        for name, entry in others.items():
            if entry.size != network.size:
                raise InputError(
                    f"networks.{name}: {entry.name} reads images of {_size(entry)} pixels, "
                    f"{network.name} of {_size(network)}; write networks.{name}.fit=true."
                )
        count = min(pictures, len(self.pictures))
        self.places = torch.arange(count) * len(self.pictures) // count
        self.radius, self.grid, self.plane, self.seed = float(radius), grid, plane, seed
        check_results_fit(8 * count * len(self.networks) * grid**2, f"grid={grid}", "write fewer")

    def measure(self, record: Record) -> Measurement:
        labels = {
            name: torch.full((len(self.places), self.grid, self.grid), NO_CLASS)
            for name in self.networks
        }
        done = self._begun(record, labels)
        total = len(self.places) * len(self.networks)
        with Interrupt() as interrupt, progress.Steps("planes", total) as bar:
            for row in range(done, len(self.places)):
                image = self._image(row)
                for number, (name, network) in enumerate(self.networks.items()):
                    labels[name][row] = self._landscape(network, image, row)
                    bar.at(row * len(self.networks) + number + 1, name)
                about = {"pictures": row + 1, "digest": self.pictures.digest}
                record.checkpoint(dict(labels), about)
                if interrupt.requested and row + 1 < len(self.places):
                    log.warning("interrupted after %d of %d pictures", row + 1, len(self.places))
                    raise KeyboardInterrupt
        tensors = {f"labels.{name}": value for name, value in labels.items()}
        record.tensors("label_landscape", {**tensors, "places": self.places})
        table = [
            self._row(name, place, labels[name][place])
            for place in range(len(self.places))
            for name in self.networks
        ]
        findings: dict[str, Json] = {"pictures": len(self.places), "radius": self.radius}
        findings |= {"grid": self.grid, "plane": self.plane}
        for number, name in enumerate(self.networks):
            own = [row for row in table if row["network"] == name]
            counts = [int(str(row["labels"])) for row in own]
            shares = [float(str(row["own_label"])) for row in own]
            end = f"_{name}" if number else ""
            findings[f"labels_on_a_plane{end}"] = round(sum(counts) / len(counts), 3)
            findings[f"share_of_own_label{end}"] = round(sum(shares) / len(shares), 4)
        findings["landscapes"] = table
        figures = [
            self._figure(record, place, {name: labels[name][place] for name in labels})
            for place in range(min(len(self.places), MOST_FIGURES))
        ]
        return Measurement(findings, [], figures)

    def _begun(self, record: Record, labels: Mapping[str, Tensor]) -> int:
        """The pictures that an earlier attempt has measured, whose labels are taken over."""
        checkpoint = record.resume()
        if checkpoint is None:
            return 0
        tensors, about = checkpoint
        try:
            if about["digest"] != self.pictures.digest:
                raise InputError(
                    f"folder={record.folder}: its run was begun with other pictures; name another "
                    "folder."
                )
            for name, own in labels.items():
                own.copy_(tensors[name])
            return int(str(about["pictures"]))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise record.malformed() from error

    def _image(self, row: int) -> Tensor:
        return self.pictures.picture(int(self.places[row])).at(self.network.size)

    # -- one landscape ---------------------------------------------------------------------------

    def _landscape(self, network: Network, image: Tensor, row: int) -> Tensor:
        """The labels on the plane around a picture, int64 [grid, grid], on the CPU."""
        image = image.to(network.device)
        across, up = self._directions(network, image, row)
        steps = torch.linspace(-self.radius, self.radius, self.grid, device=image.device) / LEVELS
        points = torch.cartesian_prod(steps, steps)  # b, a: row by row
        labels = []
        with torch.inference_mode():
            for part in points.split(BATCH):
                b, a = part[:, 0, None, None, None], part[:, 1, None, None, None]
                images = (image + a * across + b * up).clamp(0, 1)
                labels.append(predictions(network(images)))
        return torch.cat(labels).view(self.grid, self.grid).cpu()

    def _directions(self, network: Network, image: Tensor, row: int) -> tuple[Tensor, Tensor]:
        """Both directions of the plane, [3, h, w] of 1 and -1."""
        name = self.pictures.names[int(self.places[row])]
        draws = torch.Generator().manual_seed(key_of(self.seed, "plane", name))
        first, second = (
            (2 * torch.randint(0, 2, image.shape, generator=draws) - 1).to(image) for _ in range(2)
        )
        if self.plane == "random":
            return first, second
        start = image[None].clone().requires_grad_()
        logits = network.read(start, [OUTPUT])[OUTPUT]
        loss = functional.cross_entropy(logits, logits.detach().argmax(1))
        (gradient,) = torch.autograd.grad(loss, start)
        sign = gradient[0].sign()
        return torch.where(sign == 0, first, sign), second

    def _row(self, name: str, place: int, labels: Tensor) -> dict[str, Json]:
        """The record of a landscape in the table."""
        middle = self.grid // 2
        own = int(labels[middle, middle])
        counts = labels.flatten().unique()
        margin = self._margin(labels)
        return {
            "picture": self.pictures.names[int(self.places[place])],
            "network": name,
            "label": self._words(name, own),
            "labels": int((counts != NO_CLASS).sum()),
            "own_label": round(float((labels == own).float().mean()), 4),
            "margin": None if margin is None else round(margin, 3),
        }

    def _margin(self, labels: Tensor) -> float | None:
        """The smallest |a| + |b| of a point with another label, in levels; None without one."""
        steps = torch.linspace(-self.radius, self.radius, self.grid).abs()
        others = labels != labels[self.grid // 2, self.grid // 2]
        return float((steps[:, None] + steps)[others].min()) if bool(others.any()) else None

    def _words(self, name: str, index: int) -> str:
        return "none" if index == NO_CLASS else self.networks[name].classes.label(index)

    # -- figures ---------------------------------------------------------------------------------

    def _figure(self, record: Record, place: int, labels: Mapping[str, Tensor]) -> Figure:
        """The picture, and beside it what each network says around it."""
        words = {name: self._texts(name, own) for name, own in labels.items()}
        order = _by_area([*words.values()])
        coloured = {text: SHADES[rank] for rank, text in enumerate(order[:MOST_COLOURED])}
        coloured["none"] = WITHOUT
        across = 1 + len(labels)
        plot = Plot(figsize=(3.3 * across, 4.1), dpi=180, layout="constrained")
        axes = plot.add_subplot(1, across, 1)
        axes.imshow(self._image(place).permute(1, 2, 0).numpy(), interpolation="nearest")
        axes.set_title("picture", loc="left", color=INK, weight="bold")
        axes.set_axis_off()
        for number, (name, own) in enumerate(labels.items()):
            axes = plot.add_subplot(1, across, number + 2)
            self._draw(axes, name, own, words[name], coloured)
        handles = [
            Patch(facecolor=coloured[text], edgecolor="#9aa3af", label=text)
            for text in coloured
            if text in order[:MOST_COLOURED]
        ]
        more = len(order) - MOST_COLOURED
        if more > 0:
            handles.append(Patch(facecolor=REST, edgecolor="#9aa3af", label=f"{more} others"))
        plot.legend(
            handles=handles,
            loc="outside lower center",
            ncols=min(len(handles), 5),
            frameon=False,
            labelcolor=INK,
        )
        counts = ", ".join(
            f"{name} {len({*own.flatten().tolist()} - {NO_CLASS})}" for name, own in labels.items()
        )
        first = "up the loss of the own label" if self.plane == "gradient" else "drawn at random"
        caption = (
            f"{self.pictures.names[int(self.places[place])]} in the middle of a plane of images, "
            f"coloured by the label that is predicted there; labels on the plane: {counts}. "
            f"The axis to the right is {first}, the other one random; at {self.radius:g} every "
            f"value of a pixel is changed by {self.radius:g} of 255 levels. The dashed line is the "
            "margin, within which the label stays."
        )
        return save_plot(record, plot, f"landscape_{place:03d}", caption)

    def _texts(self, name: str, labels: Tensor) -> list[str]:
        """The label of each point in words, row by row."""
        indices = labels.flatten().tolist()
        texts = {index: self._words(name, index) for index in {*indices}}
        return [texts[index] for index in indices]

    def _draw(
        self,
        axes: Axes,
        name: str,
        labels: Tensor,
        words: Sequence[str],
        coloured: Mapping[str, str],
    ) -> None:
        names = [*coloured]
        ranks = [names.index(text) if text in coloured else len(names) for text in words]
        colours = ListedColormap([*coloured.values(), REST])
        half = self.radius * self.grid / (self.grid - 1)
        axes.imshow(
            torch.tensor(ranks).view(self.grid, self.grid).numpy(),
            cmap=colours,
            vmin=-0.5,
            vmax=len(names) + 0.5,
            origin="lower",
            extent=(-half, half, -half, half),
            interpolation="nearest",
        )
        margin = self._margin(labels)
        if margin is not None:
            corners = [0, margin, 0, -margin, 0]
            axes.plot(corners, [*corners[1:], margin], color="white", linestyle="--", linewidth=1.4)
        axes.plot(0, 0, marker="o", color="white", markeredgecolor=INK, markersize=6)
        axes.set_xlim(-half, half)
        axes.set_ylim(-half, half)
        axes.tick_params(length=0, colors=INK)
        axes.set_xlabel("levels of 255" + (", up the loss" if self.plane == "gradient" else ""))
        count = len({*labels.flatten().tolist()} - {NO_CLASS})
        beside = "no other label" if margin is None else f"margin {margin:.2g}"
        title = f"{name.replace('_', ' ')}: {count} labels, {beside}"
        axes.set_title(title, loc="left", color=INK, weight="bold", fontsize=11)


def _name(network: Network, others: Mapping[str, Network]) -> str:
    """The name of the first network, which no other has."""
    return network.name if network.name not in others else f"{network.name} (network)"


def _size(network: Network) -> str:
    return "x".join(map(str, network.size))


def _by_area(texts: Sequence[Sequence[str]]) -> list[str]:
    """All labels, the most frequent on any plane first."""
    areas: dict[str, int] = {}
    for own in texts:
        for text in own:
            areas[text] = areas.get(text, 0) + 1
    return sorted(areas, key=lambda text: (-areas[text], text))
