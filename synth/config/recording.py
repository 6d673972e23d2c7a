"""The folder ``.hydra`` of a run: ``config.yaml``, ``hydra.yaml`` and ``overrides.yaml``.

Hydra would write them before anything is checked; here they are written once the configuration
has proved good, and taken back where a mistake shows only later.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from omegaconf import OmegaConf

from synth.config.references import written_out
from synth.config.types import Config
from synth.config.yaml_text import yaml_of
from synth.errors import InputError
from synth.record.atomic import report_full_disk, write_atomically

FILES = ("config", "hydra", "overrides")


def record_configuration(cfg: Config, hydra_cfg: Config, folder: Path) -> None:
    """Writes a configuration, and Hydra's own, into ``.hydra`` of the run folder."""
    contents = (written_out(cfg), OmegaConf.create({"hydra": hydra_cfg}), hydra_cfg.overrides.task)
    with report_full_disk(folder, "Make room and give the same command again."):
        (folder / ".hydra").mkdir(exist_ok=True)
        for name, content in zip(FILES, contents, strict=True):
            write_atomically(folder / ".hydra" / f"{name}.yaml", yaml_of(content).encode())


@contextmanager
def restored_after_mistake(folder: Path) -> Iterator[None]:
    """Restores ``.hydra`` when the block raises an `InputError`; removes it where it was not there.

    It stays where the run has already written something else into the folder.
    """
    ours = folder / ".hydra"
    before = set(folder.iterdir())
    contents = {path: path.read_bytes() for path in ours.glob("*.yaml") if path.is_file()}
    try:
        yield
    except InputError:
        with suppress(OSError):
            for path, content in contents.items():
                if path.read_bytes() != content:
                    write_atomically(path, content)
            if set(folder.iterdir()) <= {*before, ours} and ours not in before:
                for name in FILES:
                    (ours / f"{name}.yaml").unlink(missing_ok=True)
                ours.rmdir()
        raise
