"""Takes a few bit strings; evolves them to all ones in sight of the reader, who sees every draw of every generation.

The toy of every lecture on genetic algorithms: fitness is the number of ones; parents are drawn by f / sum f,
neighbours exchange bits, some bits flip, and the children are the next generation. The operators are those
that evolve pictures, in a DEAP `Toolbox`, and any other takes their place by YAML.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from deap import base
from PIL import Image
from rich.console import Console
from rich.text import Text
from torch import Tensor

from synth.core import Rows
from synth.core.hardware import device_of
from synth.core.randomness import key_of
from synth.errors import InputError
from synth.record.atomic import write_atomically
from synth.record.record import Record, versions
from synth.searches.operators.selection import Roulette

FIGURE = "populations.png"
EXCHANGED, FLIPPED = (
    "bold red",
    "bold blue",
)  # on a terminal; brackets mark both, so that a file says it too
CELL, GAP, ACROSS = 8, 12, 8  # pixels of a bit, pixels between generations, generations in a row


class OneMax:
    """Evolves `population` strings of `length` bits, at most `generations` times, until one is all ones.

    `select`, `mate` and `mutate` take the place of each other's kind as in a genetic search. What an operator
    of real numbers leaves between 0 and 1 becomes the nearer bit. Children replace their parents, as in the
    simple genetic algorithm of Holland 1975 (DEAP's ``eaSimple``), so the best may be lost again.
    """

    def __init__(
        self,
        select: Callable[..., Tensor],
        mate: Callable[..., Tensor],
        mutate: Callable[..., Tensor],
        length: int = 10,
        population: int = 6,
        generations: int = 200,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        for word, number in (
            ("length", length),
            ("population", population),
            ("generations", generations),
        ):
            if number < 1:
                raise InputError(f"{word}={number}: write 1 or more.")
        self.length, self.population, self.generations, self.seed = (
            length,
            population,
            generations,
            seed,
        )
        self.device = device_of(device)
        check = getattr(mutate, "check", None)
        if check is not None:
            check(torch.zeros(length))
        self.toolbox = base.Toolbox()
        self.toolbox.register("evaluate", ones_of)
        self.toolbox.register("select", select)
        self.toolbox.register("mate", mate)
        self.toolbox.register("mutate", mutate)

    def run(self, record: Record) -> dict[str, Any]:
        """Evolves and tells; leaves steps.jsonl and a picture of all populations in the folder of `record`.

        Returns:
            The result record: ``items`` (none), ``findings``, ``figures``, ``status``.
        """
        began = time.perf_counter()
        record.resume()  # a run that was killed begins again: it lasts no longer than its checkpoint would take
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        key = torch.tensor([key_of(self.seed, "onemax")], device=self.device)
        rows = Rows(torch.zeros_like(key), key)
        bits = (rows.uniform(self.population, self.length) < 0.5).float()
        populations, fitness = [bits], self.toolbox.evaluate(bits)
        self._keep(record, 0, fitness)
        generation = 0
        while fitness.max() < self.length and generation < self.generations:
            generation += 1
            console.print(
                Text(
                    f"\nGeneration {generation}: the population, and how many ones each has", "bold"
                )
            )
            for place, string in enumerate(bits[0], start=1):
                console.print(
                    Text(f"  s{place} = ").append(told(string)).append(f"   f = {string.sum():g}")
                )
            before, bits = (
                fitness.sum(),
                self._next(bits, fitness, rows.fold_in(generation), console),
            )
            fitness = self.toolbox.evaluate(bits)
            populations.append(bits)
            self._keep(record, generation, fitness)
            said = f"total f = {fitness.sum():g} (was {before:g}), best f = {fitness.max():g} of {self.length}"
            console.print(Text(f"  {said}"))
        solved, best = bool(fitness.max() == self.length), str(told(bits[0, fitness.argmax()]))
        end = (
            f"All ones after {generation}"
            if solved
            else f"The best, {best}, has {fitness.max():g} ones after {generation}"
        )
        console.print(Text(f"\n{end} generations.", "bold"))
        write_atomically(record.folder / FIGURE, drawn(populations))
        return {
            "items": [],
            "findings": {
                "solved": solved,
                "generations": generation,
                "best": float(fitness.max()),
                "total_at_first": float(populations[0].sum()),
                "total_at_last": float(bits.sum()),
                "best_string": best,
            },
            "figures": [
                {
                    "file": FIGURE,
                    "caption": "The populations, generation by generation: a row is a string, black is 1.",
                }
            ],
            "seconds": time.perf_counter() - began,
            "status": "done",
            "device": str(self.device),
            "versions": versions(),
        }

    def _next(self, bits: Tensor, fitness: Tensor, rows: Rows, console: Console) -> Tensor:
        """The children [1, p, length] of `bits`, told step by step."""
        chosen = self.toolbox.select(fitness, self.population, rows.fold_in(1))
        parents, total = bits[:, chosen[0]], float(fitness.sum())
        how = (
            ", each with the probability f / sum f"
            if isinstance(self.toolbox.select.func, Roulette)
            else ""
        )
        console.print(f"Selected{how}:")
        for place, one in enumerate(chosen[0].tolist(), start=1):
            share = f"{fitness[0, one]:g}/{total:g}"
            console.print(
                Text(f"  s{place}' = ")
                .append(told(bits[0, one]))
                .append(f"   (s{one + 1}, {share})")
            )
        children = nearest_bits(self.toolbox.mate(parents, rows.fold_in(2)))
        # the same draws on zeros and ones in place of strings: what came from the other parent, even where bits agree
        own = (
            torch.arange(self.population, device=bits.device)
            .remainder(2)
            .to(bits.dtype)[None, :, None]
            .repeat(1, 1, self.length)
        )
        crossed = nearest_bits(self.toolbox.mate(own, rows.fold_in(2))) != own
        console.print("Crossover of neighbours, exchanged bits in brackets:")
        for place, (string, marks) in enumerate(zip(children[0], crossed[0], strict=True)):
            partner = f"   (with s{(place ^ 1) + 1}')" if bool(marks.any()) else ""
            console.print(
                Text(f"  s{place + 1}'' = ").append(told(string, marks, EXCHANGED)).append(partner)
            )
        mutants = nearest_bits(self.toolbox.mutate(children, rows.fold_in(3)))
        console.print("Mutation, flipped bits in brackets:")
        for place, (string, marks) in enumerate(
            zip(mutants[0], (mutants != children)[0], strict=True), start=1
        ):
            console.print(Text(f"  s{place}''' = ").append(told(string, marks, FLIPPED)))
        return mutants

    def _keep(self, record: Record, step: int, fitness: Tensor) -> None:
        numbers = {
            "max": fitness.max(),
            "mean": fitness.mean(),
            "min": fitness.min(),
            "std": fitness.std(correction=0),
        }
        statistics = {name: float(value) for name, value in numbers.items()}
        record.steps(
            [
                {
                    "step": step,
                    "best": statistics["max"],
                    "mean": statistics["mean"],
                    "statistics": statistics,
                }
            ]
        )


def ones_of(bits: Tensor) -> Tensor:
    """The fitness [n, p] of strings [n, p, length] of 0 and 1: how many ones they have."""
    return bits.sum(2)


def nearest_bits(genes: Tensor) -> Tensor:
    """0 or 1 for each gene, whichever is nearer."""
    return (genes > 0.5).to(genes.dtype)


def drawn(populations: list[Tensor]) -> bytes:
    """A PNG of populations [1, p, length]: one block each, a row a string, black where a bit is 1."""
    _, strings, length = populations[0].shape
    across = min(ACROSS, len(populations))
    height, width = strings * CELL + GAP, length * CELL + GAP
    sheet = np.full(
        (-(-len(populations) // across) * height + GAP, across * width + GAP), 235, np.uint8
    )
    for number, bits in enumerate(populations):
        top, left = GAP + number // across * height, GAP + number % across * width
        block = np.where(bits[0].cpu().numpy() > 0.5, 0, 255).astype(np.uint8)
        sheet[top : top + strings * CELL, left : left + length * CELL] = block.repeat(
            CELL, 0
        ).repeat(CELL, 1)
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG")
    return buffer.getvalue()


def told(bits: Tensor, marked: Tensor | None = None, style: str = "") -> Text:
    """A string of 0 and 1, runs of what is `marked` in brackets and in `style`."""
    text, before = Text(), False
    marks = [False] * len(bits) if marked is None else marked.tolist()
    for bit, mark in zip(bits.tolist(), marks, strict=True):
        if mark != before:
            text.append("[" if mark else "]", style)
        text.append(f"{bit:.0f}", style if mark else "")
        before = mark
    return text.append("]", style) if before else text
