"""The figures of learning and memorising: losses, accuracies, norms and critical samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Plot
from matplotlib.ticker import MaxNLocator

from synth.jobs._memorization_curves import (
    ALONE,
    CRITICAL,
    MEMORISED,
    NONE,
    RANDOM,
    TRUE,
    WORDS,
    Curves,
)
from synth.record.plots import INK, save_plot, style
from synth.record.record import Record
from synth.record.result import Figure

Points = tuple[list[float], list[float]]  # epochs and values
COLOURS = {
    TRUE: "#1d4ed8",
    RANDOM: "#c2410c",
    "shuffled_pixels": "#0f766e",
    "random_pixels": "#eab308",
    "gaussian": "#7c3aed",
}
SETTING_COLOURS = {
    NONE: "#1f2933",
    "weight_decay": "#0f766e",
    "dropout": "#c2410c",
    "augmentation": "#1d4ed8",
    "all": "#7c3aed",
    ALONE: "#c2410c",
    CRITICAL: "#be185d",
}
REMEDIES = (ALONE, CRITICAL)
HEIGHT = 3.6  # inches of a panel


def draw(
    record: Record, every: Sequence[Curves], radius: float, training_radius: float | None
) -> list[Figure]:
    """All figures that the trainings give.

    Args:
        record: of the run.
        every: the trainings, of any number of seeds.
        radius: in which critical samples were searched.
        training_radius: of those that were additional examples.
    """
    figures = [_losses(record, every), _accuracies(record, every)]
    if any(curves.critical for curves in every if curves.training.setting == NONE):
        figures.insert(1, _critical(record, every, radius))
    if any(curves.training.setting == CRITICAL for curves in every):
        figures.insert(2, _remedy(record, every, training_radius or 0.0))
    return [*figures, _norms(record, every)]


def _losses(record: Record, every: Sequence[Curves]) -> Figure:
    """A panel a setting with a curve a kind of data, as Zhang et al. 2017, figure 1a."""
    settings = _settings(every)
    plot, panels = _panels(len(settings))
    most = max(row["train_loss"] for curves in every for row in curves.rows)
    for axes, setting in zip(panels, settings, strict=True):
        for data in _data(every):
            group = _group(every, data, setting)
            _curve(axes, group, "train_loss", COLOURS[data], _words(data))
        axes.set_title(_title(setting), loc="left", fontsize=12, color=INK, weight="bold")
        axes.set_ylim(0, 1.05 * most)
    _finish(plot, panels, "training loss (nats)")
    caption = (
        "Training losses for true labels and for data without anything to learn, with and without "
        f"regularisation{_seeds(every)}. Where all curves reach zero, the network has memorised "
        "what has no pattern, and the regularisation has not prevented it. The loss is the one "
        f"that is minimised, under dropout and augmentation where they are on.{_too_short(every)}"
    )
    return save_plot(record, plot, "losses", caption)


def _critical(record: Record, every: Sequence[Curves], radius: float) -> Figure:
    plot, panels = _panels(2)
    names = ("ratio", "labels")
    for axes, name in zip(panels, names, strict=True):
        for data in (TRUE, RANDOM):
            group = _group(every, data, NONE)
            for curves in group:
                x = [entry["epoch"] for entry in curves.critical]
                y = [entry[name] * (100 if name == "ratio" else 1) for entry in curves.critical]
                axes.plot(x, y, color=COLOURS[data], linewidth=1, alpha=0.45)
            x, y = _mean(
                [
                    (
                        [entry["epoch"] for entry in curves.critical],
                        [
                            entry[name] * (100 if name == "ratio" else 1)
                            for entry in curves.critical
                        ],
                    )
                    for curves in group
                ]
            )
            axes.plot(x, y, color=COLOURS[data], linewidth=2.4, marker="o", label=_words(data))
    panels[0].set_title(
        "Critical sample ratio (%)", loc="left", fontsize=12, color=INK, weight="bold"
    )
    panels[0].set_ylim(0, 103)
    panels[1].set_title("Labels near a sample", loc="left", fontsize=12, color=INK, weight="bold")
    panels[1].set_ylim(bottom=1)
    _finish(plot, panels, "")
    caption = (
        "The share of training pictures near which the network predicts another label, and how "
        f"many labels it predicts there, through the training{_seeds(every)}. Near: no pixel value "
        f"changed by more than {255 * radius:.3g} of 255 levels. The conjecture: a network that "
        "memorises has more decision hypotheses in the neighbourhood of its samples."
    )
    return save_plot(record, plot, "critical_samples", caption)


def _remedy(record: Record, every: Sequence[Curves], radius: float) -> Figure:
    """Whether critical samples prevent memorising, and what they cost on true labels."""
    plot, panels = _panels(2)
    parts = (
        (RANDOM, "train_plain_accuracy", "Random labels: training accuracy (%)"),
        (TRUE, "validation_accuracy", "True labels: validation accuracy (%)"),
    )
    for axes, (data, name, title) in zip(panels, parts, strict=True):
        for setting in (NONE, *REMEDIES):
            group = _group(every, data, setting)
            _curve(axes, group, name, SETTING_COLOURS[setting], _title(setting), 100.0)
        axes.set_title(title, loc="left", fontsize=12, color=INK, weight="bold")
        axes.set_ylim(0, 103)
    _finish(plot, panels, "")
    caption = (
        "Critical samples as additional examples, with dropout: how much of the random labels is "
        "memorised (left, lower is better), and what is learned from true labels (right, higher is "
        f"better){_seeds(every)}. The same dropout without critical samples shows what it does "
        f"alone. Critical samples lie within {255 * radius:.3g} of 255 levels of their picture and "
        "have its label."
    )
    return save_plot(record, plot, "critical_training", caption)


def _accuracies(record: Record, every: Sequence[Curves]) -> Figure:
    """A line a training: accuracy on training and on validation pictures at its end."""
    pairs = [(data, setting) for data in _data(every) for setting in _settings(every)]
    pairs += [
        (data, setting)
        for data in _data(every)
        for setting in REMEDIES
        if _group(every, data, setting)
    ]
    pairs.sort(key=lambda pair: [*COLOURS].index(pair[0]))
    plot = Plot(figsize=(10, 1.2 + 0.3 * len(pairs)), dpi=150, layout="constrained")
    axes = plot.add_subplot()
    for place, (data, setting) in enumerate(pairs):
        group = _group(every, data, setting)
        ends = [
            100 * sum(curves.last(name) for curves in group) / len(group)
            for name in ("validation_accuracy", "train_plain_accuracy")
        ]
        axes.plot(ends, [place, place], color="#d5dae1", linewidth=5, zorder=1)
        axes.scatter(ends[0], place, color=COLOURS[data], s=58, marker="D", zorder=2)
        axes.scatter(ends[1], place, color=COLOURS[data], s=70, zorder=2)
        for curves in group if len(group) > 1 else ():
            x = [100 * curves.last(n) for n in ("validation_accuracy", "train_plain_accuracy")]
            axes.scatter(x, [place, place], color=INK, s=9, zorder=3)
    axes.set_yticks(
        range(len(pairs)), [f"{_words(data)}, {_title(setting)}" for data, setting in pairs]
    )
    axes.invert_yaxis()
    axes.set_xlim(0, 102)
    style(axes, "x", labelsize=10)
    axes.set_title(
        "Validation (diamond) and training accuracy (disc), in %",
        loc="left",
        color=INK,
        weight="bold",
    )
    dots = "; small dots: each seed" if len(_seeds(every)) else ""
    caption = (
        "Accuracy at the end of each training, on training pictures as they are and on validation "
        f"pictures{dots}. What lies between the two was memorised. Validation pictures have true "
        "labels, and pixels that are corrupted as those of the training."
    )
    return save_plot(record, plot, "accuracies", caption)


def _norms(record: Record, every: Sequence[Curves]) -> Figure:
    kinds = [data for data in (TRUE, RANDOM) if data in _data(every)]
    kinds = kinds or _data(every)[:1]
    plot, panels = _panels(len(kinds))
    settings = [name for name in _settings(every) if _group(every, kinds[0], name)]
    for axes, data in zip(panels, kinds, strict=True):
        for setting in settings:
            group = _group(every, data, setting)
            _curve(axes, group, "weight_norm", SETTING_COLOURS[setting], _title(setting))
        axes.set_title(_words(data), loc="left", fontsize=12, color=INK, weight="bold")
    limits = [axes.get_ylim() for axes in panels]
    for axes in panels:
        axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    _finish(plot, panels, "norm of the weights")
    caption = (
        "The Euclidean norm of all kernels and matrices through the training"
        f"{_seeds(every)}: whether random labels need larger weights than true ones, and what "
        "regularisation does to them."
    )
    return save_plot(record, plot, "weight_norms", caption)


# -- parts ---------------------------------------------------------------------------------------


def _panels(count: int) -> tuple[Plot, list[Axes]]:
    """Panels in two columns, or one alone."""
    across = min(2, count)
    down = -(-count // across)
    plot = Plot(figsize=(5.4 * across, HEIGHT * down), dpi=150, layout="constrained")
    return plot, [plot.add_subplot(down, across, place + 1) for place in range(count)]


def _finish(plot: Plot, panels: Sequence[Axes], label: str) -> None:
    for axes in panels:
        style(axes, "y", labelsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("epoch", color=INK)
        if label:
            axes.set_ylabel(label, color=INK)
    handles: Mapping[str, object] = {
        label: line
        for axes in panels
        for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    plot.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=min(3, len(handles)),
        frameon=False,
        fontsize=11,
        labelcolor=INK,
    )


def _curve(
    axes: Axes, group: Sequence[Curves], name: str, colour: str, label: str, factor: float = 1.0
) -> None:
    """The mean over seeds of a number of the epochs, in the band of all of them."""
    if not group:
        return
    series = [
        ([row["step"] for row in curves.rows], [factor * row[name] for row in curves.rows])
        for curves in group
    ]
    x, mean = _mean(series)
    if len(series) > 1:
        each = [*zip(*(values for _, values in series), strict=True)]
        axes.fill_between(x, [*map(min, each)], [*map(max, each)], color=colour, alpha=0.18, lw=0)
    marker = "o" if len(x) < 3 else ""
    axes.plot(x, mean, color=colour, linewidth=2.2, label=label, marker=marker)


def _mean(series: Sequence[Points]) -> Points:
    if not series:
        return [], []
    columns = zip(*(values for _, values in series), strict=True)
    return series[0][0], [sum(column) / len(column) for column in columns]


def _group(every: Sequence[Curves], data: str, setting: str) -> list[Curves]:
    """The trainings of all seeds."""
    return [
        curves
        for curves in every
        if (curves.training.data, curves.training.setting) == (data, setting)
    ]


def _settings(every: Sequence[Curves]) -> list[str]:
    names = dict.fromkeys(curves.training.setting for curves in every)
    return [name for name in names if name not in REMEDIES]


def _data(every: Sequence[Curves]) -> list[str]:
    return [*dict.fromkeys(curves.training.data for curves in every)]


def _seeds(every: Sequence[Curves]) -> str:
    count = len({curves.training.seed for curves in every})
    return f" ({count} seeds: mean, and all of them as a band or thin lines)" if count > 1 else ""


def _too_short(every: Sequence[Curves]) -> str:
    """A sentence on the trainings that have not memorised random labels; empty without any."""
    own = [
        curves
        for curves in every
        if curves.training.data == RANDOM and curves.training.setting not in REMEDIES
    ]
    short = [curves for curves in own if curves.last("train_plain_accuracy") < MEMORISED]
    if not short:
        return ""
    return (
        f" Too short to memorise: {len(short)} of the {len(own)} trainings on random labels stay "
        f"below {100 * MEMORISED:.0f} % of the training pictures."
    )


def _words(data: str) -> str:
    return "Gaussian noise" if data == "gaussian" else data.replace("_", " ")


def _title(setting: str) -> str:
    return WORDS.get(setting, setting.replace("_", " "))
