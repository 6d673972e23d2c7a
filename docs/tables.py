"""Writes the lists of README.md and CHANGELOG.md from the first comment lines of conf/.

    python docs/tables.py

The first line of each YAML says what the part is; a recipe's ``# group: NAME`` says in which part
of README's table it stands. A picture docs/recipes/NAME.jpg is shown where there is one. Everything
between ``<!-- list: NAME -->`` and ``<!-- end -->`` is replaced.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
GROUPS = (
    "visualise",
    "fool",
    "amplify",
    "analyse",
    "reproduce",
    "train",
    "and",
)  # in README's order
KINDS = {
    "network": "Networks",
    "encoding": "Encodings",
    "objective": "Objectives",
    "search": "Searches",
    "search/mutate": "Mutation",
    "search/mate": "Crossover",
    "search/select": "Parent selection",
    "search/survive": "Survivor selection",
    "search/regularisers": "Regularisers",
    "transform": "Transforms",
    "metric": "Metrics",
    "figure": "Figures",
    "training": "Architectures to train",
    "recipe": "Recipes",
}


def description(path: Path) -> str:
    """The first comment line of a YAML that is no package directive, without its full stop."""
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next(line for line in lines if not line.startswith("# @package"))
    if not first.startswith("# ") or re.match(
        r"# (test|group|formula|source|success|example)\b.*:", first
    ):
        raise SystemExit(f"{path.relative_to(ROOT)}: its first line has to say what it is: # ...")
    return first.removeprefix("# ").strip().removesuffix(".")


def group(path: Path) -> str:
    """The group of a recipe; the last one where it names none."""
    match = re.search(r"^# group: (\w+)$", path.read_text(encoding="utf-8"), re.M)
    return match[1] if match and match[1] in GROUPS else GROUPS[-1]


def recipe_table() -> str:
    """README's table of recipes."""
    paths = sorted((ROOT / "conf/recipe").glob("*.yaml"))
    rows = ["| | `synth recipe=...` | |", "|---|---|---|"]
    for name in GROUPS:
        rows.append(f"| **{name}** | | |")
        for path in paths:
            if group(path) == name:
                picture = ""
                if (ROOT / f"docs/recipes/{path.stem}.jpg").is_file():
                    picture = (
                        f'<img src="docs/recipes/{path.stem}.jpg" height="80" alt="{path.stem}">'
                    )
                rows.append(f"| {picture} | `{path.stem}` | {_escaped(description(path))} |")
    return "\n".join(rows)


def part_lists() -> str:
    """CHANGELOG's lists of everything in conf/."""
    lines = []
    for kind, title in KINDS.items():
        lines.append(f"\n{title} (`conf/{kind}`):\n")
        for path in sorted((ROOT / "conf" / kind).glob("*.yaml")):
            lines.append(f"- `{path.stem}`: {description(path)}")
    return "\n".join(lines).strip()


def with_lists(text: str) -> str:
    """`text` with the content between its markers replaced."""
    lists = {"recipes": recipe_table, "parts": part_lists}

    def replacement(match: re.Match[str]) -> str:
        return f"{match[1]}\n\n{lists[match[2]]()}\n\n<!-- end -->"

    return re.sub(r"(<!-- list: (\w+) -->)\n.*?<!-- end -->", replacement, text, flags=re.S)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    for name in ("README.md", "CHANGELOG.md"):
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        path.write_text(with_lists(text), encoding="utf-8")


if __name__ == "__main__":
    main()
