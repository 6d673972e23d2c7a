"""Executes the lessons and stores what their cells show, pictures as small JPEGs.

    python docs/lessons/execute.py [NAME...]

Without names all of them. It needs the extra ``lessons``: pip install -e ".[lessons]".
"""

from __future__ import annotations

import argparse
import base64
import io
from itertools import product
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).parent
WIDEST = 1000  # pixels
LARGEST = 50_000  # bytes of one picture
SIZES = (1.0, 0.85, 0.7)  # of a picture and
QUALITIES = (85, 75, 65)  # of its JPEG, until it is small enough


def execute(path: Path) -> None:
    """Runs one notebook from its first cell and writes it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    # from the root, where a checkout is importable without being installed
    where = {"metadata": {"path": str(FOLDER.parent.parent)}}
    NotebookClient(notebook, timeout=600, resources=where).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times, which differ from run to run
        if cell.cell_type == "code":
            cell.outputs = [stored(output) for output in cell.outputs if not is_empty(output)]
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)


def is_empty(output: NotebookNode) -> bool:
    """Whether an output shows nothing, as the place of a progress bar that is gone."""
    return output.get("data", {}).get("text/html") == ""


def stored(output: NotebookNode) -> NotebookNode:
    """An output whose picture is a JPEG."""
    data = output.get("data", {})
    if "image/png" in data:
        output.data = NotebookNode({"image/jpeg": jpeg(base64.b64decode(data["image/png"]))})
        output.metadata = NotebookNode()
    return output


def jpeg(png: bytes) -> str:
    """A PNG as a JPEG of at most `WIDEST` pixels and `LARGEST` bytes, in base64."""
    with Image.open(io.BytesIO(png)) as image:
        picture = Image.new("RGB", image.size, "white")
        picture.paste(image, mask=image.convert("RGBA").getchannel("A"))
    for share, quality in product(SIZES, QUALITIES):
        picture.thumbnail((int(share * WIDEST), 4 * WIDEST), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= LARGEST:
            break
    return base64.b64encode(buffer.getvalue()).decode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of notebooks, such as 3_saliency")
    names = parser.parse_args().names
    for path in sorted(FOLDER.glob("*.ipynb")):
        if not names or path.stem in names:
            execute(path)
            print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
