"""Takes targets, pictures and the parts of a synthesis; gives the items of a run, or says what does not go together."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from synth.core import Rows, Search, Target
from synth.core.randomness import key_of
from synth.engine.fitness import ImageProblem
from synth.engine.verdict import is_hit, logits_of
from synth.errors import InputError


def items_rows(
    targets: Sequence[Target] | None,
    pictures: Sequence[str] | None,
    seed: int,
    device: torch.device,
) -> Rows:
    """A row an item: as many as there are targets or pictures, one where there is neither."""
    counts = {len(names) for names in (targets, pictures) if names is not None and len(names) > 1}
    if len(counts) > 1:
        assert targets is not None
        assert pictures is not None
        raise InputError(
            f"{len(targets)} targets and {len(pictures)} pictures: name one target for all, or one for each."
        )
    count = counts.pop() if counts else 1
    keys, seen = [], {}
    for item in range(count):
        parts = [
            names[item if len(names) > 1 else 0]
            for names in (targets, pictures)
            if names is not None
        ]
        identity = ":".join(part.name if isinstance(part, Target) else part for part in parts)
        seen[identity] = (
            seen.get(identity, -1) + 1
        )  # the same item asked for twice draws differently
        keys.append(key_of(seed, identity, seen[identity]))
    return Rows(torch.arange(count, device=device), torch.tensor(keys, device=device))


def check_compatible(problem: ImageProblem, search: Search, rows: Rows, watching: bool) -> None:
    """Raises InputError where the parts do not go together; `watching`: whether another objective is watched."""
    bound, monitored, encoding = problem.objective, problem.monitor, problem.encoding
    name = type(search).__name__.lower()
    if monitored.items is not None and len(monitored.items) not in (1, len(rows)):
        raise InputError(
            f"monitor: {len(monitored.items)} targets, {len(rows)} items; name one, or one for each."
        )
    if bound.alternatives and not search.alternatives:
        raise InputError(
            f"objective: it gives several scores of an item, which {name} cannot read; write search=deepfool, or "
            "an objective of one score, untargeted."
        )
    if bound.alternatives and not watching:
        raise InputError(
            "monitor: with an objective of rivals a single score must be watched; write monitor=untargeted."
        )
    if bound.columns > 1 and not (search.shared_population or bound.alternatives):
        raise InputError(
            f"objective: its pictures compete for all {bound.columns} items, which {name} cannot read; "
            "write search=map_elites, or an objective of one score, class_log_probability."
        )
    if search.shared_population and watching:
        raise InputError(
            "monitor: a map watches what its cells are scored by; leave it out (monitor=null)."
        )
    if search.shared_population and len(encoding.names or ()) > 1:
        raise InputError(
            f"search={name}: its pictures compete for every item, so all set out from one; name one "
            f"picture, not {len(encoding.names or ())}."
        )
    problem.check()


def refuse_what_is_there(problem: ImageProblem, rows: Rows) -> None:
    """Raises InputError where every picture is seen as wanted before anything is done: there is nothing to search."""
    originals, targets = problem.encoding.originals(rows), problem.objective.target(rows)
    if originals is None or not any(target and target.index is not None for target in targets):
        return
    scores = logits_of(problem.network, originals)
    if all(is_hit(before, target) for before, target in zip(scores, targets, strict=True)):
        seen, wanted = problem.network.classes.label(int(scores[0].argmax())), targets[0]
        if wanted is not None and wanted.untargeted and wanted.index is not None:
            shown = problem.network.classes.label(wanted.index)
            raise InputError(
                f"label={shown}: {problem.network.name} sees {seen} from the start, so there is nothing to fool; name "
                "another picture, or leave label= out."
            )
        raise InputError(
            f"target={wanted.name if wanted else ''}: {problem.network.name} sees that already ({seen}); name another "
            "target, or another picture."
        )
