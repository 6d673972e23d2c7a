"""The claims of the lectures, tested: python -m benchmarks.claims [--only NAME ...] [--list]

Runs every claim that has no result yet, or whose commands, seeds or criterion have changed, and
saves each result, so that the same command goes on where it was killed; then writes
docs/lessons/claims.md. ``--only`` measures some again, ``--write`` only writes the page. Pictures
and weights are those of the folder that SYNTH_SHARED names (default ../shared). About 40 minutes
of one core.
"""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.claims import results
from benchmarks.claims.claim import Claim, Measured
from benchmarks.claims.page import PAGE, render
from benchmarks.claims.running import Runner
from benchmarks.claims.topics import every_claim
from synth.record.record import versions


def main() -> None:
    """Runs claims, and writes the page."""
    claims = every_claim()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.claims")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="measure these, again")
    parser.add_argument("--list", action="store_true", help="names of the claims, and their titles")
    parser.add_argument("--write", action="store_true", help="only write the page")
    chosen = parser.parse_args()
    if chosen.list:
        for name, claim in claims.items():
            print(f"{name:32} {claim.title}")
        return
    unknown = [name for name in chosen.only or () if name not in claims]
    if unknown:
        sys.exit(f"{unknown[0]}: no such claim; --list names them.")
    measured = {name: each for name, each in results.load().items() if name in claims}
    names = chosen.only or [
        name
        for name, claim in claims.items()
        if not (name in measured and measured[name].is_of(claim))
    ]
    for name in [] if chosen.write else names:
        start = time.process_time()
        measured[name] = _measured(claims[name])
        results.save(name, measured[name])
        outcome = measured[name].outcome
        verdict = "holds" if outcome.holds else "does not hold"
        figures = "; ".join(figure.text() for figure in outcome.figures)
        seconds = time.process_time() - start
        print(f"{name}: {verdict}  {seconds:.0f} s of processor time\n  {figures}", flush=True)
    measured = {name: each for name, each in results.load().items() if name in claims}
    PAGE.write_text(render(measured), encoding="utf-8")


def _measured(claim: Claim) -> Measured:
    outcome = claim.measure(Runner(claim))
    return Measured(claim.commands, claim.seeds, claim.criterion, outcome, versions())


if __name__ == "__main__":
    main()
