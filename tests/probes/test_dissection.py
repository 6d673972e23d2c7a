"""Network dissection: channels built by hand, thresholds, the chance level, resume, mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import wrapped
from torch import nn

from synth.core.network import Network
from synth.data.collection import Batch
from synth.data.concepts import ConceptSet
from synth.data.generated_concepts import COLOURS, write_concepts
from synth.errors import InputError
from synth.probes.detectors import BINS, Quantiles
from synth.probes.dissection import Dissection
from synth.record.folder_record import FolderRecord
from synth.record.memory_record import MemoryRecord

SIDE = 32


class Colours(nn.Module):
    """Channels for what is red, what is blue, what is bright, and one that never fires."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = nn.Conv2d(3, 4, 1)
        self.rectified = nn.ReLU()
        rows = [[1.0, -1.0, -1.0], [-1.0, -1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
        self.channels.weight.data = torch.tensor(rows)[..., None, None]
        self.channels.bias.data = torch.tensor([0.0, 0.0, 0.0, -1.0])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.rectified(self.channels(images)).mean((2, 3))


@pytest.fixture(scope="module")
def network() -> Network:
    return wrapped(Colours(), ["a", "b", "c", "d"], size=(SIDE, SIDE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated concepts, and the place of each colour in the list of them."""
    folder = tmp_path_factory.mktemp("concepts")
    write_concepts(folder, 40, SIDE, seed=3)
    return folder


def dissection(network: Network, folder: Path, **changes: object) -> Dissection:
    settings = {"layers": "rectified", "k": 2, "shown": 2} | changes
    return Dissection(network, folder / "images", folder / "labels", **settings)  # type: ignore[arg-type]


def test_channels_built_by_hand_get_their_labels(
    network: Network, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = MemoryRecord()
    result = dissection(network, folder).run(record)
    tensors = record.saved_tensors["dissection.safetensors"]
    names = [row["concept"] for row in result.findings["concepts"]]  # type: ignore[index,union-attr]
    assert [names[concept] if concept >= 0 else None for concept in tensors["concept"][:3]] == [
        "red",
        "blue",
        "white",
    ]
    assert int(tensors["concept"][3]) == -1
    (row,) = result.findings["dissection"]  # type: ignore[misc]
    assert (row["detectors"], row["silent"], row["unique_color"]) == (3, 1, 3)  # type: ignore[index,call-overload]
    assert row["chance_detectors"] == 0  # type: ignore[index,call-overload]
    assert float(tensors["chance"].max()) < float(tensors["iou"].max(1).values[:3].min()) / 2
    assert "rectified: 1 of its channels never fire" in caplog.text
    assert [figure.file for figure in result.figures] == [
        "figures/detectors_rectified.png",
        "figures/001.png",
    ]


def test_iou_is_that_of_masks_counted_one_by_one(network: Network, folder: Path) -> None:
    for per_picture in (False, True):
        probe = dissection(network, folder, per_picture=per_picture, grid=16)
        (layer,), _ = probe.dissected(MemoryRecord())
        concepts = ConceptSet(folder / "images", folder / "labels")
        red = [concept.name for concept in concepts.concepts].index("red")
        both, union, shares = 0, 0, []
        for place in range(len(concepts.collection)):
            image = concepts.collection.picture(place).at((SIDE, SIDE))[None]
            maps = network.read(image, ["rectified"])["rectified"]
            large = torch.nn.functional.interpolate(maps, (16, 16), mode="bilinear")[0, 0]
            masks, counted = concepts.masks(place, (SIDE, SIDE), (16, 16))
            fires = (large > layer.thresholds[0]) & counted[concepts.category[red]]
            hits, joined = (fires & masks[red]).sum().item(), (fires | masks[red]).sum().item()
            both, union = both + hits, union + joined
            if masks[red].any():
                shares.append(hits / joined)
        expected = float(np.mean(shares)) if per_picture else both / union
        assert float(layer.iou[0, red]) == pytest.approx(expected, abs=1e-6)


def test_thresholds_are_those_of_the_exact_quantile() -> None:
    values = torch.randn(6, 3, 90, 90, generator=torch.Generator().manual_seed(0)).exp()
    values[4:] *= 4  # later pictures exceed the range of the first
    values[:, 2] = 0.0
    tally = Quantiles({"layer": (3, 90, 90)}, torch.device("cpu"))
    for part in values.split(2):
        tally.add(Batch(torch.arange(2), torch.zeros(2, 3, 1, 1)), {"layer": part})
    again = Quantiles({"layer": (3, 90, 90)}, torch.device("cpu"))
    again.restore(tally.state())
    limits = again.threshold("layer", 0.005)
    flat = values.transpose(0, 1).flatten(1)
    width = flat.amax(1) * 2 / BINS
    # between two values any number is a quantile
    low = flat.quantile(0.995, 1, interpolation="lower") - width
    high = flat.quantile(0.995, 1, interpolation="higher") + width
    assert ((low <= limits) & (limits <= high))[:2].all()
    assert ((limits / flat.quantile(0.995, 1) - 1).abs()[:2] < 0.01).all()
    assert again.never("layer").tolist() == [False, False, True]


def test_counts_are_exact_beyond_those_of_float32_and_constant_channels_have_thresholds() -> None:
    device = torch.device("cpu")
    batch = Batch(torch.arange(1), torch.zeros(1, 3, 1, 1))
    values = torch.linspace(0, 1, 2000).pow(40).reshape(1, 1, 1, -1)  # most of it in the first bin
    tally = Quantiles({"layer": (1, 1, 2000)}, device)
    tally.add(batch, {"layer": values})
    limit = tally.threshold("layer", 0.005)
    many = {**tally.state(), "counts/layer": tally.state()["counts/layer"] * (1 << 14)}
    tally.restore(many)  # as after 33 million places
    for _ in range(3):
        tally.add(batch, {"layer": values})
    assert int(tally.state()["counts/layer"].sum()) == 2000 * ((1 << 14) + 3)
    assert float(tally.threshold("layer", 0.005)) == pytest.approx(float(limit), rel=1e-4)

    tally = Quantiles({"layer": (2, 40, 40)}, device)
    later = 5 + torch.rand(1, 2, 40, 40, generator=torch.Generator().manual_seed(0))
    later[:, 1] = 5.0
    for part in (torch.full_like(later, 5.0), later, later):
        tally.add(batch, {"layer": part})
    exact = torch.cat([torch.full((1600,), 5.0), *[later[0, 0].flatten()] * 2]).quantile(0.995)
    limits = tally.threshold("layer", 0.005)
    assert float(limits[0]) == pytest.approx(float(exact), rel=1e-3)
    assert float(limits[1]) == pytest.approx(5.0, rel=1e-5)
    assert tally.never("layer").tolist() == [False, True]


def test_a_finished_pass_is_not_made_again(network: Network, folder: Path, tmp_path: Path) -> None:
    probe = dissection(network, folder)
    first, _ = probe.dissected(FolderRecord(tmp_path), 1)
    second, _ = dissection(network, folder).dissected(FolderRecord(tmp_path), 1)
    assert torch.equal(first[0].iou, second[0].iou)


def test_generated_pictures_are_the_same_for_a_seed_and_have_every_label(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_concepts(tmp_path / name, 3, 24, seed)
    files = ["images/0000.png", "labels/texture/0002.png"]
    for file in files:
        one, two, three = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert one == two != three
    concepts = ConceptSet(tmp_path / "a/images", tmp_path / "a/labels")
    assert [concept.name for concept in concepts.concepts][: len(COLOURS)] == [*COLOURS]
    masks, _ = concepts.masks(0, (24, 24), (24, 24))
    by_category = [masks[concepts.category == place].sum(0) for place in range(3)]
    assert torch.equal(by_category[0], by_category[1])  # a pixel of a shape has one of each
    assert torch.equal(by_category[0], by_category[2])
    assert int(by_category[0].max()) == 1


def small_set(folder: Path, table: str, labels: np.ndarray, colour: tuple[int, int, int]) -> Path:
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    Image.new("RGB", (12, 12), colour).save(folder / "images" / "a.png")
    Image.fromarray(labels.astype(np.uint8)).save(folder / "labels" / "a.png")
    (folder / "concepts.tsv").write_text(table)
    return folder


HEAD = "value\tname\tcategory\tignore\n"
TABLE = f"{HEAD}1\tred\tcolor\t0\n2\tvoid\tcolor\t1\n"


@pytest.mark.parametrize(
    ("table", "labels", "message"),
    [
        (TABLE, np.full((12, 12), 9), "a.png has the value 9, which the table of concepts lacks"),
        (TABLE, np.ones((12, 24)), "24 x 12 pixels do not cover its picture of 12 x 12"),
        (TABLE, np.ones((12, 12, 3)), "a picture in colours"),
        (HEAD, np.ones((12, 12)), "has no concept that is not ignored"),
        (f"{TABLE}1\tblue\tcolor\t0\n", np.ones((12, 12)), "line 4: value 1 is there twice"),
        (f"{HEAD}x\tred\tcolor\t0\n", np.ones((12, 12)), "line 2: write a value from 0 to 65535"),
        ("value\tname\n", np.ones((12, 12)), "its first line has no column category"),
    ],
)
def test_wrong_label_maps_are_refused_in_a_line(
    network: Network, tmp_path: Path, table: str, labels: np.ndarray, message: str
) -> None:
    folder = small_set(tmp_path, table, labels, (200, 0, 0))
    with pytest.raises(InputError, match=message):
        dissection(network, folder).run(MemoryRecord())


def test_what_does_not_pair_is_left_out_and_void_counts_for_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = np.ones((12, 12))
    labels[:, :6] = 2
    folder = small_set(tmp_path / "set", TABLE, labels, (200, 0, 0))
    Image.new("RGB", (4, 4)).save(folder / "images" / "alone.png")
    Image.new("L", (4, 4)).save(folder / "labels" / "nobody.png")
    concepts = ConceptSet(folder / "images", folder / "labels")
    assert (concepts.missing, concepts.unused, len(concepts.collection)) == (1, 1, 1)
    assert "1 pictures have no label map" in caplog.text
    masks, counted = concepts.masks(0, (8, 8), (4, 4))
    assert masks[0].tolist() == counted[0].tolist() == [[False, False, True, True]] * 4
    (folder / "images" / "other").mkdir()
    Image.new("RGB", (12, 12)).save(folder / "images" / "other" / "a.png")
    with pytest.raises(InputError, match=r"other/a\.png have one name"):
        ConceptSet(folder / "images", folder / "labels")
    (folder / "labels" / "a.png").unlink()
    with pytest.raises(InputError, match="no label map has the name of a picture"):
        ConceptSet(folder / "images", folder / "labels")
    with pytest.raises(InputError, match="write labels=FOLDER too"):
        ConceptSet(folder / "images")


def test_a_concept_in_no_picture_is_said(
    network: Network, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = f"{TABLE}3\tblue\tcolor\t0\n"
    dissection(network, small_set(tmp_path, table, np.ones((12, 12)), (200, 0, 0)), k=1).run(
        MemoryRecord()
    )
    assert "blue (color) occurs in no picture" in caplog.text


def test_broden_is_read_in_its_own_layout(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (8, 8)).save(images / "p.jpg")
    values = np.zeros((8, 8, 3), np.uint8)
    values[:4] = (44, 1, 0)  # 300 = 44 + 256
    Image.fromarray(values).save(images / "p_object.png")
    (tmp_path / "label.csv").write_text(
        "number,name,category,frequency\n5,street,scene,1\n300,sky,object(3);part(1),1\n"
    )
    (tmp_path / "index.csv").write_text(
        "image,split,ih,iw,sh,sw,color,object,part,material,scene,texture\n"
        "p.jpg,train,8,8,8,8,,p_object.png,,,5,\n"
    )
    concepts = ConceptSet(tmp_path)
    masks, counted = concepts.masks(0, (8, 8), (8, 8))
    assert [(c.name, c.category) for c in concepts.concepts] == [
        ("street", "scene"),
        ("sky", "object"),
    ]
    assert masks.flatten(1).sum(1).tolist() == [64, 32]
    assert counted.all()
    (tmp_path / "index.csv").write_text("image,object\n../../p.jpg,p_object.png\n")
    with pytest.raises(InputError, match=r"\.\./\.\./p\.jpg is not below"):
        ConceptSet(tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"quantile": 0.0}, "quantile=0.0: write a share"),
        ({"threshold": 1.0}, "threshold=1.0: write an IoU"),
        ({"layers": []}, "name at least one layer"),
        ({"labels": "x"}, "images: labels= and concepts= are of pictures"),
    ],
)
def test_wrong_words(network: Network, words: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Dissection(network, **words)  # type: ignore[arg-type]
