"""Saliency methods measured: deletion and insertion curves, and the sanity check of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Plot
from torch import Tensor, nn

from synth import data
from synth.core.classes import Name
from synth.core.network import OUTPUT, Network
from synth.core.randomness import key_of, uniform
from synth.core.types import Images
from synth.errors import InputError
from synth.networks import path_similarity
from synth.probes.attributions import colours
from synth.probes.attributions.attribution import Attribution
from synth.probes.attributions.explained import Explained
from synth.probes.attributions.fills import check_fill, fill
from synth.probes.attributions.maps import tile
from synth.probes.attributions.methods import NAMES, RANDOM, methods_of, title
from synth.probes.attributions.score import Score
from synth.probes.probe import Measurement, Probe
from synth.record.plots import INK, save_plot, style
from synth.record.record import Record
from synth.record.result import Figure, Json

METHODS = NAMES
KINDS = ("deletion", "insertion")
STAGES = 6  # of the cascade
DRAWS = 2000  # of the bootstrap
INTERVAL = (0.025, 0.975)
SHADES = ("#c2410c", "#0f766e", "#1d4ed8", "#7c3aed", "#d4a017", "#be185d", "#4d7c0f", "#0e7490")


class SaliencyEvaluation(Probe):
    """Compares saliency methods on a folder of pictures.

    Deletion covers the pixels of a map from the strongest on, insertion uncovers them on a blurred
    picture, and the area under the probability of the explained class over the share of pixels is
    the figure of a method: small for deletion, large for insertion. A random map is the floor.
    Intervals are of the mean over pictures, 95 %, by bootstrap.

    The sanity check shuffles the weights of the network layer by layer, from the output on, and
    reports the rank correlation (Spearman's) of the magnitudes of the maps with those of the
    trained network. A method whose maps stay the same does not show what the network has learned.

    Tensors ``saliency_evaluation``: ``deletion``, ``insertion`` float32 [methods, n, levels + 1],
    probabilities at shares 0 ... 1; ``rank_correlation`` [methods, stages, pictures]; ``shuffled``
    [stages], the share of layers.

    Source: Petsiuk, Das & Saenko 2018, "RISE"; Adebayo et al. 2018, "Sanity checks for saliency
    maps". Departure: weights are shuffled within their tensor in place of drawn anew, so that
    activations keep their scale.

    Args:
        network: the network.
        images: a folder, glob or list of pictures, 2 or more.
        methods: names of `synth.probes.attributions.methods`, or ``all``; a random map is added.
        levels: shares of the pixels at which the curves are measured, 2 or more.
        target: the class that is explained; by default the one that is predicted.
        score: that the methods explain, ``logit`` or ``probability``; the curves are of the
            probability.
        fill: what covers deleted pixels, as of `Occlusion`.
        start: what insertion begins with, likewise.
        sanity_pictures: how many pictures the sanity check reads; 0 leaves it out.
        cam_layer: as of `Saliency`, like all that follows.
        samples: of SmoothGrad.
        noise: of SmoothGrad.
        integration_steps: of integrated gradients.
        baseline: of integrated gradients.
        masks: of RISE.
        seed: of the random numbers.

    Raises:
        InputError: no such method, fill or class, a number out of range, or fewer than 2 pictures.
    """

    needs_pictures = True

    def __init__(
        self,
        network: Network,
        images: data.Sources,
        methods: str | Sequence[str] = METHODS,
        levels: int = 20,
        target: Name | None = None,
        score: str = "logit",
        fill: str = "average",
        start: str = "blur",
        sanity_pictures: int = 4,
        cam_layer: str | None = None,
        samples: int = 25,
        noise: float = 0.15,
        integration_steps: int = 50,
        baseline: str = "black",
        masks: int = 1000,
        seed: int = 0,
    ) -> None:
        super().__init__(network, images)
        if len(self.pictures) < 2:
            raise InputError("images: a mean with its interval needs 2 pictures or more.")
        if levels < 2 or sanity_pictures < 0:
            raise InputError(
                f"levels={levels}, sanity_pictures={sanity_pictures}: write levels >= 2 and "
                "sanity_pictures >= 0."
            )
        self.score = Score(network, OUTPUT, score)
        self.unit = self.score.unit(target)
        names = list(METHODS) if methods == "all" else methods
        names = [names] if isinstance(names, str) else [*names]
        self.methods = methods_of(
            network,
            [*names, *([] if RANDOM in names else [RANDOM])],
            samples=samples,
            noise=noise,
            integration_steps=integration_steps,
            baseline=baseline,
            masks=masks,
            cam_layer=cam_layer,
        )
        self.levels = levels
        self.fills = (check_fill(fill), check_fill(start, "start"))
        self.sanity_pictures = sanity_pictures
        self.seed = seed

    def measure(self, record: Record) -> Measurement:
        curves = Curves(self)
        batch = min(8, self.score.rows)  # a picture has hundreds of passes
        self.scan(record, [OUTPUT], {"curves": curves}, batch=batch)
        if not len(curves.places):
            return Measurement({"pictures": 0})
        measured = curves.values[:, :, curves.places]
        tensors = dict(zip(KINDS, measured, strict=True))
        rows: list[dict[str, Json]] = [{"method": name} for name in self.methods]
        for kind, values in tensors.items():
            areas = torch.trapezoid(values, dim=2) / self.levels
            for row, each in zip(rows, areas, strict=True):
                low, high = interval(each, self.seed)
                row[f"{kind}_auc"] = round(float(each.mean()), 4)
                row[f"{kind}_low"], row[f"{kind}_high"] = round(low, 4), round(high, 4)
        figures = [self._curves(record, tensors, rows), self._areas(record, rows)]
        if self.sanity_pictures:
            figures += self._sanity(record, curves, tensors, rows)
        record.tensors("saliency_evaluation", tensors)
        findings: dict[str, Json] = {"pictures": len(curves.places)}
        for kind, choice in zip(KINDS, (min, max), strict=True):
            compared = [row for row in rows if row["method"] != RANDOM]
            best = choice(compared, key=lambda row: float(str(row[f"{kind}_auc"])))
            floor = rows[[*self.methods].index(RANDOM)]
            findings[f"best_{kind}"] = best["method"]
            findings[f"{kind}_auc"] = best[f"{kind}_auc"]
            findings[f"{kind}_auc_random"] = floor[f"{kind}_auc"]
        return Measurement({**findings, "methods": rows}, figures=figures)

    # -- the sanity check ------------------------------------------------------------------------

    def _sanity(
        self,
        record: Record,
        curves: Curves,
        tensors: dict[str, Tensor],
        rows: Sequence[dict[str, Json]],
    ) -> list[Figure]:
        """Measures it into `tensors` and `rows`, and draws it."""
        places = curves.places[: self.sanity_pictures]
        device = self.network.device
        images = torch.stack(
            [self.pictures.picture(int(place)).at(self.network.size) for place in places]
        ).to(device)
        neurons = curves.neurons[places].to(device)
        keys = curves.keys[places].to(device)
        methods = {name: m for name, m in self.methods.items() if m.takes_gradient}
        trained = {name: m(self.score, images, neurons, keys) for name, m in methods.items()}
        views = {
            name: [_view(methods[name], images[0], values[0])] for name, values in trained.items()
        }
        shares, correlations = [], []
        for share, network in shuffled(self.network, self.seed):
            score = Score(network, OUTPUT, self.score.kind)
            shares.append(share)
            stage = []
            for name, method in methods.items():
                values = method(score, images, neurons, keys)
                stage.append(rank_correlation(method, trained[name], values))
                views[name].append(_view(method, images[0], values[0]))
            correlations.append(torch.stack(stage))
        measured = torch.stack(correlations, 1)  # [methods, stages, pictures]
        tensors["rank_correlation"] = measured.cpu()
        tensors["shuffled"] = torch.tensor(shares)
        by_name = {str(row["method"]): row for row in rows}
        for name, values in zip(methods, measured.mean(2).tolist(), strict=True):
            by_name[name]["rank_correlation_half_shuffled"] = round(
                values[next(place for place, share in enumerate(shares) if share >= 0.5)], 3
            )
            by_name[name]["rank_correlation_shuffled"] = round(values[-1], 3)
        return [
            self._correlations(record, [*methods], shares, measured.mean(2)),
            self._cascade(record, views, shares),
        ]

    # -- figures ---------------------------------------------------------------------------------

    def _curves(
        self, record: Record, curves: Mapping[str, Tensor], rows: Sequence[Mapping[str, Json]]
    ) -> Figure:
        plot = Plot(figsize=(12, 4.6), dpi=150, layout="constrained")
        shares = torch.linspace(0, 100, self.levels + 1)
        for place, (kind, values) in enumerate(curves.items(), start=1):
            axes = _axes(plot, 1, 2, place, f"{kind.capitalize()}: probability of the class (%)")
            axes.set_xlabel(f"pixels {'covered' if kind == 'deletion' else 'uncovered'} (%)")
            for number, (name, mean) in enumerate(zip(self.methods, values.mean(1), strict=True)):
                area = rows[number][f"{kind}_auc"]
                label = f"{title(name)}  {area:.3f}"
                axes.plot(shares, 100 * mean, label=label, **_stroke(name, number))
            axes.legend(frameon=False, fontsize=8, labelcolor=INK, title="area under it")
        caption = (
            "The probability of the class while the strongest pixels of each map are covered "
            "(left: the lower, the better) or uncovered (right: the higher, the better)."
        )
        return save_plot(record, plot, "curves", caption)

    def _areas(self, record: Record, rows: Sequence[Mapping[str, Json]]) -> Figure:
        plot = Plot(figsize=(12, 0.8 + 0.36 * len(rows)), dpi=150, layout="constrained")
        for place, kind in enumerate(KINDS, start=1):
            better = "lower" if kind == "deletion" else "higher"
            axes = _axes(plot, 1, 2, place, f"{kind.capitalize()} AUC ({better} is better)")
            for number, row in enumerate(rows):
                mean, low, high = (float(str(row[f"{kind}_{x}"])) for x in ("auc", "low", "high"))
                colour = _stroke(str(row["method"]), number)["color"]
                axes.plot([low, high], [number, number], color=colour, linewidth=2)
                axes.plot([mean], [number], color=colour, marker="o")
            axes.set_yticks(range(len(rows)), [title(str(row["method"])) for row in rows])
            axes.invert_yaxis()
        caption = "Area under the curves: mean over the pictures and its 95 % bootstrap interval."
        return save_plot(record, plot, "areas", caption)

    def _correlations(
        self, record: Record, names: Sequence[str], shares: Sequence[float], means: Tensor
    ) -> Figure:
        plot = Plot(figsize=(7, 4.6), dpi=150, layout="constrained")
        axes = _axes(plot, 1, 1, 1, "Rank correlation with the maps of the trained network")
        for number, (name, values) in enumerate(zip(names, means.tolist(), strict=True)):
            x = [0, *(100 * share for share in shares)]
            axes.plot(x, [1.0, *values], label=title(name), **_stroke(name, number))
        axes.set_xlabel("layers whose weights are shuffled, from the output on (%)")
        axes.legend(frameon=False, fontsize=8, labelcolor=INK)
        caption = (
            "The sanity check: what a map owes to the learned weights is gone where they are "
            "shuffled. A curve that stays high is of a method that does not show what the network "
            "has learned."
        )
        return save_plot(record, plot, "sanity", caption)

    def _cascade(
        self, record: Record, views: Mapping[str, Sequence[Tensor]], shares: Sequence[float]
    ) -> Figure:
        parts = []
        for name, pictures in views.items():
            labels = [title(name), *(f"{100 * share:.0f} % shuffled" for share in shares)]
            parts += [
                (tile(picture, 160), words) for picture, words in zip(pictures, labels, strict=True)
            ]
        caption = "The maps of the first picture while the weights are shuffled, layer by layer."
        return self.save_sheet(record, 0, parts, len(shares) + 1, caption)


class Curves(Explained):
    """Deletion and insertion curves of all pictures of a pass.

    Args:
        probe: whose score, methods and fills are measured.

    Attributes:
        values: probabilities, float32 [2, methods, n, levels + 1], on the CPU.
    """

    def __init__(self, probe: SaliencyEvaluation) -> None:
        names = probe.pictures.names
        super().__init__(probe.score, names, probe.unit, probe.seed, "attribution")
        self.probability = Score(probe.network, OUTPUT, "probability")
        self.methods, self.fills, self.levels = probe.methods, probe.fills, probe.levels
        self.values = torch.zeros(2, len(self.methods), len(names), self.levels + 1)

    @property
    def tensors(self) -> dict[str, Tensor]:
        return {"values": self.values}

    def explain(self, places: Tensor, images: Images, neurons: Tensor, keys: Tensor) -> None:
        cover, start = (fill(name, images, self.score.network, keys) for name in self.fills)
        ends = torch.stack([self.probability(each, neurons) for each in (images, cover, start)])
        for row, method in enumerate(self.methods.values()):
            maps = method.maps(method(self.score, images, neurons, keys))
            for kind, (top, rest) in enumerate([(cover, images), (images, start)]):
                inner = self._inner(maps, top, rest, neurons)
                first, last = (ends[0], ends[1]) if kind == 0 else (ends[2], ends[0])
                curve = torch.cat([first[:, None], inner, last[:, None]], 1)
                self.values[kind, row, places] = curve.cpu()

    @torch.inference_mode()
    def _inner(self, maps: Tensor, top: Images, rest: Images, neurons: Tensor) -> Tensor:
        """Probabilities [n, levels - 1] of `top` at the strongest pixels of a map on `rest`."""
        ranks = (
            maps.flatten(1).argsort(dim=1, descending=True, stable=True).argsort(1).view_as(maps)
        )
        counts = torch.arange(1, self.levels, device=maps.device) * ranks[0].numel() / self.levels
        scores = []
        for picture in range(len(maps)):
            for part in counts.split(self.score.rows):
                strongest = ranks[picture][None, None] < part[:, None, None, None]
                mixed = torch.where(strongest, top[picture], rest[picture])
                scores.append(self.probability(mixed, neurons[picture].expand(len(part))))
        return torch.cat(scores).view(len(maps), -1)


def interval(values: Tensor, seed: int = 0) -> tuple[float, float]:
    """The 95 % bootstrap interval (percentiles) of the mean of `values` [n]."""
    keys = torch.tensor([key_of("bootstrap", seed)])
    draws = (uniform(keys, DRAWS * len(values)) * len(values)).long().view(DRAWS, -1)
    low, high = values[draws].mean(1).quantile(torch.tensor(INTERVAL)).tolist()
    return low, high


def shuffled(
    network: Network, seed: int = 0, stages: int = STAGES
) -> Iterator[tuple[float, Network]]:
    """A network whose weights are shuffled further from stage to stage, from the output on.

    Args:
        network: is left as it is.
        seed: of the shuffling.
        stages: how many, evenly over the layers that have weights; the last shuffles all.

    Yields:
        The share of layers that are shuffled, and the network, the same object each time.
    """
    copy = Network(
        network.module,
        size=network.size,
        name=network.name,
        classes=network.classes,
        mean=network.mean.flatten().tolist(),
        std=(1 / network.scale).flatten().tolist(),
        sha256="",
        device=str(network.device),
        precision="float32",
        fit=network.fit,
    )
    parts: dict[nn.Module, None] = {}
    for name in reversed([name for name in copy.layers if name != OUTPUT]):
        if any(True for _ in copy.part(name).parameters(recurse=False)):
            parts[copy.part(name)] = None
    order = [*parts]
    draws = torch.Generator().manual_seed(seed)
    done = 0
    for stage in range(1, stages + 1):
        until = max(done, round(len(order) * stage / stages))
        for part in order[done:until]:
            for weight in part.parameters(recurse=False):
                order_of_weights = torch.randperm(weight.numel(), generator=draws)
                values = weight.detach().flatten()[order_of_weights.to(weight.device)]
                weight.detach().copy_(values.view_as(weight))
        done = until
        yield done / len(order), copy


def rank_correlation(method: Attribution, first: Tensor, second: Tensor) -> Tensor:
    """Spearman's rank correlation [n] of the magnitudes of the maps of two attributions.

    It is 0 where a map is constant.
    """
    magnitudes = [method.maps(values).abs().flatten(1) for values in (first, second)]
    return path_similarity.rank_correlation(*magnitudes).diagonal().nan_to_num(0.0)


def _view(method: Attribution, image: Tensor, values: Tensor) -> Tensor:
    image, values = image.cpu(), values.cpu()
    return colours.view(method.view, image, values, method.maps(values[None])[0])


def _stroke(name: str, number: int) -> dict[str, object]:
    if name == RANDOM:
        return {"color": "#7a869a", "linestyle": "--", "linewidth": 1.8}
    return {"color": SHADES[number % len(SHADES)], "linewidth": 1.8}


def _axes(plot: Plot, rows: int, columns: int, place: int, heading: str) -> Axes:
    axes = plot.add_subplot(rows, columns, place)
    axes.set_title(heading, loc="left", fontsize=11, color=INK, fontweight="bold")
    style(axes)
    return axes
