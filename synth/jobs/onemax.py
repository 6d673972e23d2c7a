"""OneMax, the textbook's genetic algorithm on bit strings, printed generation by generation.

Fitness is the number of ones; parents are selected in proportion to fitness, neighbours exchange
bits, some bits flip, and the children are the next generation. The operators are those that evolve
images, in a DEAP `Toolbox`, and any other takes their place by YAML.
"""

from __future__ import annotations

import io
import time

import numpy as np
import torch
from deap import base
from PIL import Image
from rich.console import Console
from rich.text import Text
from torch import Tensor

from synth.core import Crossover, Mutation, Rows, Selection
from synth.core.hardware import device_of
from synth.core.randomness import key_of
from synth.engine.memory import check_fits
from synth.errors import InputError
from synth.record import progress
from synth.record.job import Job
from synth.record.record import Record, versions
from synth.record.result import Figure, Result
from synth.searches.operators.selection import Roulette

FIGURE = "populations.png"
# on a terminal; brackets mark both, so that a file shows them too
EXCHANGED, FLIPPED = "bold red", "bold blue"
# pixels of a bit, pixels between generations, generations in a row
CELL, GAP, ACROSS = 8, 12, 8
BYTES_PER_BIT = CELL * CELL  # in the picture of one generation


class OneMax(Job):
    """Evolves bit strings until one of them is all ones.

    Genes that an operator of real numbers leaves between 0 and 1 become the nearer bit. Children
    replace their parents, as in the simple genetic algorithm of Holland 1975 (DEAP's ``eaSimple``),
    so the best may be lost again.

    Args:
        select: parent selection.
        mate: crossover.
        mutate: mutation.
        length: bits of a string, 1 or more.
        population: number of strings, 1 or more.
        generations: at most, 1 or more.
        seed: of all random numbers.
        device: ``auto``, ``cpu``, ``cuda:0``.

    Raises:
        InputError: for a length, population or number of generations below 1, or strings that the
            memory cannot hold.
    """

    def __init__(
        self,
        select: Selection,
        mate: Crossover,
        mutate: Mutation,
        length: int = 10,
        population: int = 6,
        generations: int = 200,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        sizes = {"length": length, "population": population, "generations": generations}
        for name, number in sizes.items():
            if number < 1:
                raise InputError(f"{name}={number}: write 1 or more.")
        self.length = length
        self.population = population
        self.generations = generations
        self.seed = seed
        self.device = device_of(device)
        check_fits(
            BYTES_PER_BIT * float(length) * population,
            f"length={length}, population={population}: drawing the strings",
            "write smaller numbers",
            self.device,
        )
        mutate.check(torch.zeros(length))
        self.toolbox = base.Toolbox()
        self.toolbox.register("evaluate", ones_of)
        self.toolbox.register("select", select)
        self.toolbox.register("mate", mate)
        self.toolbox.register("mutate", mutate)

    def run(self, record: Record) -> Result:
        """Evolves and prints; leaves steps.jsonl and a picture of all populations."""
        start = time.perf_counter()
        record.resume()  # a run this short begins again where it was killed
        console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=progress.silent)
        key = torch.tensor([key_of(self.seed, "onemax")], device=self.device)
        rows = Rows(torch.zeros_like(key), key)
        bits = (rows.uniform(self.population, self.length) < 0.5).float()
        populations, fitness = [bits], self.toolbox.evaluate(bits)
        self._log(record, 0, fitness)
        generation = 0
        while fitness.max() < self.length and generation < self.generations:
            generation += 1
            title = f"\nGeneration {generation}: the population, and how many ones each has"
            console.print(Text(title, "bold"))
            for place, string in enumerate(bits[0], start=1):
                line = Text(f"  s{place} = ").append(text_of(string))
                console.print(line.append(f"   f = {string.sum():g}"))
            before = fitness.sum()
            bits = self._offspring(bits, fitness, rows.fold_in(generation), console)
            fitness = self.toolbox.evaluate(bits)
            populations.append(bits)
            self._log(record, generation, fitness)
            console.print(
                Text(
                    f"  total f = {fitness.sum():g} (was {before:g}), best f = {fitness.max():g} "
                    f"of {self.length}"
                )
            )
        solved = bool(fitness.max() == self.length)
        best = str(text_of(bits[0, fitness.argmax()]))
        end = f"The best, {best}, has {fitness.max():g} ones after {generation}"
        if solved:
            end = f"All ones after {generation}"
        console.print(Text(f"\n{end} generations.", "bold"))
        record.keep(FIGURE, draw(populations))
        caption = "The populations, generation by generation: a row is a string, black is 1."
        return Result(
            status="done",
            seconds=time.perf_counter() - start,
            device=str(self.device),
            versions=versions(),
            findings={
                "solved": solved,
                "generations": generation,
                "best": float(fitness.max()),
                "total_at_first": float(populations[0].sum()),
                "total_at_last": float(bits.sum()),
                "best_string": best,
            },
            figures=[Figure(FIGURE, caption)],
        )

    def _offspring(self, bits: Tensor, fitness: Tensor, rows: Rows, console: Console) -> Tensor:
        """The next generation [1, p, length]: selection, crossover and mutation, each printed."""
        selected = self.toolbox.select(fitness, self.population, rows.fold_in(1))
        parents, total = bits[:, selected[0]], float(fitness.sum())
        proportional = isinstance(self.toolbox.select.func, Roulette)
        how = ", each with the probability f / sum f" if proportional else ""
        console.print(f"Selected{how}:")
        for place, parent in enumerate(selected[0].tolist(), start=1):
            share = f"{fitness[0, parent]:g}/{total:g}"
            line = Text(f"  s{place}' = ").append(text_of(bits[0, parent]))
            console.print(line.append(f"   (s{parent + 1}, {share})"))
        children = nearest_bits(self.toolbox.mate(parents, rows.fold_in(2)))
        # the same draws on zeros and ones in place of strings show what came from the other parent,
        # even where the bits agree
        own = torch.arange(self.population, device=bits.device).remainder(2).to(bits.dtype)
        own = own[None, :, None].repeat(1, 1, self.length)
        exchanged = nearest_bits(self.toolbox.mate(own, rows.fold_in(2))) != own
        console.print("Crossover of neighbours, exchanged bits in brackets:")
        for place, (string, marks) in enumerate(zip(children[0], exchanged[0], strict=True)):
            partner = f"   (with s{(place ^ 1) + 1}')" if bool(marks.any()) else ""
            line = Text(f"  s{place + 1}'' = ").append(text_of(string, marks, EXCHANGED))
            console.print(line.append(partner))
        mutants = nearest_bits(self.toolbox.mutate(children, rows.fold_in(3)))
        console.print("Mutation, flipped bits in brackets:")
        flips = mutants != children
        for place, (string, marks) in enumerate(zip(mutants[0], flips[0], strict=True), start=1):
            console.print(Text(f"  s{place}''' = ").append(text_of(string, marks, FLIPPED)))
        return mutants

    def _log(self, record: Record, step: int, fitness: Tensor) -> None:
        statistics = {
            "max": float(fitness.max()),
            "mean": float(fitness.mean()),
            "min": float(fitness.min()),
            "std": float(fitness.std(correction=0)),
        }
        line = {
            "step": step,
            "best": statistics["max"],
            "mean": statistics["mean"],
            "statistics": statistics,
        }
        record.steps([line])


