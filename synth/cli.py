"""Takes the command line; composes the configuration with Hydra, builds what it names, and runs it.

The only file that knows Hydra. Nothing heavy is imported before the configuration stands, so a mistyped
recipe is told at once.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from synth import complaints, progress
from synth.errors import InputError, nearest

log = logging.getLogger("synth")

HERE = Path(__file__).parent
CONF = next(path for path in (HERE / "conf", HERE.parent / "conf") if path.is_dir())
LONGEST_NAME = 200  # bytes of a folder's name; file systems allow 255
NOT_IDENTITY = ("device", "folder", "sweep", "memory")  # what may differ between a run and its resumption


def main() -> None:
    """The console script `synth`."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # lets errors through to us, who tell them in one line
    _logging()
    OmegaConf.register_new_resolver("synth.run_folder", _run_folder, use_cache=True, replace=True)
    OmegaConf.register_new_resolver("synth.point", _point, replace=True)
    failed: list[int] = []
    try:
        _hydra(failed)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        line = complaints.line(error, CONF, sys.argv[1:])
        if line is None:
            raise
        print(f"synth: {line}", file=sys.stderr)
        sys.exit(2)
    if failed:
        log.warning("%d of the runs failed", len(failed))
        sys.exit(2)


def _hydra(failed: list[int]) -> None:
    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    def job(cfg: DictConfig) -> None:
        many = HydraConfig.get().mode.name == "MULTIRUN"
        progress_live(not many)
        try:
            run(cfg)
        except Exception as error:  # one point of a sweep that fails must not take the others along
            line = complaints.line(error, CONF, sys.argv[1:])
            if not many or line is None:
                raise
            print(f"synth: {HydraConfig.get().job.override_dirname}: {line}", file=sys.stderr)
            failed.append(1)

    job()


def progress_live(live: bool) -> None:
    """Switches the live bar on or off for the runs that follow."""
    progress.live = live


def run(cfg: DictConfig) -> None:
    """Builds the object that the configuration names and runs it in Hydra's folder; a finished folder is left alone."""
    now = HydraConfig.get()
    folder = Path(os.path.relpath(now.runtime.output_dir))
    overrides = list(now.overrides.task)
    settings = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(settings, dict)
    recipe = now.runtime.choices["recipe"]
    identity = {str(k): v for k, v in settings.items() if k not in NOT_IDENTITY} | {"recipe": recipe}

    from synth.record import Record  # from here on torch is needed

    if Record.finished(folder):
        log.info("%s is finished already", folder)
        return
    built = build(settings, [override.split("=")[0].lstrip("+~") for override in overrides])
    record = Record(folder, identity)
    log.info("%s -> %s", recipe, folder)
    result = built.run(record)
    record.finish({"recipe": recipe, "overrides": overrides, **result})
    from synth.gallery.page import build_run_page

    page = build_run_page(folder)
    log.info("%s", page)
    if result["status"] == "interrupted":
        raise KeyboardInterrupt


def build(settings: Mapping[str, Any], given: list[str]) -> Any:
    """The object that `settings` describes. `given` are the keys that the user wrote.

    A recipe carries numbers for the parts it chose; where the user chose another part, those that it does not
    take are dropped. What the user wrote is never dropped: a key that its part does not take is an error.
    """
    from hydra.utils import instantiate

    return instantiate(_fitting(dict(settings), "", given), _convert_="all")


def _fitting(node: Any, path: str, given: list[str]) -> Any:
    if isinstance(node, list):
        return [_fitting(one, f"{path}.{place}", given) for place, one in enumerate(node)]
    if not isinstance(node, dict):
        return node
    node = {key: _fitting(value, f"{path}.{key}".lstrip("."), given) for key, value in node.items()}
    if "_target_" not in node:
        return node
    takes = _parameters(str(node["_target_"]), path)
    if takes is None:
        return node
    kept = {}
    for key, value in node.items():
        if key in takes or str(key).startswith("_"):
            kept[key] = value
        elif path and f"{path}.{key}" in given:
            name = str(node["_target_"]).rsplit(".", 1)[-1]
            hint = nearest(key, takes) or f" It takes {', '.join(takes)}."
            raise InputError(f"{path}.{key}: {name} takes no such value.{hint}")
    return kept


def _parameters(target: str, path: str) -> list[str] | None:
    """The parameters that `target` takes by name, or None where it takes any."""
    import inspect

    from hydra.utils import get_object

    if not target.startswith("synth."):
        raise InputError(f"{path}._target_={target}: only names that begin with synth. are built.")
    found: Callable[..., Any] = get_object(target)
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
        raise InputError(f"{parent}: cannot be written to ({error.strerror}); write folder=PATH.") from error
    raise InputError(f"{parent / name}: a thousand runs in one second; write folder=PATH.")


def _point(overrides: str) -> str:
    """The folder of a sweep's point: its overrides as one name, the same whenever the same point is asked for."""
    name = overrides.replace("/", "-").replace("\\", "-") or "defaults"
    if len(name.encode()) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return name.encode()[: LONGEST_NAME - 13].decode(errors="ignore") + "-" + digest


def _logging() -> None:
    """Our lines on standard error, bare: they are for reading."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


if __name__ == "__main__":
    main()
