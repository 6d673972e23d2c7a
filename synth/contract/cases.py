"""Which options a contract test runs for: every one of its kind in the folders under test.

A test names its kinds by `for_each`; ``conftest.py`` names the folders. Where a test takes options
of two kinds, those under test meet all that there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import TypeVar

import pytest

from synth.config import plugins
from synth.config.composing import CONF

FOLDERS = "SYNTH_CONTRACT"  # environment variable: folders under test, in place of plug-ins
YAML_FILE = "yaml_file"  # the argument of tests of every file
Test = TypeVar("Test", bound=Callable[..., None])


def for_each(**groups: str | Sequence[str]) -> Callable[[Test], Test]:
    """A decorator: the test runs for every option of a group, given by its name.

    Args:
        groups: the group by the name of the test's argument. Of several groups, an option is given
            as ``mutate/gaussian``.
    """

    def mark(test: Test) -> Test:
        test.groups = groups  # type: ignore[attr-defined]
        return test

    return mark


def generate(metafunc: pytest.Metafunc, folders: Sequence[Path]) -> None:
    """Parametrises a test that `for_each` has marked, or whose argument is a `YAML_FILE`.

    Args:
        metafunc: of the hook ``pytest_generate_tests``.
        folders: those under test.
    """
    if YAML_FILE in metafunc.fixturenames:
        files = [path for folder in folders for path in sorted(folder.glob("*/**/*.yaml"))]
        files = [path for path in files if path.parts[-3] != "hydra"]  # launchers, no parts
        metafunc.parametrize(YAML_FILE, files, ids=["/".join(path.parts[-2:]) for path in files])
    groups = getattr(metafunc.function, "groups", {})
    if not groups:
        return
    everything = [_options(group, plugins.folders(CONF)) for group in groups.values()]
    tested = [_options(group, folders) for group in groups.values()]
    cases = [
        case
        for case in product(*everything)
        if any(option in options for option, options in zip(case, tested, strict=True))
    ]
    ids = ["-".join(case) for case in cases]
    metafunc.parametrize(tuple(groups), cases, ids=ids)


def _options(group: str | Sequence[str], folders: Sequence[Path]) -> list[str]:
    """The options of one group or several in `folders`."""
    several = not isinstance(group, str)
    names = []
    for each in group if several else [group]:
        prefix = f"{each.rpartition('/')[2]}/" if several else ""
        names += sorted(
            prefix + path.stem for folder in folders for path in (folder / each).glob("*.yaml")
        )
    return names


def folders_under_test() -> list[Path]:
    """The folders in the variable SYNTH_CONTRACT; without it those of all plug-ins."""
    return named_folders() or [plugin.conf for plugin in plugins.plugins() if plugin.conf]


def named_folders() -> list[Path]:
    """The folders in the variable SYNTH_CONTRACT."""
    folders = os.environ.get(FOLDERS, "").split(os.pathsep)
    return [Path(folder).absolute() for folder in folders if folder]


def folder_words() -> list[str]:
    """The words of a command line by which these folders are read."""
    places = ",".join(f"'file://{folder}'" for folder in named_folders())
    return [f"hydra.searchpath=[{places}]"] if places else []
