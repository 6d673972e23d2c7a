"""Runs the commands of a claim, word for word, through the Python face."""

from __future__ import annotations

import os
import shlex
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

import synth
from benchmarks.claims.claim import Claim
from synth import data
from synth.core.network import Network

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
WORK = Path(tempfile.gettempdir()) / "synth-claims"
RUNS = "runs/"
WEIGHTS = "squeezenet1_1.fp16.safetensors"
# folders of the commands: what they are, and the archive and the folder in it
FOLDERS = {
    "tiny_imagenet/": ("tiny_imagenet_100_val", "tiny_imagenet_100"),
    "imagenet_samples/": ("imagenet_samples_500", "imagenet_samples_500"),
    "camvid/": ("camvid_180", "camvid_180"),
    "styles/": ("style_pictures", "style_pictures"),
}
TEN_CLASSES = "ten_classes/"


class Runner:
    """Runs what a claim names.

    Args:
        claim: whose commands are run.
    """

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.seeds = claim.seeds

    def __call__(self, place: int = 0, seed: int | None = None) -> synth.Result:
        """The result of a command; a repeated one is not run again.

        Args:
            place: of the command.
            seed: in place of the recipe's own.
        """
        return _result(self.claim.commands[place], seed)

    def each(self, place: int = 0) -> list[synth.Result]:
        """The results of a command, one for each seed."""
        return [self(place, seed) for seed in self.seeds]


@cache
def network(name: str) -> Network:
    """A network that no command names, or that reads what a command made."""
    weights = {"weights": SHARED / "weights" / WEIGHTS} if name == "squeezenet1_1" else {}
    return synth.network(name, **weights)


@cache
def _result(command: str, seed: int | None) -> synth.Result:
    program, recipe, *words = shlex.split(command)
    assert program == "synth"
    folder = None
    overrides = []
    for word in words:
        key, _, value = word.partition("=")
        if key == "folder":
            folder = _place(value, seed)
        else:
            overrides.append(f"{key}={_place(value, seed)}")
            if (key, value) == ("network", "squeezenet1_1"):
                overrides.append(f"network.weights={SHARED / 'weights' / WEIGHTS}")
    settings = {} if seed is None else {"seed": seed}
    return synth.run(
        recipe.removeprefix("recipe="),
        folder=folder,
        overrides=overrides,
        progress=False,
        **settings,
    )


def _place(value: str, seed: int | None) -> str:
    """The value with the folders of the command as they are on this machine."""
    if value.startswith(RUNS):
        run, slash, rest = value.removeprefix(RUNS).partition("/")
        return f"{WORK / run}_{seed}{slash}{rest}"
    if value.startswith(TEN_CLASSES):
        from benchmarks.probes import memorization

        part, slash, rest = value.removeprefix(TEN_CLASSES).partition("/")
        return f"{memorization.pictures()[part]}{slash}{rest}"
    for folder in FOLDERS:
        if value.startswith(folder):
            return f"{unpacked(folder)}/{value.removeprefix(folder)}"
    return value


@cache
def unpacked(folder: str) -> Path:
    """A folder of `FOLDERS`, unpacked once."""
    archive, inner = FOLDERS[folder]
    target = WORK / archive
    if not target.is_dir():
        partial = target.with_suffix(".partial")
        with tarfile.open(SHARED / "data" / f"{archive}.tar") as tar:
            tar.extractall(partial, filter="data")
        partial.rename(target)
    return target / inner


def trained(architecture: str, folder: str, seed: int) -> Network:
    """The network that a command trained in `folder`."""
    weights = Path(_place(folder, seed)) / f"{architecture}.safetensors"
    return synth.network(architecture, weights=weights)


@cache
def photographs(folder: str, side: int = 64) -> Tensor:
    """The pictures of a folder as commands name it, each at `side` pixels: [n, 3, side, side]."""
    pictures = data.pictures(_place(folder, None), "images")
    return torch.stack([picture.at((side, side)) for picture in pictures])
