"""What a YAML says of itself: the comment at its top, and the comments of its keys.

A header is a sentence, more text, and labelled lines; a text goes on in lines that are indented::

    # DeepDream: an image is changed to increase the activations of a layer.
    # It is done in octaves from small to large.
    # formula: max over x of mean_i a_i(x)^2 / 2
    # source: Mordvintsev, Olah & Tyka 2015, Inceptionism
    # success: none is counted: a dream is looked at
    # example: image=flower
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

_LABEL = re.compile(r"# (formula|source|success|example|test|test-before|group): (.*)")
_KEY = re.compile(r"( *)([\w.]+):(.*)")
_COMMENT = re.compile(r"(?:^|\s)# (.*)")


@dataclass(frozen=True)
class Header:
    """The comment at the top of a YAML.

    Attributes:
        sentence: what the part is.
        text: more about it; empty where there is no more.
        labels: the texts of each label, in their order.
    """

    sentence: str
    text: str = ""
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def about(self) -> dict[str, str]:
        """Sentence, text, formula, source and criterion of success, those that there are."""
        entries = {"sentence": self.sentence, "text": self.text}
        for label, between in (("formula", "\n"), ("source", "; "), ("success", "; ")):
            entries[label] = between.join(self.labels.get(label, ()))
        return {name: entry for name, entry in entries.items() if entry}


def header_of(text: str) -> Header:
    """The header of a YAML, given its text."""
    lines = [line for line in text.splitlines() if not line.startswith("# @package")]
    sentence, more = "", []
    labels: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in takewhile(lambda line: line.startswith("#"), lines):
        match = _LABEL.fullmatch(line)
        if match:
            last = labels.setdefault(match[1], [])
            last.append(match[2])
        elif last is not None and line.startswith("#   "):
            last[-1] += f" {line[1:].strip()}"
        elif not sentence:
            sentence = line[1:].strip()
        else:
            more.append(line[1:].strip())
    return Header(sentence, " ".join(more), labels)


def comments_of(text: str) -> dict[str, str]:
    """The comment behind each key of a YAML, by the key's dotted path, given its text.

    That of a key whose value is a mapping in braces is the mapping's.
    """
    comments = {}
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = _KEY.match(line)
        if not match:
            continue
        depth, key, rest = len(match[1]), match[2], match[3]
        path = [*((indent, name) for indent, name in path if indent < depth), (depth, key)]
        comment = _COMMENT.search(rest)
        if comment:
            comments[".".join(name for _, name in path)] = comment[1].strip()
    return comments


def read(path: Path) -> str:
    """The text of a YAML in a folder of configurations."""
    return path.read_text(encoding="utf-8")
