"""Names of earlier versions: classes, parts and keys, and what they are called now.

A command line or configuration that uses one is told the new name. The configuration in an earlier
run folder is read as if it had the new names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth.errors import InputError

# the dotted path of a class or function, as _target_ gives it
CLASSES = {
    "synth.comparison.Comparison": "synth.jobs.comparison.Comparison",
    "synth.encodings.facets.Facets": "synth.encodings.several_images.SeveralImages",
    "synth.encodings.multifaceted.Multifaceted": "synth.encodings.cluster_means.ClusterMeans",
    "synth.experiment.Experiment": "synth.engine.experiment.Experiment",
    "synth.film.Film": "synth.jobs.deepdream_film.DeepDreamFilm",
    "synth.measures.critical.CriticalSamples": "synth.metrics.critical_samples.CriticalSamples",
    "synth.measures.distances.Distances": "synth.metrics.distances.Distances",
    "synth.measures.fooling_rate.FoolingRate": "synth.metrics.fooling_rate.FoolingRate",
    "synth.measures.originals.Originals": "synth.figures.originals.Originals",
    "synth.measures.recognition.Recognition": "synth.metrics.recognition.Recognition",
    "synth.measures.strip.Strip": "synth.figures.strip.Strip",
    "synth.measures.term_error.TermError": "synth.metrics.term_error.TermError",
    "synth.measures.triptych.Triptych": "synth.figures.triptych.Triptych",
    "synth.measures.walk.Walk": "synth.figures.walk.Walk",
    "synth.networks.trained.trained": "synth.networks.bundled.bundled",
    "synth.objectives.rivals.Rivals": "synth.objectives.alternatives.Alternatives",
    "synth.objectives.weighted.WeightedSum": "synth.core.weighted_sum.WeightedSum",
    "synth.onemax.OneMax": "synth.jobs.onemax.OneMax",
    "synth.probes.natural_statistics.NaturalStatistics": (
        "synth.probes.natural_statistics.MeasureNaturalStatistics"
    ),
    "synth.render.Render": "synth.jobs.render.Render",
    "synth.searches.survival.Generational": "synth.searches.operators.survival.Generational",
    "synth.searches.survival.MuCommaLambda": "synth.searches.operators.survival.MuCommaLambda",
    "synth.searches.survival.MuPlusLambda": "synth.searches.operators.survival.MuPlusLambda",
    "synth.searches.survival.SteadyState": "synth.searches.operators.survival.SteadyState",
    "synth.stylize.Stylize": "synth.jobs.stylize.Stylize",
    "synth.texture_nearest.TextureNearest": "synth.jobs.texture_nearest.TextureNearest",
    "synth.training.classifier.TrainClassifier": (
        "synth.training.classifier.train_classifier.TrainClassifier"
    ),
    "synth.training.generator.TrainGenerator": (
        "synth.training.generator.train_generator.TrainGenerator"
    ),
    "synth.training.stylizer.TrainStylizer": (
        "synth.training.stylizer.train_stylizer.TrainStylizer"
    ),
}

# conf/GROUP/OPTION.yaml
OPTIONS = {
    ("encoding", "facets"): "several_images",
    ("encoding", "multifaceted"): "cluster_means",
    ("objective", "rivals"): "alternatives",
}

# the last part of a key, and what a class that takes no such parameter may call it
KEYS = {
    "facets": ("clusters",),
    "measure": ("score",),
    "measures": ("metrics", "figures"),
    "rounded": ("eight_bit",),
    "watch": ("monitor",),
}

FIGURES = ("originals", "strip", "triptych", "walk")  # of the old group measure; others: metrics

_ROOT = r"^((?:experiments\.\w+|shared)\.)?"  # a synthesis, alone or in a comparison
# a key within a package, by pattern
_KEYS = (
    (_ROOT + r"watch(?=\.|$)", r"\1monitor"),
    (_ROOT + rf"measures(?=\.(?:{'|'.join(FIGURES)})(?:\.|$))", r"\1figures"),
    (_ROOT + r"measures(?=\.|$)", r"\1metrics"),
    (r"((?:^|\.)(?:objective|monitor)(?:\.[\w.]+)?)(?<!terms)\.measure$", r"\1.score"),
    (r"((?:^|\.)encoding(?:\.[\w.]+)?)\.rounded$", r"\1.eight_bit"),
    (r"((?:^|\.)encoding(?:\.[\w.]+)?)\.facets$", r"\1.clusters"),
)


def refuse_old_words(words: Sequence[str]) -> None:
    """Refuses the first override of a command line that has an old name in it.

    Raises:
        InputError: naming the override as it is written now.
    """
    for word in words:
        current = current_word(word)
        if current != word:
            raise InputError(f"{word}: has another name now; write {current}")


def current_word(word: str) -> str:
    """An override in the names of this version: ``monitor.score=margin`` for ``watch.measure``."""
    key, equals, value = word.partition("=")
    sign = key[: len(key) - len(key.lstrip("+~"))]
    group, at, package = key[len(sign) :].partition("@")
    if not at and group not in {name for name, _ in OPTIONS} | {"measure"}:
        return f"{sign}{_current_key(group)}{equals}{value}"
    options = value.split(",")
    if group == "measure":
        figure = options[0] in FIGURES or package.rpartition(".")[2] in FIGURES
        group = "figure" if figure else "metric"
        package = re.sub(_ROOT + r"measures(?=\.|$)", rf"\1{group}s", package)
    value = ",".join(current_option(group, option) for option in options)
    return f"{sign}{group}{at}{_current_key(package)}{equals}{value}"


def current_option(group: str, option: str) -> str:
    """What ``conf/GROUP/OPTION.yaml`` is called now."""
    return OPTIONS.get((group, option), option)


def _current_key(key: str) -> str:
    for pattern, replacement in _KEYS:
        key = re.sub(pattern, replacement, key)
    return key