def ones_of(bits: Tensor) -> Tensor:
    """The fitness [n, p] of strings [n, p, length] of 0 and 1: the number of ones."""
    return bits.sum(2)


def nearest_bits(genes: Tensor) -> Tensor:
    """0 or 1 for each gene, whichever is nearer."""
    return (genes > 0.5).to(genes.dtype)


def draw(populations: list[Tensor]) -> bytes:
    """A PNG of populations [1, p, length]: a block each, a row a string, black where a bit is 1."""
    _, strings, length = populations[0].shape
    across = min(ACROSS, len(populations))
    height, width = strings * CELL + GAP, length * CELL + GAP
    down = -(-len(populations) // across)
    sheet = np.full((down * height + GAP, across * width + GAP), 235, np.uint8)
    for number, bits in enumerate(populations):
        top, left = GAP + number // across * height, GAP + number % across * width
        block = np.where(bits[0].cpu().numpy() > 0.5, 0, 255).astype(np.uint8)
        block = block.repeat(CELL, 0).repeat(CELL, 1)
        sheet[top : top + strings * CELL, left : left + length * CELL] = block
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG")
    return buffer.getvalue()


def text_of(bits: Tensor, marked: Tensor | None = None, style: str = "") -> Text:
    """A string of 0 and 1, runs of `marked` bits in brackets and in `style`."""
    text, before = Text(), False
    marks = [False] * len(bits) if marked is None else marked.tolist()
    for bit, mark in zip(bits.tolist(), marks, strict=True):
        if mark != before:
            text.append("[" if mark else "]", style)
        text.append(f"{bit:.0f}", style if mark else "")
        before = mark
    return text.append("]", style) if before else text
