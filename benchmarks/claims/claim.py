"""A claim, what was measured of it, and how figures get their intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from statistics import fmean, median
from typing import Any

from synth.metrics.intervals import bootstrap, median_interval, wilson

CIS680 = "CIS 680"
CS231N = "CS231n, notes"
SUMMARY = "CS231n, a summary of lecture 12"
DL4CV = "Deep Learning for Computer Vision, notes on lecture 14"
TJ = "TJ Machine Learning"
LITERATURE = "not of the lectures"
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Figure:
    """A measured number with its interval of 95 %.

    Attributes:
        label: what it is.
        value: the number.
        low: end of the interval; None where nothing varies.
        high: the other end.
        unit: ``%`` for a share, which is written times 100; or a word behind the number.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""

    def text(self, interval: bool = True) -> str:
        """The number, with its interval where that is wanted, for the page."""
        label, unit = self.label.replace("_", " "), f" {self.unit}" if self.unit else ""
        if not interval:
            return f"{label} {self._digits(self.value)}{unit}"
        ends = ""
        if self.low is not None:
            ends = f" ({self._digits(self.low)} to {self._digits(self.high)})"
        return f"{label}: **{self._digits(self.value)}**{ends}{unit}"

    def _digits(self, number: float | None) -> str:
        assert number is not None
        if self.unit == "%":
            return f"{100 * number:.1f}"
        if abs(number) >= 100 or (self.low is None and float(number).is_integer()):
            return f"{number:,.0f}"
        return f"{number:.3f}" if abs(number) < 10 else f"{number:.1f}"


@dataclass(frozen=True)
class Outcome:
    """What was measured of a claim.

    Attributes:
        holds: whether the criterion is met.
        figures: the numbers.
    """

    holds: bool
    figures: list[Figure]


@dataclass(frozen=True)
class Claim:
    """A sentence of a lecture that can be checked.

    Attributes:
        title: the claim in a few words.
        words: the lecture's own, shortened.
        lecture: which one.
        commands: what a user types; the first words of `run` choose among them.
        criterion: when the claim holds, stated before anything was measured.
        measure: runs the commands by the runner that it is given.
        seeds: of the runs; none where nothing is drawn.
        note: what has to be known to read the figures.
    """

    title: str
    words: str
    lecture: str
    commands: tuple[str, ...]
    criterion: str
    measure: Callable[[Any], Outcome]
    seeds: tuple[int, ...] = ()
    note: str = ""

    @property
    def name(self) -> str:
        """Of the function that measures it."""
        return self.measure.__name__


@dataclass(frozen=True)
class Quoted:
    """A claim whose figure stands in docs/measured.md, where a longer benchmark made it.

    Attributes:
        title: as of `Claim`.
        words: likewise.
        lecture: likewise.
        commands: of the benchmark.
        criterion: when the claim holds.
        row: the first words of a row of docs/measured.md.
        text: of its figures.
        holds: whether these meet the criterion.
        note: as of `Claim`.
    """

    title: str
    words: str
    lecture: str
    commands: tuple[str, ...]
    criterion: str
    row: str
    text: str
    holds: bool
    note: str = ""


@dataclass(frozen=True)
class Measured:
    """A saved outcome.

    Attributes:
        commands: that were run.
        seeds: of theirs.
        criterion: that was applied.
        outcome: of them.
        versions: of the packages that decide what is drawn.
    """

    commands: tuple[str, ...]
    seeds: tuple[int, ...]
    criterion: str
    outcome: Outcome
    versions: dict[str, str] = field(default_factory=dict)

    def is_of(self, claim: Claim) -> bool:
        """Whether the claim is still the one that was measured."""
        own = (claim.commands, claim.seeds, claim.criterion)
        return own == (self.commands, self.seeds, self.criterion)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @staticmethod
    def from_dict(content: dict[str, Any]) -> Measured:
        """The outcome of plain JSON values."""
        outcome = content["outcome"]
        figures = [Figure(**figure) for figure in outcome["figures"]]
        return Measured(
            tuple(content["commands"]),
            tuple(content["seeds"]),
            content["criterion"],
            Outcome(outcome["holds"], figures),
            content["versions"],
        )


def claim(
    title: str,
    words: str,
    lecture: str,
    commands: str | Sequence[str],
    criterion: str,
    seeds: Sequence[int] = (),
    note: str = "",
) -> Callable[[Callable[[Any], Outcome]], Claim]:
    """Makes a claim of the function that measures it."""
    several = (commands,) if isinstance(commands, str) else tuple(commands)

    def made(measure: Callable[[Any], Outcome]) -> Claim:
        return Claim(title, words, lecture, several, criterion, measure, tuple(seeds), note)

    return made


def rate(label: str, hits: Sequence[bool]) -> Figure:
    """A share of trials, with Wilson's interval."""
    count = sum(map(bool, hits))
    return Figure(label, count / len(hits), *wilson(count, len(hits)), unit="%")


def mean(label: str, values: Sequence[float], unit: str = "") -> Figure:
    """A mean, with the bootstrap's interval; values that are not finite are left out."""
    numbers = [float(value) for value in values if isfinite(value)]
    low, high = bootstrap(numbers, fmean) or (None, None)
    return Figure(label, fmean(numbers), low, high, unit)


def middle(label: str, values: Sequence[float], unit: str = "") -> Figure:
    """A median with its interval; values that are not finite are left out."""
    numbers = [float(value) for value in values if isfinite(value)]
    low, high = median_interval(numbers) or (None, None)
    return Figure(label, median(numbers), low, high, unit)


def above(figure: Figure, bound: float) -> bool:
    """Whether the whole interval lies above `bound`."""
    return (figure.value if figure.low is None else figure.low) > bound


def below(figure: Figure, bound: float) -> bool:
    """Whether the whole interval lies below `bound`."""
    return (figure.value if figure.high is None else figure.high) < bound
