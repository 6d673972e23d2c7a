"""The lineage of an elite for the enlarged view: a film strip of its ancestors with captions.

The strip is one picture with the frames side by side, the first ancestor left and the elite last.
Where ancestors and frames do not agree in number, captions are left out rather than put under the
wrong frame.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from synth.gallery.folder import Item
from synth.gallery.inline import link
from synth.gallery.numerals import NOTHING, number, percent, plain
from synth.gallery.pictures import Picture
from synth.record.result import Json

FRAMES = 128
TOLERANCE = 0.1  # relative difference of a frame's shape from the picture's: lines between frames


@dataclass(frozen=True)
class Lineage:
    """What the page's script needs to draw a lineage.

    Attributes:
        src: URL of the strip; empty where `problem` says why.
        ratio: width by height of one frame.
        frames: step, confidence and name of each ancestor.
        about: how many generations there are.
        problem: why there is no strip.
    """

    src: str
    ratio: float
    frames: list[list[str]]
    about: str
    problem: str

    def to_dict(self) -> dict[str, Json]:
        """The lineage as plain JSON values."""
        return asdict(self)


def lineage_of(item: Item, page: Path) -> Lineage | None:
    """The lineage of `item`; None where it has neither ancestors nor a strip."""
    value = item.record.get("ancestors")
    ancestors = value if isinstance(value, list) and len(value) <= FRAMES else []
    strip = item.strip
    if strip is None and not ancestors:
        return None
    src = ""
    ratio = 1.0
    frames = len(ancestors)
    problem = strip.problem if strip is not None else "no film strip"
    if strip is not None and not strip.problem:
        frames = _frames(strip, item.picture, len(ancestors))
        src = link(strip.path, page)
        ratio = strip.width / strip.height / frames
    if frames == len(ancestors):
        captions = [_caption(ancestor) for ancestor in ancestors]
    else:
        captions = [["", "", ""]] * frames
    about = _about(number(item.record.get("generations")), frames)
    return Lineage(src, round(ratio, 4), captions, about, problem)


def _frames(strip: Picture, picture: Picture | None, ancestors: int) -> int:
    """How many frames the strip holds.

    As many as ancestors if that agrees with the picture's shape, else what the shape says, else 1.
    """
    shape = strip.width / strip.height
    if picture is None or picture.problem:
        return ancestors or max(1, round(shape))
    ratio = picture.width / picture.height
    for frames in (ancestors, round(shape / ratio)):
        if 0 < frames <= FRAMES and abs(shape / frames / ratio - 1) < TOLERANCE:
            return frames
    return 1


def _caption(value: Json) -> list[str]:
    """Step, confidence and number of an ancestor; a dash for what is unknown."""
    ancestor = value if isinstance(value, dict) else {}
    step = plain(ancestor.get("step"))
    name = plain(ancestor.get("id"))
    return [
        f"step {step}" if step != NOTHING else NOTHING,
        percent(ancestor.get("score")),
        f"individual {name}" if name != NOTHING else "",
    ]


def _about(generations: float | None, frames: int) -> str:
    if generations is None:
        return ""
    text = f"{plain(generations)} generation{'s' * (generations != 1)}"
    return f"{text}, {frames:,} of them shown" if 1 < frames < generations else text
