"""Launchers, plug-ins of Hydra that run the points of a sweep in other processes or machines.

``hydra/launcher=joblib`` and ``=ray`` use the cores of this machine, ``=submitit_slurm`` a
Slurm cluster, ``=ray_cluster hydra.launcher.ray.init.address=HOST:PORT`` a running Ray cluster.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from contextlib import closing

from synth.errors import InputError

LAUNCHERS = {  # and the extra of this package that brings each
    "joblib": "launchers",
    "submitit_local": "launchers",
    "submitit_slurm": "launchers",
    "ray": "ray",
    "ray_cluster": "ray",
}
SWEEPERS = {"optuna": "optuna"}
PATIENCE = 5.0  # seconds
_CLUSTER = re.compile(r"\+*hydra\.launcher\.ray\.init\.address=['\"]?(?:ray://)?([\w.-]+):(\d+)")


def not_installed(group: str, option: str) -> str:
    """The message about a launcher or sweeper that is not there, with the extra that brings it.

    Args:
        group: ``hydra/launcher`` or ``hydra/sweeper``.
        option: the name that was written.
    """
    extras = LAUNCHERS if group == "hydra/launcher" else SWEEPERS
    if option in extras:
        return f'{group}={option}: not installed; pip install "synth[{extras[option]}]".'
    return f"{group}={option}: not installed, nor one of ours: {', '.join(['basic', *extras])}."


def check_cluster(words: Sequence[str]) -> None:
    """Raises InputError where the Ray cluster that is to be joined does not answer.

    Ray itself would go on asking for minutes.

    Args:
        words: overrides of the command line.
    """
    for word in words:
        match = _CLUSTER.fullmatch(word.rstrip("'\""))
        if match is None:
            continue
        try:
            with closing(socket.create_connection((match[1], int(match[2])), PATIENCE)):
                pass
        except (OSError, OverflowError) as error:
            raise InputError(
                f"{word}: no Ray cluster answers there ({error}); start one with ray start --head, "
                "or leave it out for this machine."
            ) from error
