"""All claims, topic by topic, in the order of the lectures."""

from __future__ import annotations

from types import ModuleType

from benchmarks.claims import (
    analysing,
    dreaming,
    evolving,
    fooling,
    generating,
    memorising,
    painting,
    quoted,
)
from benchmarks.claims.claim import Claim, Quoted

TOPICS: dict[str, tuple[ModuleType, str]] = {
    "What does the network respond to?": (analysing, "analysing"),
    "Pictures that a class or a unit prefers": (generating, "generating"),
    "Fooling images and adversarial images": (fooling, "fooling"),
    "Evolution": (evolving, "evolving"),
    "DeepDream and feature inversion": (dreaming, "dreaming"),
    "Texture and style": (painting, "painting"),
    "Learning or memorising?": (memorising, "memorising"),
}


def claims_of(topic: str) -> list[Claim | Quoted]:
    """The claims of a topic: those that are run, then those that are quoted."""
    module, key = TOPICS[topic]
    own = [value for value in vars(module).values() if isinstance(value, Claim)]
    return [*own, *quoted.QUOTED.get(key, [])]


def every_claim() -> dict[str, Claim]:
    """The claims that are run, by name."""
    claims = [claim for topic in TOPICS for claim in claims_of(topic) if isinstance(claim, Claim)]
    return {claim.name: claim for claim in claims}
