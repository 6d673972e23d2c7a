"""The line that a user gets for errors of Hydra, OmegaConf, beartype and the operating system."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from console import CONF

from synth.cli import complaints
from synth.errors import InputError


def complaint(error: BaseException, *typed: str) -> str | None:
    return complaints.line(error, CONF, list(typed))


def test_an_input_error_is_reported_as_it_is_however_deep_it_lies() -> None:
    error = RuntimeError("Error in call to target 'synth.searches.gradient.Gradient'")
    error.__cause__ = ValueError("Error in collecting args")
    error.__cause__.__cause__ = InputError("search.steps=-1: write 1 or more.")
    assert complaint(error) == "search.steps=-1: write 1 or more."


def test_an_error_of_the_package_is_not_reported_as_the_users() -> None:
    for error in (
        ZeroDivisionError("division by zero"),
        AssertionError(),
        KeyError("score"),
        RuntimeError("size 3 != 4"),
    ):
        assert complaint(error) is None


def test_long_values_are_cut() -> None:
    value = "a" * 5000
    line = complaint(InputError(f"target={value}: no such class."), f"target={value}")
    assert line == f"target={value[:40]}...: no such class."


def test_what_hydra_refuses_is_told_and_what_the_package_raises_is_not() -> None:
    def raised(*modules: str) -> BaseException:
        """A ValueError with frames of these modules, outermost first."""
        code = compile("raise ValueError('no such option')", "", "exec")
        call = partial(exec, code, {"__name__": modules[-1]})
        for module in reversed(modules[:-1]):
            call = partial(exec, "call()", {"__name__": module, "call": call})
        with pytest.raises(ValueError, match="no such option") as caught:
            call()
        error = caught.value
        assert error.__traceback__ is not None
        return error.with_traceback(error.__traceback__.tb_next)

    command = "synth.cli.command"
    assert complaint(raised(command, "hydra.main")) == "no such option"
    assert complaint(raised(command, "hydra.main", command, "synth.engine.experiment")) is None
    assert complaint(raised(command, "hydra.main", "torch.nn")) == "no such option"
    assert complaint(raised(command, "hydra.main", "synth.config.exchange", "hydra")) is not None
    assert complaint(raised(command, "hydra.main", command, "torch.nn")) is None
    assert complaint(raised(command, "synth.config.building", "hydra.utils")) is None
    assert complaint(raised(command)) is None


def test_files_and_disks() -> None:
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory", "names.tsv")
    assert complaint(missing) == "names.tsv: No such file or directory."
    full = OSError(errno.ENOSPC, "No space left on device")
    assert "Make room" in str(complaint(full))
    folder = NotADirectoryError(errno.ENOTDIR, "Not a directory", "/dev/null")
    assert (
        complaint(folder, "folder=/dev/null/x")
        == "folder=/dev/null/x: Not a directory. Name another folder."
    )


def test_types_are_given_in_words() -> None:
    from beartype.roar import BeartypeCallHintViolation

    from synth.encodings.pixels import Pixels
    from synth.searches.gradient import Gradient

    calls: dict[str, Callable[[], object]] = {
        "steps='many': Gradient takes a whole number here.": lambda: Gradient(steps="many"),
        "rate='fast': Gradient takes a number here.": lambda: Gradient(rate="fast"),
        "rate_end='x': Gradient takes a number or null here.": lambda: Gradient(rate_end="x"),
        "size=6.5: Pixels takes a whole number or a list of whole numbers or null here.": (
            lambda: Pixels(size=6.5)
        ),
    }
    for words, call in calls.items():
        with pytest.raises(BeartypeCallHintViolation) as caught:
            call()
        assert complaint(caught.value) == words
    assert Gradient(rate=1).rate == 1  # a whole number is a number


def test_every_group_of_the_configuration_can_be_named(tmp_path: Path) -> None:
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException

    with initialize_config_dir(str(CONF), version_base="1.3"):
        for group in sorted(
            path.name
            for path in CONF.iterdir()
            if path.is_dir() and path.name not in ("training", "metric", "figure", "hydra")
        ):
            with pytest.raises(HydraException) as caught:
                compose(
                    "experiment",
                    overrides=[
                        f"+{group}=nothing_like_it" if group == "recipe" else f"{group}=zzz"
                    ],
                )
            line = str(complaint(caught.value))
            assert line.startswith(f"{group}=")
            assert f"no such {group}. There are " in line
