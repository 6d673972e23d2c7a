"""Takes the command line; composes the configuration with Hydra, builds what it names, and runs it.

The only file that knows Hydra. Nothing heavy is imported before the configuration stands: mistakes are told at once.
"""

from __future__ import annotations

import copy
import hashlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from synth.cli import complaints, memory
from synth.errors import InputError, nearest
from synth.record import progress
from synth.record.atomic import disk_full_said, write_atomically

log = logging.getLogger("synth")

Config = Any  # a DictConfig, whose own type hints beartype calls out of date

HERE = Path(__file__).parents[1]
CONF = next(path for path in (HERE / "conf", HERE.parent / "conf") if path.is_dir())
CONFIGURATION = ("config", "hydra", "overrides")  # the files of .hydra
LONGEST_NAME = 200  # bytes of a folder's name; file systems allow 255
NOT_IDENTITY = (
    "device",
    "folder",
    "sweep",
    "memory",
)  # what may differ between a run and its resumption


def main() -> None:
    """The console script `synth`."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # lets errors through to us, who tell them in one line
    _logging()
    OmegaConf.register_new_resolver("synth.run_folder", _run_folder, use_cache=True, replace=True)
    OmegaConf.register_new_resolver("synth.sweep", _sweep, use_cache=True, replace=True)
    OmegaConf.register_new_resolver("synth.point", _point, replace=True)
    OmegaConf.register_new_resolver("synth.encoding_of", _encoding_of, replace=True)
    failed: list[str] = []
    try:
        _hydra(failed)
    except KeyboardInterrupt:
        print("synth: interrupted.", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        line = complaints.line(error, CONF, sys.argv[1:])
        if line is None:
            raise
        print(f"synth: {line}", file=sys.stderr)
        sys.exit(2)
    if any(failed):
        log.warning("%d of the runs failed", len(failed))
    if failed:
        sys.exit(2)


def _hydra(failed: list[str]) -> None:
    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    def job(cfg: Config) -> None:
        now = HydraConfig.get()
        point = f"{now.job.override_dirname}: " if now.mode.name == "MULTIRUN" else ""
        progress_live(not point)
        try:
            run(cfg)
        except Exception as error:  # one point of a sweep that fails must not take the others along
            line = complaints.line(error, CONF, sys.argv[1:])
            if line is None:
                raise
            print(f"synth: {point}{line}", file=sys.stderr)
            failed.append(point)
            with suppress(OSError):  # a folder in which nothing was begun
                os.rmdir(now.runtime.output_dir)

    job()


def progress_live(live: bool) -> None:
    """Switches the live bar on or off for the runs that follow."""
    progress.live = live


def run(cfg: Config) -> None:
    """Builds the object that the configuration names and runs it in Hydra's folder; a finished folder is left alone."""
    now = HydraConfig.get()
    folder = Path(os.path.relpath(now.runtime.output_dir))
    overrides = list(now.overrides.task)
    given = [override.split("=")[0].lstrip("+~") for override in overrides]
    settings = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(settings, dict)
    recipe = now.runtime.choices["recipe"]
    _refuse_unread(cfg, settings, given, list(now.runtime.choices))
    identity = _identity(cfg) | {"recipe": recipe}

    from synth.gallery.page import build_run_page
    from synth.record.record import Record, dumps, versions  # from here on torch is needed

    configuration = hashlib.sha256(dumps(identity).encode()).hexdigest()[:16]
    found = Record.finished(folder)
    if found is not None:
        if found.get("configuration", configuration) != configuration:
            raise InputError(
                f"folder={folder}: holds a finished run of another configuration; name another folder."
            )
        log.info("%s is finished already", folder)
        if not (folder / "index.html").exists():
            log.info("%s", build_run_page(folder))
        return
    written = _identity(OmegaConf.create(OmegaConf.to_yaml(cfg))) | {"recipe": recipe}
    Record.refuse_other(folder, written, _identity_kept(folder))
    memory.keep_freed()
    built = build(settings, given)
    record = Record(folder, identity)
    with _taken_back(folder):
        _keep_configuration(cfg, folder)
        log.info("%s -> %s", recipe, folder)
        result = built.run(record)
    told = {
        "recipe": recipe,
        "overrides": overrides,
        "configuration": configuration,
        "versions": versions(),
    }
    record.finish(told | result)
    log.info("%s", build_run_page(folder))
    if result["status"] == "interrupted":
        sys.exit(130)


