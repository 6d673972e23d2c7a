"""Takes an item with ancestors; gives its lineage for the enlarged view: frames of one picture, a caption each.

The strip holds the frames side by side, the first ancestor left and the elite last. Where ancestors and frames do not
agree, no caption is better than another frame's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from synth.gallery.folder import Item, Picture
from synth.gallery.inline import link
from synth.gallery.numerals import NOTHING, number, percent, plain

FRAMES = 128
ROUGH = 0.1  # by how much a frame's shape may differ from the picture's, for lines between frames


def lineage_of(item: Item, page: Path) -> dict[str, Any] | None:
    """What the page's script needs to draw the lineage of `item`; None where nothing is known of it."""
    told = item.record.get("ancestors")
    ancestors = told if isinstance(told, list) and len(told) <= FRAMES else []
    strip = item.strip
    if strip is None and not ancestors:
        return None
    src, ratio, frames, problem = "", 1.0, len(ancestors), "no film strip"
    if strip is not None and strip.problem:
        problem = strip.problem
    elif strip is not None:
        frames = _frames(strip, item.picture, len(ancestors))
        src, ratio, problem = link(strip.path, page), strip.width / strip.height / frames, ""
    captions = (
        [_caption(record) for record in ancestors]
        if frames == len(ancestors)
        else [["", "", ""]] * frames
    )
    about = _about(number(item.record.get("generations")), frames)
    return {
        "src": src,
        "ratio": round(ratio, 4),
        "frames": captions,
        "about": about,
        "problem": problem,
    }


def _frames(strip: Picture, picture: Picture | None, ancestors: int) -> int:
    """How many frames the strip holds: as many as ancestors if their shape fits, else what the shape says, else 1."""
    shape = strip.width / strip.height
    if picture is None or picture.problem:
        return ancestors or max(1, round(shape))
    ratio = picture.width / picture.height
    for frames in (ancestors, round(shape / ratio)):
        if 0 < frames <= FRAMES and abs(shape / frames / ratio - 1) < ROUGH:
            return frames
    return 1


def _caption(record: Any) -> list[str]:
    """Step, confidence and number of an ancestor; a dash for what is not known."""
    told = record if isinstance(record, dict) else {}
    step, name = plain(told.get("step")), plain(told.get("id"))
    return [
        f"step {step}" if step != NOTHING else NOTHING,
        percent(told.get("score")),
        f"individual {name}" if name != NOTHING else "",
    ]


def _about(generations: float | None, frames: int) -> str:
    if generations is None:
        return ""
    text = f"{plain(generations)} generation{'s' * (generations != 1)}"
    return f"{text}, {frames:,} of them shown" if 1 < frames < generations else text
