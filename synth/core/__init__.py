"""The vocabulary of the engine: the interfaces of its parts, and the types that they share.

    A search moves the genomes of an encoding so that the images they decode to
    score high on an objective, read from a network.

interfaces.py   Encoding, Transform, Objective, BoundObjective, Problem, Search, and the records
                they exchange: Target, Readout, Evaluation, StepReport
operators.py    Selection, Crossover, Mutation, Survival: the operators of evolution
types.py        types of tensors: Images, Genome, Scores, PerRow, State, Cotangents
weighted_sum.py the weighted sum of objectives, which adding them gives
part.py         Part: the base class of all parts and jobs, whose numbers are finite
network.py      Network: a frozen classifier whose layers can be read
inference.py    the copy of a network that searches read: folded, in bfloat16
prediction.py   predicted classes, and none where a network answers NaN
classes.py      Classes: names and WordNet synsets of a network's outputs
rows.py         Rows: which item each row of a batch belongs to, and its random key
randomness.py   counter-based random numbers from such keys
elementwise.py  choices and exchanges by a mask, fast on a CPU
graph.py        networks of evolving topology as tensors, for CPPNs
lineage.py      lines of descent
hardware.py     devices and precisions by name
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synth.core.interfaces import (
        BoundObjective,
        Encoding,
        Evaluation,
        Objective,
        Problem,
        Readout,
        Search,
        StepReport,
        Target,
        Transform,
        ones,
    )
    from synth.core.operators import Crossover, Mutation, Selection, Survival
    from synth.core.part import Part
    from synth.core.rows import Rows
    from synth.core.types import Cotangents, Genome, Images, PerRow, Scores, State

__all__ = [
    "BoundObjective",
    "Cotangents",
    "Crossover",
    "Encoding",
    "Evaluation",
    "Genome",
    "Images",
    "Mutation",
    "Objective",
    "Part",
    "PerRow",
    "Problem",
    "Readout",
    "Rows",
    "Scores",
    "Search",
    "Selection",
    "State",
    "StepReport",
    "Survival",
    "Target",
    "Transform",
    "ones",
]


def __getattr__(name: str) -> Any:
    """A member, imported when it is first asked for.

    Its module imports torch, which takes seconds; ``synth.core.classes`` is read before that.
    """
    if name in __all__:
        for module in ("interfaces", "operators", "part", "rows", "types"):
            members = vars(import_module(f"{__name__}.{module}"))
            if name in members:
                return members[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
