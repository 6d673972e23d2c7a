"""Trainings on true and on meaningless data: which it was, and what it gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TRUE, RANDOM = "true_labels", "random_labels"
NONE = "none"
# additional critical samples with dropout, and the same dropout without them
CRITICAL, ALONE = "critical_samples", "dropout_alone"
WORDS = {
    NONE: "no regularisation",
    "all": "all three",
    CRITICAL: "critical samples + dropout",
    ALONE: "the same dropout alone",
}
MEMORISED = 0.99  # accuracy on training pictures


@dataclass(frozen=True)
class Training:
    """One of the trainings.

    Attributes:
        data: the kind of data.
        setting: the regularisation, or ``critical_samples`` or ``dropout_alone``.
        seed: of weights, labels, pixels and order.
    """

    data: str
    setting: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.data}-{self.setting}-{self.seed}"

    @property
    def title(self) -> str:
        """The name in words."""
        setting = WORDS.get(self.setting, self.setting)
        return f"{self.data}, {setting}, seed {self.seed}".replace("_", " ")


@dataclass(frozen=True)
class Curves:
    """What a training gave.

    Attributes:
        training: which it was.
        rows: the numbers of each epoch.
        critical: epoch, ratio and labels near a sample, where that was measured.
    """

    training: Training
    rows: Sequence[Mapping[str, float]]
    critical: Sequence[Mapping[str, float]]

    def last(self, name: str) -> float:
        """A number of the last epoch."""
        return float(self.rows[-1][name])

    @property
    def memorised_in(self) -> int | None:
        """The first epoch after which 99 % of the training pictures get their label, or None."""
        return next(
            (int(row["step"]) for row in self.rows if row["train_plain_accuracy"] >= MEMORISED),
            None,
        )
