"""Images synthesised from vision networks: any search, on any encoding, under any objective.

    import synth

    network = synth.wrap(model, mean=(.485, .456, .406), std=(.229, .224, .225), size=224)
    synth.visualise(network, "layer4:17").images
    synth.attack(network, images, labels, epsilon=8 / 255).success
    synth.run("generator_ascent", target=["goldfish", "teapot"]).show()

Every recipe of the command line ``synth`` runs as a call of `run`, with the same keys and the same
pictures. Names are imported, and torch with them, when they are first used.
"""

import os
import signal
import sys
from importlib import import_module
from types import FrameType

__version__ = "0.1.0"


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, f"{_program}: interrupted.\n".encode())
    os._exit(130)


# Ctrl-C while a console script still imports and composes, which takes seconds and has nothing to
# save, would end in the traceback of whatever was imported at that moment.
_program = os.path.basename(sys.argv[0]).removesuffix(".exe") if sys.argv else ""
if _program == "-m" and sys.orig_argv[-len(sys.argv)] == "synth.cli":
    _program = "synth"
if (
    _program in ("synth", "synth-export", "synth-gallery")
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, _leave)

from beartype import BeartypeConf  # noqa: E402
from beartype.claw import beartype_this_package  # noqa: E402

# is_pep484_tower: a whole number is accepted for a float
beartype_this_package(conf=BeartypeConf(is_pep484_tower=True))

# the Python face, and where each name of it is
_NAMES = {
    "InputError": "synth.errors",
    "Result": "synth.api.result",
    "Runs": "synth.api.runs",
    "attack": "synth.api.attacking",
    "export": "synth.api.exporting",
    "load_runs": "synth.api.runs",
    "network": "synth.api.running",
    "probe": "synth.api.running",
    "run": "synth.api.running",
    "visualise": "synth.api.visualising",
    "wrap": "synth.networks.module",
}
__all__ = [*_NAMES]


def __getattr__(name: str) -> object:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES])
