"""OneMax: its strings, its selection probabilities, and its log of each generation."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from console import Synth, result_of, steps_of
from PIL import Image
from scipy import stats
from small_worlds import rows_of

from synth.errors import InputError
from synth.jobs.onemax import OneMax, ones_of
from synth.record.folder_record import FolderRecord
from synth.searches.operators.crossover import NoCrossover, OnePoint, TwoPoint, UniformCrossover
from synth.searches.operators.mutation import BitFlip, GaussianMutation
from synth.searches.operators.selection import Best, Roulette, Tournament
from synth.searches.operators.topology import TopologyMutation

pytest_plugins = "console_fixtures"

STRINGS = ["1111010101", "0111000101", "1110110101", "0100010011", "1110111101", "0100110000"]
STRING = r"[01\[\]]+"


def make_onemax(select=None, mate=None, mutate=None, **numbers) -> OneMax:
    return OneMax(select or Roulette(), mate or TwoPoint(), mutate or BitFlip(0.05), **numbers)


def test_the_strings_of_the_lecture_are_selected_by_f_over_sum_f() -> None:
    bits = torch.tensor([[[float(bit) for bit in string] for string in STRINGS]])
    fitness = ones_of(bits)
    assert fitness.tolist() == [[7, 5, 7, 4, 8, 3]]
    assert fitness.sum() == 34
    chosen = Roulette()(fitness, 34_000, rows_of(1, "lecture"))
    assert stats.chisquare(np.bincount(chosen[0]), fitness[0].numpy() * 1000.0).pvalue > 0.01


def generations_in(text: str) -> list[dict[str, list[str]]]:
    """Each generation in the log: strings, selected, crossed, mutated; numbers of the selected."""
    generations = []
    for part in re.split(r"\nGeneration \d+", text)[1:]:
        strings = {
            f"s{mark}": re.findall(rf"^  s\d+{mark} = ({STRING})", part, re.M)
            for mark in ("", "'", "''", "'''")
        }
        generations.append(
            strings
            | {
                "numbers": re.findall(r"\(s(\d+), ", part),
                "share": re.findall(r", (\d+/\d+)\)", part),
            }
        )
    return generations


@pytest.mark.parametrize("mate", [TwoPoint(), OnePoint(), UniformCrossover(0.5), NoCrossover()])
def test_the_log_describes_each_generation(
    mate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = (
        make_onemax(mate=mate, generations=25, population=7, length=8, seed=1)
        .run(FolderRecord(tmp_path))
        .to_dict()
    )
    generations = generations_in(capsys.readouterr().err)
    steps = steps_of(tmp_path)
    assert len(generations) == result["findings"]["generations"] == len(steps) - 1 > 3
    for index, generation in enumerate(generations):
        population = generation["s"]
        ones = [string.count("1") for string in population]
        assert steps[index]["best"] == max(ones)
        assert steps[index]["mean"] == pytest.approx(sum(ones) / 7)
        assert steps[index]["statistics"]["std"] == pytest.approx(np.std(ones), abs=1e-5)
        assert generation["s'"] == [population[int(number) - 1] for number in generation["numbers"]]
        assert generation["share"] == [
            f"{ones[int(number) - 1]}/{sum(ones)}" for number in generation["numbers"]
        ]
        for place, crossed in enumerate(generation["s''"]):
            partner = generation["s'"][min(place ^ 1, 6)]
            swaps = [bool(piece) for piece in _marks(crossed)]
            expected = [
                partner[i] if swap else generation["s'"][place][i] for i, swap in enumerate(swaps)
            ]
            assert _plain(crossed) == "".join(expected)
            if place == 6 or isinstance(mate, NoCrossover):
                assert not any(swaps)  # the last of an odd number is not crossed
        for before, after in zip(generation["s''"], generation["s'''"], strict=True):
            assert [a != b for a, b in zip(_plain(before), _plain(after), strict=True)] == _marks(
                after
            )
        if index + 1 < len(generations):
            assert generations[index + 1]["s"] == [_plain(string) for string in generation["s'''"]]


def _plain(string: str) -> str:
    return re.sub(r"[\[\]]", "", string)


def _marks(string: str) -> list[bool]:
    return [inside for text, inside in _pieces(string) for _ in text]


def _pieces(string: str) -> list[tuple[str, bool]]:
    return [
        (piece.strip("[]"), piece.startswith("["))
        for piece in re.findall(r"\[[01]+\]|[01]+", string)
    ]


def test_it_ends_at_the_first_string_of_ones(tmp_path: Path) -> None:
    result = (
        make_onemax(Tournament(3), generations=500, population=20)
        .run(FolderRecord(tmp_path))
        .to_dict()
    )
    findings = result["findings"]
    steps = steps_of(tmp_path)
    assert findings["solved"]
    assert findings["best_string"] == "1" * 10
    assert [step["best"] == 10 for step in steps] == [False] * findings["generations"] + [True]
    with Image.open(tmp_path / result["figures"][0]["file"]) as image:
        pixels = np.asarray(image)
    assert set(np.unique(pixels)) == {0, 235, 255}
    # a square of 8 x 8 for each 1
    assert (pixels == 0).sum() == 64 * round(sum(step["mean"] * 20 for step in steps))


def test_operators_of_real_genomes_keep_strings_binary(tmp_path: Path) -> None:
    result = (
        make_onemax(Best(), UniformCrossover(), GaussianMutation(1.0, 0.3), generations=40)
        .run(FolderRecord(tmp_path))
        .to_dict()
    )
    assert set(result["findings"]["best_string"]) <= {"0", "1"}
    assert result["findings"]["best"] == int(result["findings"]["best"])


@pytest.mark.parametrize(
    ("select", "line"),
    [
        (Roulette(), "Selected, each with the probability f / sum f:"),
        (Tournament(2), "Selected:"),
    ],
)
def test_only_the_roulette_selects_by_f_over_sum_f(
    select, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_onemax(select, generations=2).run(FolderRecord(tmp_path))
    assert line in capsys.readouterr().err.splitlines()


def test_a_mutation_of_graphs_is_refused() -> None:
    with pytest.raises(InputError, match="changes graphs"):
        make_onemax(mutate=TopologyMutation())


@pytest.mark.parametrize(
    "sizes", [{"length": 1}, {"population": 1}, {"length": 1, "population": 1}]
)
def test_the_smallest_runs(sizes: dict[str, int], tmp_path: Path) -> None:
    assert (
        make_onemax(generations=3, **sizes).run(FolderRecord(tmp_path)).to_dict()["status"]
        == "done"
    )


@pytest.mark.parametrize("word", ["length", "population", "generations"])
def test_sizes_are_checked(word: str) -> None:
    with pytest.raises(InputError, match=f"{word}=0: write 1 or more"):
        make_onemax(**{word: 0})


def test_the_command_gives_the_same_steps_twice_and_after_a_kill(synth: Synth) -> None:
    output = synth("recipe=onemax", "folder=one")
    assert output.code == 0, output.err
    result = result_of(Path("one"))
    assert result["findings"]["solved"]
    assert len(generations_in(output.err)) == result["findings"]["generations"]
    assert "\x1b" not in output.err  # no colours in a pipe
    assert synth("recipe=onemax", "folder=two").code == 0
    assert Path("one/steps.jsonl").read_text() == Path("two/steps.jsonl").read_text()
    Path("two/result.json").unlink()  # as a kill just before the end leaves it
    assert synth("recipe=onemax", "folder=two").code == 0
    assert Path("one/steps.jsonl").read_text() == Path("two/steps.jsonl").read_text()
    operators = (
        "search/select@select=rank",
        "search/mate@mate=one_point",
        "search/mutate@mutate=stock",
        "mutate.name=mutFlipBit",
    )
    other = synth("recipe=onemax", "folder=three", *operators, "generations=5")
    assert other.code == 0, other.err
    assert json.dumps(result_of(Path("three"))["findings"])
    assert (
        "a probability lies in" in synth("recipe=onemax", "folder=four", "mutate.rate=2").complaint
    )
