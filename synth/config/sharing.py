"""Settings that all contenders of a comparison have in common: its key ``shared``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def with_shared(settings: Mapping[str, Any], written: Sequence[str]) -> dict[str, Any]:
    """Copies what stands under ``shared`` into each of the ``experiments``, added ones included.

    Args:
        settings: a resolved configuration; one that is no comparison is given back as it is.
        written: the keys that the user wrote; what he wrote for a single contender
            (``experiments.NAME.KEY``) is not replaced.
    """
    common = settings.get("shared")
    contenders = settings.get("experiments")
    if not isinstance(common, dict) or not isinstance(contenders, dict):
        return dict(settings)
    paths = [key.rsplit("@", 1)[-1] for key in written]

    def is_written(path: str) -> bool:
        return any(key == path or key.startswith(f"{path}.") for key in paths)

    experiments = {}
    for name, experiment in contenders.items():
        if not experiment:  # a contender that is left out
            experiments[name] = experiment
            continue
        experiments[name] = experiment | {
            key: value
            for key, value in common.items()
            if not is_written(f"experiments.{name}.{key}")
        }
    return dict(settings) | {"experiments": experiments}
