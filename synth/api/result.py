"""The result of a run in Python: pictures, numbers and tensors, in memory or from a run folder."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from synth import data
from synth.config.command import Command
from synth.config.recording import record_configuration
from synth.data.sheet import joined, sized
from synth.errors import InputError
from synth.files import decoded, open_image, open_regular, read_text
from synth.gallery.page import build_run_page
from synth.gallery.pictures import find_picture
from synth.record.folder_record import STEPS, FolderRecord
from synth.record.json_text import dumps
from synth.record.memory_record import MemoryRecord
from synth.record.result import MALFORMED, Figure, Item, Json, NetworkInfo, read_result
from synth.record.result import Result as Recorded

SHOWN = 60  # pictures in a notebook's cell or on a sheet
SMALL, LARGE = 192, 384  # pixels of a picture's longer side in a notebook's cell
STYLE = "display:inline-block;margin:4px;font:12px sans-serif;text-align:center;vertical-align:top"


class Result:
    """Pictures, numbers and tensors of one run.

    Predictions, confidence and success are measured on the 8-bit pictures, in float32.

    Args:
        recorded: what ``result.json`` of the run folder holds.
        source: where pictures and tensors are: memory, or a run folder.
        command: that made it, where it is in memory.
    """

    def __init__(
        self, recorded: Recorded, source: MemoryRecord | Path, command: Command | None = None
    ) -> None:
        self._recorded = recorded
        self._source = source
        self._command = command

    @staticmethod
    def of_folder(folder: Path) -> Result:
        """The result of a finished run folder.

        Raises:
            InputError: where there is none, or it is damaged.
        """
        content = read_result(folder, "done") or read_result(folder, "interrupted")
        if content is None:
            raise InputError(f"{folder}: holds no result of a run; name a run folder.")
        try:
            return Result(Recorded.from_dict(content), folder)
        except MALFORMED as error:
            raise InputError(f"{folder}: its result.json is damaged.") from error

    # -- what is in result.json ------------------------------------------------------------------

    @property
    def recipe(self) -> str | None:
        """Name of the recipe."""
        return self._recorded.recipe

    @property
    def status(self) -> str:
        """``done`` or ``interrupted``."""
        return self._recorded.status

    @property
    def seconds(self) -> float | None:
        """Wall-clock seconds."""
        return self._recorded.seconds

    @property
    def network(self) -> NetworkInfo | None:
        """Name, hash and precision of the network that was read."""
        return self._recorded.network

    @property
    def items(self) -> list[Item]:
        """One for each picture: target, prediction, confidence, success, passes, distances."""
        return self._recorded.items

    @property
    def findings(self) -> dict[str, Json]:
        """Numbers about the run as a whole, by name."""
        return self._recorded.findings

    @property
    def figures(self) -> list[Figure]:
        """Sheets and films of the run as a whole; `picture` reads those that are pictures."""
        return self._recorded.figures

    @property
    def layers(self) -> Sequence[Mapping[str, Json]] | None:
        """The layers of the network, one record each, where the recipe lists them."""
        return self._recorded.layers

    @property
    def steps(self) -> list[dict[str, Json]]:
        """One record a step of a search or epoch of a training, as in ``steps.jsonl``.

        ``best`` and ``mean`` are of the monitored number, ``terms`` the parts of the score.
        """
        if isinstance(self._source, MemoryRecord) and not self._source.written_files:
            return list(self._source.lines)
        path = self._folder / STEPS
        try:
            return [json.loads(line) for line in read_text(path).splitlines()]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{path}: cannot be read; it is damaged.") from error

    @property
    def record(self) -> dict[str, Json]:
        """All of it, as ``result.json`` holds it."""
        return self._recorded.to_dict()

    # -- pictures and tensors --------------------------------------------------------------------

    @cached_property
    def images(self) -> Tensor | list[Tensor]:
        """The pictures of the items: float32 [n, 3, h, w], RGB in [0, 1], of 256 levels.

        Items without a picture (empty cells of a map) have none here. A list of tensors [3, h, w]
        where their sizes differ.
        """
        pictures = [self.picture(item.file) for item in self.items if item.file is not None]
        if not pictures:
            return torch.zeros(0, 3, 1, 1)
        alike = all(picture.shape == pictures[0].shape for picture in pictures)
        return torch.stack(pictures) if alike else pictures

    @property
    def originals(self) -> Tensor:
        """The clean images that the items began from: float32 [n, 3, h, w].

        Raises:
            InputError: where the run began from none.
        """
        files = [item.original for item in self.items]
        if not files or None in files:
            raise InputError(f"{self.recipe}: its items began from no picture.")
        return torch.stack([self.picture(str(file)) for file in files])

    def picture(self, file: str) -> Tensor:
        """A picture of the run by its path within the run folder: float32 [3, h, w] in [0, 1].

        Args:
            file: of an item (``item.file``, ``item.difference``) or a figure.

        Raises:
            InputError: where there is no such picture.
        """
        if isinstance(self._source, MemoryRecord):
            if file in self._source.pictures:
                return self._source.read_back(file)
            if file in self._source.files:
                with decoded(io.BytesIO(self._source.files[file]), file) as image:
                    return data.from_image(data.rgb(image))
        entry = find_picture(self._folder, file)
        if entry is None or entry.problem:
            reason = entry.problem if entry else "no name"
            raise InputError(f"{self._folder}: {file} is no picture of this run: {reason}.")
        with open_image(entry.path, str(file)) as image:
            return data.from_image(data.rgb(image))

    @property
    def _folder(self) -> Path:
        return self._source.folder if isinstance(self._source, MemoryRecord) else self._source

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """The tensors behind pictures and figures, by name, on the CPU.

        ``genome`` where an encoding has one beyond its pixels, ``births`` of evolution, and what a
        probe measured; those of an experiment of a comparison as ``EXPERIMENT/NAME``.
        """
        tensors: dict[str, Tensor] = {}
        for file, content in self._tensor_files().items():
            _, _, part = file.removesuffix(".safetensors").partition("_")
            contenders = self._recorded.contenders or {}
            prefix = f"{part}/" if part in contenders else ""
            tensors |= {prefix + name: tensor for name, tensor in content.items()}
        return tensors

    def _tensor_files(self) -> dict[str, dict[str, Tensor]]:
        if isinstance(self._source, MemoryRecord):
            return self._source.saved_tensors
        files = {}
        for path in sorted(self._source.glob("*.safetensors")):
            try:
                with open_regular(path) as file:
                    files[path.name] = load(file.read())
            except (OSError, ValueError, SafetensorError) as error:
                raise InputError(f"{path}: damaged, or no file of tensors.") from error
        return files

    @property
    def success(self) -> Tensor:
        """Whether each item reached its target, those of `already` included: bool [n]."""
        successes = [bool(item.success or item.already) for item in self.items]
        return torch.tensor(successes, dtype=torch.bool)

    @property
    def already(self) -> Tensor:
        """Whether each item's clean image met the target before the search: bool [n]."""
        return torch.tensor([bool(item.already) for item in self.items], dtype=torch.bool)

    @property
    def confidence(self) -> Tensor:
        """The probability of each item's target, NaN where it has none: float32 [n]."""
        return _numbers([item.confidence for item in self.items])

    @property
    def linf(self) -> Tensor:
        """The largest change of a pixel against the clean image, NaN without one: float32 [n]."""
        return _numbers([item.linf for item in self.items])

    @property
    def l2(self) -> Tensor:
        """The Euclidean norm of the change, NaN where there is no clean image: float32 [n]."""
        return _numbers([item.l2 for item in self.items])

    # -- tables, pages, folders ------------------------------------------------------------------

    def frame(self) -> Any:
        """The items as a table of pandas, a row each, with what they have in common.

        Raises:
            InputError: where pandas is not installed.
        """
        return frame_of([self])

    def rows(self) -> list[dict[str, Json]]:
        """The rows of `frame` as dictionaries; a single one without item where there are none.

        What was chosen for the run stands under its key: ``encoding.epsilon``, ``seed``.
        """
        recorded = self._recorded
        common: dict[str, Json] = {
            "recipe": recorded.recipe,
            "network": recorded.network.name if recorded.network else None,
            "search": recorded.search,
            "encoding": recorded.encoding,
            "folder": None if isinstance(self._source, MemoryRecord) else str(self._source),
        }
        chosen = dict(_chosen(word) for word in recorded.overrides or ())
        items = [item.to_dict() | {"passes": item.passes} for item in self.items]
        return [chosen | common | item for item in items or [{}]]

    def sheet(self, across: int = 8) -> Image.Image:
        """The first pictures side by side over their labels, as a Pillow image.

        Args:
            across: pictures a row.
        """
        items = [item for item in self.items if item.file is not None][:SHOWN]
        parts = [
            (sized(data.to_image(self.picture(str(item.file))), SMALL, LARGE), _label(item))
            for item in items
        ]
        if not parts:
            raise InputError(f"{self.recipe}: the run has no pictures to show.")
        return joined(parts, across)

    def figure(self, index: int = 0) -> Image.Image:
        """A sheet of the run as a whole, as a Pillow image.

        Args:
            index: its place in `figures`; those from the end are negative.

        Raises:
            InputError: where the run has no such figure, or it is a film.
        """
        if not -len(self.figures) <= index < len(self.figures):
            raise InputError(f"figure({index}): {self.recipe} has {len(self.figures)} figures.")
        return data.to_image(self.picture(self.figures[index].file))

    def show(self) -> None:
        """Shows the pictures: below the cell of a notebook, or in the desktop's image viewer."""
        from synth.record.notebook import in_notebook

        if in_notebook():
            from IPython.display import display

            display(self)
        else:
            self.sheet().show()

    def save(self, folder: str | Path) -> Path:
        """Writes the run folder that the command leaves, with its page; gives its path.

        Args:
            folder: a folder that does not exist yet, or is empty.

        Raises:
            InputError: where it holds files, cannot be written to, or the result has a folder.
        """
        folder = Path(folder)
        if isinstance(self._source, Path) or self._command is None:
            raise InputError(
                f"folder={folder}: the result is in {self._source} already; copy that."
            )
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"folder={folder}: is there already, with files in it; name another.")
        record = FolderRecord(folder, self._command.identity)
        record.provenance = self._command.provenance
        record_configuration(self._command.cfg, self._command.hydra_cfg, folder)
        if self._source.lines:
            record.steps(self._source.lines)
        for name, (levels, about) in self._source.pictures.items():
            record.save_picture(name, levels.float().div_(255.0), about)
        for name, tensors in self._source.saved_tensors.items():
            record.tensors(name.removesuffix(".safetensors"), tensors)
        for name, content in self._source.files.items():
            record.keep(name, content)
        for path in self._source.written_files:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            record.keep(path.as_posix(), (self._source.folder / path).read_bytes())
        record.finish(self._recorded)
        build_run_page(folder)
        return folder

    def __repr__(self) -> str:
        count = sum(item.file is not None for item in self.items)
        findings = ", ".join(f"{name} {_short(value)}" for name, value in self.findings.items())
        return f"<Result of {self.recipe}: {count} pictures; {findings}>"

    def _repr_html_(self) -> str:
        """The pictures with their targets and predictions, and the findings."""
        items = [item for item in self.items if item.file is not None]
        cards = [self._card(str(item.file), _label(item)) for item in items[:SHOWN]]
        cards += [
            self._card(figure.file, figure.caption)
            for figure in self.figures
            if figure.file.endswith(".png")
        ]
        if len(items) > SHOWN:
            cards.append(f"<div>and {len(items) - SHOWN} more</div>")
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(_short(value))}</td></tr>"
            for name, value in self.findings.items()
        )
        title = f"<b>{escape(str(self.recipe))}</b> {escape(self._recorded.headline or '')}"
        return f"<div>{title}<div>{''.join(cards)}</div><table>{rows}</table></div>"

    def _card(self, file: str, label: str) -> str:
        try:
            picture = self.picture(file)
        except InputError as error:
            return f'<div style="{STYLE}">{escape(str(error))}</div>'
        buffer = io.BytesIO()
        sized(data.to_image(picture), SMALL, LARGE).save(buffer, "PNG")
        content = base64.b64encode(buffer.getvalue()).decode()
        image = f'<img src="data:image/png;base64,{content}" style="max-width:{LARGE}px">'
        return f'<div style="{STYLE}">{image}<br>{escape(label)}</div>'


def frame_of(results: Sequence[Result]) -> Any:
    """The items of several results as one table of pandas.

    Raises:
        InputError: where pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise InputError("frame(): needs pandas; pip install pandas, or read .items.") from error
    return pandas.DataFrame([row for result in results for row in result.rows()])


def _chosen(word: str) -> tuple[str, Json]:
    """Key and value of a word of a run; a number where it is one."""
    key, _, value = word.partition("=")
    try:
        return key.lstrip("+~"), json.loads(value)
    except ValueError:
        return key.lstrip("+~"), value


def _numbers(values: Sequence[float | None]) -> Tensor:
    return torch.tensor([torch.nan if value is None else value for value in values])


def _label(item: Item) -> str:
    """The target of an item, and its confidence or what is predicted instead."""
    parts = [item.target or item.image or ""]
    if item.success is False and item.predicted not in (None, item.target):
        parts.append(f"predicted {item.predicted}")
    if item.confidence is not None:
        parts.append(
            f"{item.confidence:.0%}" if item.confidence < 0.995 else f"{item.confidence:.1%}"
        )
    return ", ".join(filter(None, parts))


def _short(value: Json) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
