"""Parts from outside of this package: folders of configuration, and who brings them.

A folder of the user's own (``--config-dir DIR``, ``hydra.searchpath=[file://DIR]``) and the folder
``conf/`` of an installed package hold YAML files as ours does; each becomes an option beside ours.
A package says so by an entry point of the group ``synth.plugins``, whose value is its name. Nothing
of it is imported here, but only where a configuration of the user's names it (``building.py``).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from synth.errors import InputError

GROUP = "synth.plugins"
_ours: set[str] = set()  # our folder of configuration
_own: list[Path] = []  # the user's folders for this command


@dataclass(frozen=True)
class Plugin:
    """An installed package with parts.

    Attributes:
        name: of the entry point.
        package: dotted path of the package.
        distribution: name and version, ``halftone 1.2``.
        conf: its folder of configuration; None where the package or the folder is not there.
    """

    name: str
    package: str
    distribution: str
    conf: Path | None

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution})"


def plugins() -> list[Plugin]:
    """What is installed, by name. Nothing of it is imported."""
    return _plugins(tuple(sys.path))


@lru_cache(maxsize=4)
def _plugins(_places: tuple[str, ...]) -> list[Plugin]:
    points = sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    return [
        Plugin(
            point.name,
            point.module,
            f"{point.dist.name} {point.dist.version}" if point.dist else "",
            _conf(point.module),
        )
        for point in points
    ]


def plugin_of(target: str) -> Plugin | None:
    """The plug-in that a class or function belongs to; None where it is of none.

    Args:
        target: dotted path.
    """
    return next((each for each in plugins() if f"{target}.".startswith(f"{each.package}.")), None)


def _conf(package: str) -> Path | None:
    """The folder ``conf/`` of a package."""
    return next((folder for folder in _inside(f"{package}.conf") if folder.is_dir()), None)


def _inside(package: str) -> list[Path]:
    """The folders of a package, which are looked up without importing it."""
    root, *inner = package.split(".")
    spec = None
    with suppress(ImportError, ValueError):  # not there, or half installed
        spec = find_spec(root)
    places = (spec.submodule_search_locations if spec else None) or ()
    return [Path(place, *inner) for place in places]


def folders(conf: Path) -> list[Path]:
    """All folders of configuration, in the order in which an option is looked for.

    Args:
        conf: ours, which comes first.
    """
    return list(dict.fromkeys([conf, *_own, *(each.conf for each in plugins() if each.conf)]))


def options(conf: Path, group: str) -> dict[str, Path]:
    """The options of a group and their files, ours first.

    Args:
        conf: our folder of configuration.
        group: ``recipe``, ``search/mutate``.
    """
    files: dict[str, Path] = {}
    for folder in folders(conf):
        for path in sorted((folder / group).glob("*.yaml")):
            files.setdefault(path.stem, path)
    return files


def own_options(conf: Path, group: str) -> list[str]:
    """The options of a group that come with this package: all that a file of others may choose.

    Args:
        conf: our folder of configuration.
        group: ``recipe``, ``search/mutate``.
    """
    return sorted(path.stem for path in (conf / group).glob("*.yaml"))


def foreign_options(conf: Path, group: str) -> list[str]:
    """The options of a group that others have added: the user, or plug-ins."""
    return sorted(options(conf, group).keys() - own_options(conf, group))


def use_folders(conf: Path, words: Sequence[str]) -> None:
    """Makes the folders of a command line options, in place of those of the command before.

    Args:
        conf: our folder of configuration.
        words: ``--config-dir DIR``, ``hydra.searchpath=[file://DIR]``.

    Raises:
        InputError: where there is no such folder, or a file in it has the name of an option that
            exists, which would be the one that is read.
    """
    _own.clear()
    chosen = [place for _, places in _read(words) for place in places or ()]
    for folder in chosen:
        if not folder.is_dir():
            raise InputError(f"'{folder}' not found; name a folder that has YAML files of parts.")
    for taken in folders(conf):
        for path in taken.glob("*/**/*.yaml"):
            option = path.relative_to(taken)
            group, name = option.parent.as_posix(), option.stem
            for own in (folder / option for folder in chosen):
                if own.is_file() and not own.samefile(path):
                    raise InputError(
                        f"{own}: there is a {group}={name} already, {path}; call yours otherwise."
                    )
    _own.extend(chosen)


def without_folders(words: Sequence[str]) -> list[str]:
    """The words of a command line without those that name folders."""
    return [word for word, places in _read(words) if places is None]


def _read(words: Sequence[str]) -> Iterator[tuple[str, list[Path] | None]]:
    """Each word of a command line, and the folders that it names; None for any other word."""
    is_folder = False
    for word in words:
        option, equals, value = word.partition("=")
        if is_folder:
            yield word, [Path(word).absolute()]
            is_folder = False
        elif option in ("--config-dir", "-cd"):
            is_folder = not equals
            yield word, [Path(value).absolute()] if equals else []
        elif option.lstrip("+") == "hydra.searchpath":
            yield word, list(_searched(value))
        else:
            yield word, None


def _searched(value: str) -> Iterator[Path]:
    """The folders of Hydra's search path."""
    for scheme, place in re.findall(r"(file|pkg)://([^,\]'\"]+)", value):
        if scheme == "file":
            yield Path(place).absolute()
        else:
            yield from _inside(place.replace("/", "."))[:1]


class _Folders(SearchPathPlugin):
    """Adds the folders to those in which Hydra looks for a file."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        paths = {str(entry.path).removeprefix("file://") for entry in search_path.get_path()}
        if not paths & _ours:  # another program composes
            return
        for folder in folders(Path())[1:]:
            search_path.append(GROUP, f"file://{folder}")


def install(conf: Path) -> None:
    """From here on Hydra finds the options of those folders too, beside those in `conf`."""
    _ours.add(str(conf))
    Plugins.instance().register(_Folders)
