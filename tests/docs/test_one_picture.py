"""docs/one_picture.md quotes lines that stand in the files it names."""

from __future__ import annotations

import re

from console import ROOT

PAGE = ROOT / "docs/one_picture.md"


def test_every_quoted_line_is_in_a_file_named_before_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    files: list[str] = []
    quotations = 0
    for part in re.split(r"(```.*?```)", text, flags=re.S):
        if not part.startswith("```"):
            files += re.findall(r"`((?:synth|conf)/[\w/.]+\.(?:py|yaml))`", part)
            continue
        content = [
            line.strip()
            for name in files
            for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        ]
        for line in part.splitlines()[1:-1]:
            assert line.strip() in content, f"{line.strip()} is in none of {files}"
            quotations += 1
    assert quotations > 15
    assert all((ROOT / name).is_file() for name in files)
