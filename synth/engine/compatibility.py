"""Compatibility of parts: one table of what searches and objectives require of each other.

Searches, objectives and encodings declare what they need and give:
`Search.shared_population`, `Search.alternatives`, `BoundObjective.columns`,
`Objective.needs_original` and so on. `RULES` compares them. `items_rows` pairs targets with
pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from synth.core import Encoding, Objective, Rows, Search, Target
from synth.core.randomness import key_of
from synth.engine.fitness import ImageProblem
from synth.engine.verdict import is_hit
from synth.errors import InputError
from synth.networks import reading
from synth.record.result import option_of


@dataclass(frozen=True)
class Parts:
    """The parts of an experiment that the rules compare.

    Attributes:
        problem: encoding, transform, network, bound objective.
        objective: the objective before it was bound.
        search: the search.
        rows: one an item.
        monitoring: whether another objective than the one maximised is monitored.
    """

    problem: ImageProblem
    objective: Objective
    search: Search
    rows: Rows
    monitoring: bool

    @property
    def search_name(self) -> str:
        return option_of(self.search)

    @property
    def encoding_name(self) -> str:
        return option_of(self.problem.encoding)

    @property
    def pictures(self) -> int:
        """How many pictures the encoding starts from."""
        return len(self.problem.encoding.names or ())


@dataclass(frozen=True)
class Rule:
    """One rule of compatibility.

    Attributes:
        violated: whether parts break the rule.
        message: the error for such parts.
    """

    violated: Callable[[Parts], bool]
    message: Callable[[Parts], str]


RULES = (
    Rule(
        lambda parts: (
            parts.problem.monitor.items is not None
            and len(parts.problem.monitor.items) not in (1, len(parts.rows))
        ),
        lambda parts: (
            f"monitor: {len(parts.problem.monitor.items or ())} targets, {len(parts.rows)} items; "
            "name one, or one for each."
        ),
    ),
    Rule(
        lambda parts: parts.problem.objective.alternatives and not parts.search.alternatives,
        lambda parts: (
            f"objective: it gives several scores of an item, which {parts.search_name} cannot "
            "read; write search=deepfool, or an objective of one score, untargeted."
        ),
    ),
    Rule(
        lambda parts: parts.problem.objective.alternatives and not parts.monitoring,
        lambda parts: (
            "monitor: with an objective of alternatives a single score must be monitored; write "
            "monitor=untargeted."
        ),
    ),
    Rule(
        lambda parts: (
            parts.problem.objective.columns > 1
            and not (parts.search.shared_population or parts.problem.objective.alternatives)
        ),
        lambda parts: (
            f"objective: it scores each image for all {parts.problem.objective.columns} items, "
            f"which {parts.search_name} cannot read; write search=map_elites, or an objective of "
            "one score, class_log_probability."
        ),
    ),
    Rule(
        lambda parts: parts.search.shared_population and parts.monitoring,
        lambda parts: (
            f"monitor: {parts.search_name} monitors the objective itself; leave it out "
            "(monitor=null)."
        ),
    ),
    Rule(
        lambda parts: parts.search.shared_population and parts.pictures > 1,
        lambda parts: (
            f"search={parts.search_name}: all items share one population, which starts from one "
            f"picture; name one picture, not {parts.pictures}."
        ),
    ),
    Rule(
        lambda parts: (
            parts.objective.needs_original and parts.problem.encoding.originals(parts.rows) is None
        ),
        lambda parts: (
            f"image: encoding={parts.encoding_name} does not start from a picture, so nothing "
            "reads it; write encoding=perturbation, or leave image= out."
        ),
    ),
    Rule(
        lambda parts: parts.search.gradient and not parts.problem.differentiable,
        lambda parts: (
            f"search={parts.search_name}: this encoding has no gradient; use search=genetic, or "
            "another encoding."
        ),
    ),
    Rule(
        lambda parts: (
            parts.search.staged and type(parts.problem.encoding).transfer is Encoding.transfer
        ),
        lambda parts: (
            f"search={parts.search_name}: encoding={parts.encoding_name} transfers no genome to "
            "another size; write search=gradient, or another encoding."
        ),
    ),
)


def check_compatible(parts: Parts) -> None:
    """Refuses parts that cannot be combined.

    Raises:
        InputError: for the first of `RULES` that is violated, or where the network cannot read
            images of the size that encoding and transform give.
    """
    for rule in RULES:
        if rule.violated(parts):
            raise InputError(rule.message(parts))
    parts.problem.check()


def items_rows(
    targets: Sequence[Target] | None,
    pictures: Sequence[str] | None,
    seed: int,
    device: torch.device,
) -> Rows:
    """One row an item: as many as there are targets or pictures, one where there is neither.

    The key of an item is made from its target and picture, not from its place: it draws the same
    random numbers alone and among others.

    Args:
        targets: of the objective.
        pictures: names of those that the encoding starts from.
        seed: of the run.
        device: of the rows.

    Raises:
        InputError: where several targets and several pictures do not pair.
    """
    counts = {len(names) for names in (targets, pictures) if names is not None and len(names) > 1}
    if len(counts) > 1:
        assert targets is not None
        assert pictures is not None
        raise InputError(
            f"{len(targets)} targets and {len(pictures)} pictures: name one target for all, or one "
            "for each."
        )
    count = counts.pop() if counts else 1
    keys: list[int] = []
    repetitions: dict[str, int] = {}
    for item in range(count):
        parts = [
            names[item if len(names) > 1 else 0]
            for names in (targets, pictures)
            if names is not None
        ]
        identity = ":".join(
            (part.seed_name or part.name) if isinstance(part, Target) else part for part in parts
        )
        # the same item asked for twice draws differently
        repetitions[identity] = repetitions.get(identity, -1) + 1
        keys.append(key_of(seed, identity, repetitions[identity]))
    return Rows(torch.arange(count, device=device), torch.tensor(keys, device=device))


def refuse_already_met(problem: ImageProblem, rows: Rows) -> None:
    """Raises InputError where the only clean image is predicted as the target already.

    Of several images those that meet their target are marked in the result, be it all of them, and
    so is one that is misclassified from the start.
    """
    originals, target = problem.encoding.originals(rows), problem.objective.target(rows)[0]
    if originals is None or len(rows) > 1 or target is None or target.index is None:
        return
    if target.untargeted:
        return
    network = problem.network
    logits = reading.logits(network, originals, cached=True)
    if not is_hit(logits[0], target):
        return
    predicted = network.classes.label(int(logits[0].argmax()))
    raise InputError(
        f"target={target.name}: {network.name} already predicts {predicted} for "
        "the clean image; name another target, or another picture."
    )
