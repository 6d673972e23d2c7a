"""The console script ``synth``.

Its imports are few, because a shell waits for completions.
"""

from __future__ import annotations

import sys

from synth import __version__
from synth.cli import completion


def main() -> None:
    """Runs the command line in ``sys.argv``.

    Raises:
        SystemExit: 2 where the user has to change something, 130 after Ctrl-C or SIGTERM.
    """
    words = sys.argv[1:]
    if completion.is_asked(words):
        sys.exit(completion.answer(words))
    if words == ["--version"]:
        print(f"synth {__version__}")
        return
    from synth.cli.jobs import run_command

    run_command(words)


if __name__ == "__main__":
    main()