def _identity(cfg: Config) -> dict[str, Any]:
    """The configuration without what may differ between a run and its resumption, wherever that is passed on to."""
    cfg = copy.deepcopy(cfg)
    with open_dict(cfg):
        cfg.update(dict.fromkeys(NOT_IDENTITY))
    settings = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(settings, dict)
    return {str(key): value for key, value in settings.items()}


def _identity_kept(folder: Path) -> dict[str, Any] | None:
    """The identity of the run that was begun in `folder`, by its .hydra; None where that does not say."""
    try:
        now = OmegaConf.load(folder / ".hydra/hydra.yaml")
        return _identity(OmegaConf.load(folder / ".hydra/config.yaml")) | {
            "recipe": now.hydra.runtime.choices.recipe
        }
    except (OSError, ValueError, AttributeError, YAMLError, OmegaConfBaseException):
        return None


@contextmanager
def _taken_back(folder: Path) -> Iterator[None]:
    """Where a mistake shows only when the run has begun, .hydra becomes what it was, or goes if nothing was found."""
    ours = folder / ".hydra"
    there = set(folder.iterdir())
    kept = {path: path.read_bytes() for path in ours.glob("*.yaml")}
    try:
        yield
    except InputError:
        with suppress(OSError):
            for path, content in kept.items():
                if path.read_bytes() != content:
                    write_atomically(path, content)
            if set(folder.iterdir()) <= {*there, ours} and ours not in there:
                for name in CONFIGURATION:
                    (ours / f"{name}.yaml").unlink(missing_ok=True)
                ours.rmdir()
        raise


def _keep_configuration(cfg: Config, folder: Path) -> None:
    """Writes what Hydra would have written into .hydra, had it waited until the configuration proved good."""
    now = HydraConfig.instance().cfg
    assert now is not None
    with disk_full_said(folder, "Make room and give the same command again."):
        (folder / ".hydra").mkdir(exist_ok=True)
        for name, part in zip(CONFIGURATION, (cfg, now, now.hydra.overrides.task), strict=True):
            write_atomically(folder / ".hydra" / f"{name}.yaml", OmegaConf.to_yaml(part).encode())


def _refuse_unread(
    cfg: Config, settings: Mapping[Any, Any], given: Sequence[str], groups: Sequence[str]
) -> None:
    """A key beside the parts that the user wrote must be read by something, or it would be dropped in silence."""
    name = str(settings.get("_target_", ""))
    takes = _parameters(name, "") if name else None
    text = OmegaConf.to_yaml(cfg, resolve=False)
    for key in given:
        root = key.split(".")[0]
        if takes is None or root in (*takes, *groups, *NOT_IDENTITY, "hydra") or "@" in key:
            continue
        if not re.search(r"\$\{(oc\.select:)?" + re.escape(root) + r"\b", text):
            hint = nearest(
                root,
                {
                    key
                    for key in (*takes, *map(str, settings))
                    if key != root and not key.startswith("_")
                },
            )
            raise InputError(
                f"{root}: nothing in this recipe, with the parts it has now, reads it.{hint}"
            )


def build(settings: Mapping[str, Any], given: list[str]) -> Any:
    """The object that `settings` describes. Numbers that a recipe carries for a part the user exchanged are dropped.

    What the user wrote, the keys in `given`, never is: a key that its part does not take is an error.
    """
    from hydra.utils import instantiate

    from synth.jobs.comparison import shared

    return instantiate(_fitting(shared(dict(settings), given), "", given), _convert_="all")


