"""The nouns of the engine: what each part takes and gives, and the types that they share.

A search moves the genomes of an encoding so that the images they decode to score high on an
objective, read from a network.
"""

from synth.core.interfaces import (
    BoundObjective,
    Cotangents,
    Encoding,
    Evaluation,
    Genome,
    Images,
    Objective,
    PerRow,
    Problem,
    Readout,
    Scores,
    Search,
    State,
    StepReport,
    Target,
    Transform,
    ones,
)
from synth.core.rows import Rows

__all__ = [
    "BoundObjective",
    "Cotangents",
    "Encoding",
    "Evaluation",
    "Genome",
    "Images",
    "Objective",
    "PerRow",
    "Problem",
    "Readout",
    "Rows",
    "Scores",
    "Search",
    "State",
    "StepReport",
    "Target",
    "Transform",
    "ones",
]
