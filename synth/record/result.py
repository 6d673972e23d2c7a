"""The result of a run, the content of ``result.json``: `Result`, `Item` (one image), `Figure`.

The same types for every recipe, in memory and on disk. `Result.to_dict` and `Item.to_dict` give
plain JSON values under the names of the fields; an optional field that is None is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from beartype.roar import BeartypeCallHintViolation

from synth.files import read_text

# what `Result.from_dict` and `json.loads` raise for content of another form
MALFORMED = (
    TypeError,
    ValueError,
    KeyError,
    AttributeError,
    RecursionError,
    BeartypeCallHintViolation,
)

RESULT = "result.json"

Json = object  # a value that JSON can hold: None, bool, int, float, str, or lists and dicts of them


@dataclass(frozen=True)
class NetworkInfo:
    """Which network was read.

    Attributes:
        name: of the network.
        sha256: of its weights, in hexadecimal.
        precision: that a search read it in, ``float32`` or ``bfloat16``, of a comparison perhaps
            ``float32, bfloat16``; what is reported of images is measured in float32 in any case.
    """

    name: str
    sha256: str | None = None
    precision: str | None = None


@dataclass(frozen=True)
class Figure:
    """A picture or film of a whole run.

    Attributes:
        file: path within the run folder.
        caption: what it shows.
        units: units of a network that it shows, ``conv3:17``, of which more can be seen.
    """

    file: str
    caption: str
    units: Sequence[str] | None = None


@dataclass
class Item:
    """One image of a run: its target, its cost in network passes, and the prediction for it.

    Predictions, `confidence` and `success` are measured on the saved 8-bit file in float32.

    Attributes:
        file: path of the PNG within the run folder; None where there is no image (an empty cell of
            a map).
        target: a class name, ``layer:unit``, ``not goldfish``; where there is none, the name of the
            picture.
        target_index: index of the target class in the network's outputs.
        niche: behaviour descriptor of the cell (``dark, symmetric``) beside the class.
        image: name of the picture that the item was made from.
        facet: index of this image among those of its genome, from 0.
        contender: which experiment of a comparison made it.
        seed: seed of the run.
        score: final value of the objective, as the search read it: in the network's `precision`,
            under the transform of the step, and before the image was rounded to 8 bits.
        steps: search steps taken.
        forwards: images passed forward through the network.
        backwards: images passed backward through the network.
        seconds: wall-clock seconds from the start of the run until the item was finished.
        predicted: name of the class with the largest logit.
        predicted_index: its index.
        predicted_confidence: its probability.
        confidence: probability of the target class; for an untargeted item one minus that of the
            class to be avoided.
        success: whether the target is predicted and the monitored value reached `until`; None where
            there is neither.
        original: path of the clean image within the run folder.
        original_predicted: class predicted for the clean image.
        original_confidence: its probability.
        already: True where the clean image met the target before the search; not counted.
        linf: largest absolute change of a pixel value in [0, 1] against the clean image.
        l2: Euclidean norm of the change.
        amplified: factor by which `difference` shows the change.
        difference: path of the amplified picture of the change.
        strip: path of the film strip of ancestors.
        ancestors: the remembered ancestors: id, step, target, score.
        generations: length of the whole line of ancestors.
        of: path of the image that this one renders again.
        transfer_confidence: confidence of a second network that the search did not use.
        transfer_success: whether that network predicts the target too.
        natural_distance: distance from natural pictures in units of their own mean distance.
        style: name of the style picture or stylizer.
        neighbourhood: width in pixels of the compared neighbourhood (texture_nearest).
        levels: resolutions of the texture pyramid (texture_nearest).
        extra: values that metrics add under names of their own (``critical``, ``feature_error``).
    """

    file: str | None = None
    target: str | None = None
    target_index: int | None = None
    niche: str | None = None
    image: str | None = None
    facet: int | None = None
    contender: str | None = None
    seed: int | None = None
    score: float | None = None
    steps: int | None = None
    forwards: int | None = None
    backwards: int | None = None
    seconds: float | None = None
    predicted: str | None = None
    predicted_index: int | None = None
    predicted_confidence: float | None = None
    confidence: float | None = None
    success: bool | None = None
    original: str | None = None
    original_predicted: str | None = None
    original_confidence: float | None = None
    already: bool | None = None
    linf: float | None = None
    l2: float | None = None
    amplified: float | None = None
    difference: str | None = None
    strip: str | None = None
    ancestors: list[dict[str, Json]] | None = None
    generations: int | None = None
    of: str | None = None
    transfer_confidence: float | None = None
    transfer_success: bool | None = None
    natural_distance: float | None = None
    style: str | None = None
    neighbourhood: int | None = None
    levels: int | None = None
    extra: dict[str, Json] = field(default_factory=dict)

    @property
    def passes(self) -> int:
        """Network passes it cost: a forward counts 1, a backward 2."""
        return (self.forwards or 0) + 2 * (self.backwards or 0)

    def to_dict(self) -> dict[str, Json]:
        """The item as plain JSON values, without the optional fields that are None."""
        return _to_dict(self, _ALWAYS_IN_ITEM) | self.extra

    @staticmethod
    def from_dict(record: Mapping[str, Json]) -> Item:
        """The item of a record; keys that are no fields become `extra`."""
        names = {entry.name for entry in fields(Item)} - {"extra"}
        values = {key: value for key, value in record.items() if key in names}
        extra = {key: value for key, value in record.items() if key not in names}
        return Item(**values, extra=extra)


@dataclass
class Result:
    """The result of a job, the same for all jobs.

    Attributes:
        status: ``done`` or ``interrupted``.
        seconds: wall-clock seconds, those before a resume included.
        device: where it ran: ``cpu``, ``cuda:0``.
        versions: versions of the packages that decide what a run draws.
        hardware: ``threads`` and ``instructions`` of the CPU, which decide the last bits; set by
            the caller of `Job.run`.
        network: the network that was read, where one was.
        search: name of the search, where there was one.
        encoding: name of the encoding, where there was one.
        items: one an image.
        findings: numbers about the run as a whole, by name.
        figures: pictures and films of the run as a whole.
        archive: history of the cells of a MAP-Elites archive.
        contenders: the experiments of a comparison, by name.
        transfer: the second network of a comparison.
        layers: the layers of a network, one record each.
        recipe: name of the recipe; set by the caller of `Job.run`.
        overrides: of the recipe, as ``key=value``.
        configuration: hash of the whole configuration.
        headline: what the run was for and what came of it, in one line; set by the caller.
        about: what the recipe says of itself (``sentence``, ``text``, ``formula``, ``source``), and
            the criterion of ``success``; completed by the caller.
    """

    status: str
    seconds: float | None = None
    device: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    hardware: Mapping[str, Json] | None = None
    network: NetworkInfo | None = None
    search: str | None = None
    encoding: str | None = None
    items: list[Item] = field(default_factory=list)
    findings: dict[str, Json] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    archive: Mapping[str, Json] | None = None
    contenders: Mapping[str, Json] | None = None
    transfer: NetworkInfo | None = None
    layers: Sequence[Mapping[str, Json]] | None = None
    recipe: str | None = None
    overrides: Sequence[str] | None = None
    configuration: str | None = None
    headline: str | None = None
    about: Mapping[str, str] | None = None

    def to_dict(self) -> dict[str, Json]:
        """The content of ``result.json``."""
        return _to_dict(self, _ALWAYS_IN_RESULT) | {
            "items": [item.to_dict() for item in self.items],
            "figures": [_to_dict(figure, ()) for figure in self.figures],
        }

    @staticmethod
    def from_dict(record: Mapping[str, Json]) -> Result:
        """The result that a ``result.json`` holds; unknown keys are left out.

        Raises:
            TypeError, ValueError, KeyError, AttributeError, BeartypeCallHintViolation: where the
                record does not have the form of a result; see `MALFORMED`.
        """
        names = {entry.name for entry in fields(Result)}
        values = {key: value for key, value in record.items() if key in names}
        for name in ("network", "transfer"):
            if values.get(name) is not None:
                values[name] = NetworkInfo(**values[name])
        values["items"] = [Item.from_dict(item) for item in values.get("items") or ()]
        values["figures"] = [Figure(**figure) for figure in values.get("figures") or ()]
        return Result(**values)


def name_of(part: object) -> str:
    """The name of a part in results: that of its class, in lower case."""
    return type(part).__name__.lower()


def option_of(part: object) -> str:
    """The name by which a user chooses a part: that of its module, as of its YAML.

    The class's, in lower case, where the part is none of this package.
    """
    package, _, module = type(part).__module__.rpartition(".")
    return module if package.startswith("synth.") else name_of(part)


def read_result(folder: Path, status: str) -> dict[str, Json] | None:
    """The content of result.json in `folder` where a run ended there with `status`, else None."""
    try:
        result = json.loads(read_text(folder / RESULT))
    except (OSError, ValueError, RecursionError):
        return None
    return result if isinstance(result, dict) and result.get("status") == status else None


# written also where they are None: readers of result.json may rely on these names
_ALWAYS_IN_ITEM = ("file", "target", "predicted", "confidence", "success", "seconds", "linf", "l2")
_ALWAYS_IN_RESULT = ("status", "seconds", "device", "network", "search", "encoding", "findings")


def _to_dict(value: Result | Item | Figure | NetworkInfo, always: Sequence[str]) -> dict[str, Json]:
    record: dict[str, Json] = {}
    for entry in fields(value):
        content = getattr(value, entry.name)
        if entry.name == "extra" or (content is None and entry.name not in always):
            continue
        record[entry.name] = _to_dict(content, ()) if isinstance(content, NetworkInfo) else content
    return record