def _fitting(node: Any, path: str, given: list[str]) -> Any:
    if isinstance(node, list):
        return [_fitting(one, f"{path}.{place}", given) for place, one in enumerate(node)]
    if not isinstance(node, dict):
        return node
    node = {key: _fitting(value, f"{path}.{key}".lstrip("."), given) for key, value in node.items()}
    if "_target_" not in node:
        return node
    takes = _parameters(str(node["_target_"]), path)
    if (
        takes is None
    ):  # any name, as the steps of a chain: a number is left over from a part that stood there before
        takes = [key for key, value in node.items() if value is None or isinstance(value, Mapping)]
    kept = {}
    for key, value in node.items():
        if key in takes or str(key).startswith("_"):
            kept[key] = value
        elif path and f"{path}.{key}" in given:
            name = str(node["_target_"]).rsplit(".", 1)[-1]
            hint = nearest(key, takes) or (takes and f" It takes {', '.join(takes)}.") or ""
            raise InputError(f"{path}.{key}: {name} takes no such value.{hint}")
    return kept


def _parameters(target: str, path: str) -> list[str] | None:
    """The parameters that `target` takes by name, or None where it takes any."""
    import inspect

    from hydra.utils import get_object

    if not target.startswith("synth."):
        raise InputError(f"{path}._target_={target}: only names that begin with synth. are built.")
    try:
        found: Callable[..., Any] = get_object(target)
    except ImportError as error:
        cause = error.__cause__
        missing = isinstance(cause, ModuleNotFoundError) and f"{target}.".startswith(
            f"{cause.name}."
        )
        no_name = (
            isinstance(cause, AttributeError)
            and cause.__traceback__
            and not cause.__traceback__.tb_next
        )
        if cause is None or missing or no_name:
            raise InputError(
                f"{path}._target_={target}: there is no such thing in synth."
            ) from error
        raise cause from None  # a mistake inside the module
    parameters = inspect.signature(found).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return [parameter.name for parameter in parameters]


def _run_folder(folder: str | None, recipe: str) -> str:
    """`folder`, or a new one named for the moment and the recipe: two runs in one second get two folders."""
    if folder is not None:
        return folder
    now = datetime.now()
    parent = Path("runs") / f"{now:%Y-%m-%d}"
    name = f"{now:%H-%M-%S}_{recipe}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            path = parent / (name if number == 1 else f"{name}_{number}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return str(path)
    except OSError as error:
        raise InputError(
            f"{parent}: cannot be written to ({error.strerror}); write folder=PATH."
        ) from error
    raise InputError(f"{parent / name}: a thousand runs in one second; write folder=PATH.")


def _point(overrides: str) -> str:
    """The folder of a sweep's point: its overrides as one name, the same whenever the same point is asked for.

    What a folder cannot be called is replaced, and what is too long is cut; a digest then keeps points apart.
    """
    if not overrides:
        return "defaults"
    overrides = overrides.replace("\\ ", " ")  # Hydra escapes spaces
    name = re.sub(r"[\x00-\x1f\x7f/\\]", "-", overrides)
    if name == overrides and name.strip(". ") == name and len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(os.fsencode(overrides)).hexdigest()[:12]
    return name.encode(errors="ignore")[: LONGEST_NAME - 13].decode(errors="ignore") + "-" + digest


def _sweep(sweep: str | None, recipe: str, overrides: Sequence[str]) -> str:
    """The name of a sweep's folder: `sweep`, or the recipe; several recipes as they were written."""
    given = next((word for word in overrides if word.lstrip("+").startswith("folder=")), None)
    if given:
        raise InputError(
            f"{given}: each run of a sweep has a folder of its own; write sweep=NAME for runs/NAME."
        )
    swept = [word.removeprefix("recipe=") for word in overrides if word.startswith("recipe=")]
    return sweep or _point(swept[-1] if swept else recipe)


def _encoding_of(folder: str, contender: str | None) -> Config:
    """The configuration of the encoding that the run in `folder` had."""
    try:
        kept = OmegaConf.load(Path(folder) / ".hydra/config.yaml")
        part = kept.experiments[contender] if contender else kept
        return OmegaConf.create(OmegaConf.to_container(part.encoding, resolve=True))
    except (
        OSError,
        AttributeError,
        KeyError,
        ValueError,
        YAMLError,
        OmegaConfBaseException,
    ) as error:
        raise InputError(
            f"run={folder}: no synthesis; name the folder of one (contender= in a comparison)."
        ) from error


def _logging() -> None:
    """Our lines on standard error, bare: they are for reading."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    logging.getLogger("hydra.utils").addHandler(
        logging.NullHandler()
    )  # what it cannot find, we say


if __name__ == "__main__":
    main()
