"""Images synthesised from convolutional networks: any search, any encoding, any objective."""

import os
import signal
import sys
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
    _program in ("synth", "synth-gallery")
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, _leave)

from beartype import BeartypeConf  # noqa: E402
from beartype.claw import beartype_this_package  # noqa: E402

# is_pep484_tower: a whole number is accepted for a float
beartype_this_package(conf=BeartypeConf(is_pep484_tower=True))
