"""``python -m benchmarks.abuse kill``, ``inputs`` or ``crossing``: abuse for as long as asked."""

import importlib
import sys

KINDS = ("kill", "inputs", "crossing")


def main() -> int:
    """Runs the kind of abuse that the first word names, with the other words."""
    kind, *arguments = sys.argv[1:] or [""]
    if kind not in KINDS:
        sys.exit(f"python -m benchmarks.abuse {'|'.join(KINDS)} [--minutes 5] [--seed 0]")
    return int(importlib.import_module(f"benchmarks.abuse.{kind}").main(arguments))


if __name__ == "__main__":
    sys.exit(main())
