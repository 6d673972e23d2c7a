"""``python -m synth.cli``: the same as the console script ``synth``."""

from synth.cli.command import main

main()
