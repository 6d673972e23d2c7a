"""Classifier training: what it learns and leaves, and that each setting changes only its own."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from small_worlds import COLOURS, write_colour_folders
from torch import Tensor, nn

from synth.data.augmentation import Augmentation
from synth.data.class_folders import read_class_folders
from synth.errors import InputError
from synth.record.folder_record import FolderRecord
from synth.training.classifier.corruption import corrupt_pixels, shuffle_labels
from synth.training.classifier.critical_samples import find_critical
from synth.training.classifier.task import (
    ClassifierTask,
    Normalisation,
    _channels,
    logits_of,
)
from synth.training.classifier.train_classifier import TrainClassifier
from synth.training.classifier.weights import ClassName, read_weights
from synth.training.loop import Loop
from synth.training.plan import Plan
from synth.training.schedule import Constant

Folders = Callable[..., Path]
Build = Callable[[int, float], nn.Sequential]


@pytest.fixture
def numbers(tiny_network: Build) -> dict[str, Any]:
    """The settings of a short training."""
    sizes = {"size": 16, "epochs": 6, "batch": 6, "crop": 2, "rate": 0.1, "dropout": 0.1}
    return {
        "architecture": tiny_network,
        "device": "cpu",
        "precision": "float32",
        "command": "synth ...",
        **sizes,
    }


def rows_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]


def test_it_learns_colours_and_leaves_weights_card_and_curves(
    colour_folders: Folders, numbers: dict[str, Any], tmp_path: Path
) -> None:
    train, val = colour_folders("train"), colour_folders("val", each=8)
    table = tmp_path / "names.tsv"
    table.write_text("wnid\timagenet_index\tname\nred\t7\tcrimson, scarlet\nblue\t\tsky\n")
    folder = tmp_path / "run"
    record = FolderRecord(folder)
    result = TrainClassifier(train, val, names=table, **numbers).run(record)
    record.finish(result)
    findings = result.findings
    assert findings["top1"] > 0.95
    assert findings["top5"] == 1
    assert findings["parameters"] == 3 * 6 * 9 + 12 + 24 * 3 + 3
    assert findings["parameters_per_sample"] == findings["parameters"] / 36
    assert (findings["epochs"], findings["stopped_early"], findings["skipped_files"]) == (
        6,
        False,
        0,
    )
    assert (result.items, result.status, result.network) == ([], "done", None)
    assert result.seconds == sum(row["seconds"] for row in rows_of(folder))
    files = ["curves.png", "result.json", "steps.jsonl", "tiny.md", "tiny.safetensors"]
    assert sorted(path.name for path in folder.iterdir()) == files
    names = {
        "step",
        "train_loss",
        "train_accuracy",
        "train_plain_loss",
        "train_plain_accuracy",
        "weight_norm",
        "validation_loss",
        "validation_accuracy",
        "validation_top5",
    }
    assert [set(row) for row in rows_of(folder)] == [names | {"rate", "seconds"}] * 6
    card = (folder / "tiny.md").read_text().splitlines()
    assert f"| top-1 accuracy | {findings['top1']:.2%} |" in card
    parameters = f"{findings['parameters']} ({findings['parameters_per_sample']:.1f} a training"
    assert f"| parameters | {parameters} picture) |" in card
    plain = f"| top-1 accuracy, training pictures as they are | {findings['train_top1']:.2%} |"
    assert plain in card
    assert "| pictures | 36 of " in "\n".join(card)
    assert "synth ..." in card
    assert str(tmp_path) not in "\n".join(card)
    tensors, description = read_weights(folder / "tiny.safetensors")
    assert description is not None
    assert description.classes == (
        ClassName("sky", "blue"),
        ClassName("green"),
        ClassName("crimson, scarlet", "red", 7),
    )
    assert (description.architecture, description.size, description.command) == (
        "tiny",
        16,
        "synth ...",
    )
    pixels = np.stack(read_class_folders(train, 16).pictures.numpy()) / 255
    assert description.mean == pytest.approx(pixels.mean((0, 2, 3)), abs=1e-4)
    assert description.std == pytest.approx(pixels.std((0, 2, 3)), abs=1e-4)
    network = numbers["architecture"](3, 0.0)
    network.load_state_dict(tensors)
    data = read_class_folders(val, 16)
    logits = logits_of(
        network.eval(), data.pictures, Normalisation(description.mean, description.std)
    )
    assert (
        description.accuracy
        == findings["top1"]
        == (logits.argmax(1) == data.labels).float().mean().item()
    )
    own = read_class_folders(train, 16)
    logits = logits_of(network, own.pictures, Normalisation(description.mean, description.std))
    assert findings["train_top1"] == (logits.argmax(1) == own.labels).double().mean().item()


def test_into_a_record_it_leaves_the_checkpoint_until_the_result_is_written(
    colour_folders: Folders, numbers: dict[str, Any], tmp_path: Path
) -> None:
    record = FolderRecord(tmp_path / "run")
    result = TrainClassifier(colour_folders(), early_stopping=6, **numbers).run(record)
    assert len(list((tmp_path / "run").glob("checkpoint*"))) == 3
    again = TrainClassifier(tmp_path / "train", early_stopping=6, **numbers).run(record)
    assert again == result
    record.finish(result)
    files = ["curves.png", "result.json", "steps.jsonl", "tiny.md", "tiny.safetensors"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == files


def test_the_same_seed_gives_the_same_weights_and_another_others(
    colour_folders: Folders, numbers: dict[str, Any], tmp_path: Path
) -> None:
    train = colour_folders()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        TrainClassifier(train, seed=seed, **{**numbers, "epochs": 1}).run(
            FolderRecord(tmp_path / name)
        )
    (first, description), (same, other_description), (other, _) = (
        read_weights(tmp_path / name / "tiny.safetensors") for name in "abc"
    )
    assert description == other_description
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["conv.weight"], other["conv.weight"])


def test_low_precision_and_the_own_network(colour_folders: Folders, tmp_path: Path) -> None:
    small = {
        "size": 32,
        "epochs": 1,
        "batch": 12,
        "holdout": 6,
        "precision": "bfloat16",
        "device": "cpu",
    }
    training = TrainClassifier(colour_folders(size=32), None, "mini_resnet", **small)
    findings = training.run(FolderRecord(tmp_path / "run")).findings
    assert findings["parameters_per_sample"] == findings["parameters"] / 30
    with safe_open(tmp_path / "run/mini_resnet.safetensors", "pt") as file:
        kinds = {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118 - not a dict
    assert kinds == {torch.float16, torch.int64}


def test_fine_tuning_with_another_head(
    colour_folders: Folders,
    numbers: dict[str, Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    TrainClassifier(colour_folders(), **numbers).run(FolderRecord(tmp_path / "three"))
    start = tmp_path / "three/tiny.safetensors"
    two = colour_folders("two", colours=("green", "red"))
    still = {**numbers, "epochs": 1, "rate": 1e-12}
    TrainClassifier(two, weights=start, **still).run(FolderRecord(tmp_path / "two_run"))
    assert "its head is for other classes; a new one for 2" in caplog.text
    before, description = read_weights(start)
    after, other = read_weights(tmp_path / "two_run/tiny.safetensors")
    assert description is not None
    assert other is not None
    assert torch.equal(after["conv.weight"], before["conv.weight"])
    assert after["fc.weight"].shape == (2, 24)
    assert (other.mean, other.std) == (description.mean, description.std)
    caplog.clear()
    TrainClassifier(tmp_path / "train", weights=start, **still).run(
        FolderRecord(tmp_path / "again")
    )
    assert "head" not in caplog.text
    assert torch.equal(
        read_weights(tmp_path / "again/tiny.safetensors")[0]["fc.weight"], before["fc.weight"]
    )


def one_step(task: ClassifierTask, folder: Path) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """The weights after one step, the input of the network, and the input of its head."""
    inputs: dict[str, Tensor] = {}

    def remember(layer: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        name = "head" if isinstance(layer, nn.Linear) else "network"
        inputs.setdefault(name, arguments[0].clone())

    for place in (0, -1):
        task.network[place].register_forward_pre_hook(remember)
    Loop(task, folder, Plan(1, 40, seed=1, schedule=Constant())).run()
    return task.network.state_dict(), inputs["network"], inputs["head"]


def test_weight_decay_alone_shrinks_kernels_and_matrices(
    make_task: Callable[..., ClassifierTask], tmp_path: Path
) -> None:
    rate, decay = 0.05, 0.02
    start = make_task().network.state_dict()
    plain, images, head = one_step(make_task(rate=rate), tmp_path / "plain")
    decayed, other_images, other_head = one_step(
        make_task(rate=rate, weight_decay=decay), tmp_path / "decayed"
    )
    assert torch.equal(images, other_images)
    assert torch.equal(head, other_head)
    for name, weight in start.items():
        # The first Nesterov step is (1 + momentum) times the gradient, which includes the decay.
        expected = (
            rate * (1 + 0.9) * decay * weight if weight.ndim > 1 else torch.zeros_like(weight)
        )
        torch.testing.assert_close(plain[name] - decayed[name], expected, rtol=1e-3, atol=1e-7)


def test_dropout_alone_zeroes_features(
    make_task: Callable[..., ClassifierTask], tmp_path: Path
) -> None:
    _, images, head = one_step(make_task(Augmentation(2, True)), tmp_path / "plain")
    _, other_images, dropped = one_step(
        make_task(Augmentation(2, True), dropout=0.5), tmp_path / "dropped"
    )
    assert torch.equal(images, other_images)
    active = dropped != 0
    assert torch.equal(dropped[active], 2 * head[active])
    assert active[head != 0].float().mean().item() == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("augmentation", [Augmentation(crop=2), Augmentation(mirror=True)])
def test_crop_and_mirror_alone_change_the_input_and_not_the_order(
    make_task: Callable[..., ClassifierTask], tmp_path: Path, augmentation: Augmentation
) -> None:
    _, plain, _ = one_step(make_task(), tmp_path / "plain")
    _, augmented, _ = one_step(make_task(augmentation), tmp_path / "augmented")
    assert not torch.equal(augmented, plain)
    for picture, original in zip(augmented, plain, strict=True):
        colours = {tuple(pixel) for pixel in original.flatten(1).T.tolist()}
        assert {tuple(pixel) for pixel in picture.flatten(1).T.tolist()} <= colours


def test_shuffled_labels_keep_the_size_of_every_class() -> None:
    labels = torch.arange(10).repeat(100)
    same = shuffle_labels(labels, 0.0, torch.Generator().manual_seed(0))
    half = shuffle_labels(labels, 0.5, torch.Generator().manual_seed(0))
    every = shuffle_labels(labels, 1.0, torch.Generator().manual_seed(0))
    assert torch.equal(same, labels)
    for shuffled, changed in ((half, 0.5 * 0.9), (every, 0.9)):
        assert torch.equal(shuffled.bincount(), labels.bincount())
        assert (shuffled != labels).float().mean().item() == pytest.approx(changed, abs=0.04)


def test_pixels_lose_what_makes_them_pictures_and_keep_their_numbers() -> None:
    draws = torch.Generator().manual_seed(0)
    pictures = torch.randint(40, 200, (30, 3, 8, 8), generator=draws, dtype=torch.uint8)
    others = torch.randint(40, 200, (5, 3, 8, 8), generator=draws, dtype=torch.uint8)

    def order(part: Tensor, before: Tensor) -> list[list[int]]:
        """The place that each pixel of a picture was at, by its colour."""
        colours = [
            {tuple(c): p for p, c in enumerate(image.flatten(1).T.tolist())} for image in before
        ]
        return [
            [places[tuple(colour)] for colour in image.flatten(1).T.tolist()]
            for image, places in zip(part, colours, strict=True)
        ]

    assert corrupt_pixels(pictures, "plain", pictures, 0, "a") is pictures
    shuffled = [
        *order(corrupt_pixels(pictures, "shuffled", pictures, 0, "a"), pictures),
        *order(corrupt_pixels(others, "shuffled", pictures, 0, "b"), others),
    ]
    assert all(places == shuffled[0] for places in shuffled)
    assert sorted(shuffled[0]) == [*range(64)] != shuffled[0]
    mixed = order(corrupt_pixels(pictures, "random", pictures, 0, "a"), pictures)
    assert len({tuple(places) for places in mixed}) == len(pictures)
    noise = corrupt_pixels(pictures, "gaussian", pictures, 0, "a").float()
    assert noise.mean((0, 2, 3)).tolist() == pytest.approx(
        pictures.float().mean((0, 2, 3)).tolist(), abs=4
    )
    assert noise.std().item() == pytest.approx(pictures.float().std().item(), rel=0.05)
    with pytest.raises(InputError, match=r"^pixels=shufled: .* Did you mean shuffled\?$"):
        TrainClassifier("x", pixels="shufled")


def test_a_critical_sample_is_the_nearest_corner_of_another_label() -> None:
    """Of a linear network, whose margin over the largest change of a pixel is known."""
    weights = torch.randn(2, 12, generator=torch.Generator().manual_seed(3))
    images = torch.full((50, 3, 2, 2), 0.5)
    images += 0.02 * torch.randn(images.shape, generator=torch.Generator().manual_seed(4))

    def logits(images: Tensor) -> Tensor:
        return (images - 0.5).flatten(1) @ weights.T

    difference = weights[0] - weights[1]
    radius = logits(images) @ torch.tensor([1.0, -1.0])
    radius = radius.abs() / difference.abs().sum()  # at which the label changes
    limit = float(radius.median())
    near = find_critical(logits, images, limit, 20, torch.Generator().manual_seed(0))
    assert not near.critical[radius > limit].any()
    assert near.critical[radius < 0.8 * limit].all()
    assert torch.equal(near.labels, 1 + near.critical.long())
    assert float((near.images - images).abs().max()) <= limit + 1e-6
    changed = logits(near.images).argmax(1) != logits(images).argmax(1)
    assert torch.equal(changed, near.critical)


def test_a_whole_training_takes_critical_samples(
    colour_folders: Folders, numbers: dict[str, Any], tmp_path: Path
) -> None:
    _channels.cache_clear()  # the size is tried first, without a gradient
    training = TrainClassifier(colour_folders(), critical_samples=0.1, **{**numbers, "epochs": 1})
    assert training.run(FolderRecord(tmp_path / "run")).status == "done"


def test_critical_samples_are_additional_examples(
    make_task: Callable[..., ClassifierTask], tmp_path: Path
) -> None:
    plain, inputs, _ = one_step(make_task(), tmp_path / "plain")
    task = make_task()
    task.critical_samples, task.critical_steps = 0.2, 3
    shapes: list[tuple[int, ...]] = []

    def remember(layer: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        if layer.training:
            shapes.append(tuple(arguments[0].shape))

    task.network[0].register_forward_pre_hook(remember)
    rows = Loop(task, tmp_path / "critical", Plan(1, 40, seed=1, schedule=Constant())).run()
    assert shapes == [(2 * len(inputs), 3, 8, 8)]
    assert 0 < rows[0]["train_critical"] <= 1
    assert not torch.equal(task.network.state_dict()["conv.weight"], plain["conv.weight"])


def test_skipped_files_are_counted(
    colour_folders: Folders, numbers: dict[str, Any], tmp_path: Path
) -> None:
    train, val = colour_folders("train", each=4), colour_folders("val", each=4)
    for path in (train / "red/00.png", val / "red/01.png"):
        path.write_bytes(b"")
    result = TrainClassifier(train, val, **{**numbers, "epochs": 1}).run(
        FolderRecord(tmp_path / "run")
    )
    assert result.findings["skipped_files"] == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate": -1}, "rate=-1: must be from"),
        ({"dropout": 1.5}, "dropout=1.5: must be from 0 to 0.99"),
        ({"random_labels": 2}, "random_labels=2"),
        ({"critical_samples": 2}, "critical_samples=2: must be from"),
        ({"critical_steps": 0}, "critical_steps=0: must be from 1"),
        ({"early_stopping_by": "los"}, r"early_stopping_by=los: write loss or accuracy\."),
        ({"keep_checkpoints": -1}, "keep_checkpoints=-1: every how many epochs"),
        (
            {"architecture": "mini_alexnett"},
            r"architecture=mini_alexnett: no such architecture\. Did you mean mini_",
        ),
        ({"device": "gpu"}, "device=gpu: this machine has no such device"),
        ({"device": "cuda:99"}, "device=cuda:99: this machine has no such device"),
        ({"precision": "half"}, "precision=half: write auto, float32 or bfloat16"),
        ({"crop": -2}, "crop=-2"),
        ({"epochs": 0}, "epochs=0"),
    ],
)
def test_wrong_numbers_fail_in_the_constructor(
    wrong: Mapping[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        TrainClassifier(tmp_path, **wrong)


def test_wrong_files_fail_before_the_first_step(
    colour_folders: Folders, numbers: dict[str, Any], tmp_path: Path
) -> None:
    train = colour_folders()
    table = tmp_path / "names.tsv"
    table.write_text("wnid\tname\nred\tcrimson\n")
    with pytest.raises(InputError, match=r"names=.*: no column imagenet_index"):
        TrainClassifier(train, names=table, **numbers).run(FolderRecord(tmp_path / "run"))
    table.write_text("wnid\timagenet_index\tname\nnobody\t1\tx\n")
    with pytest.raises(
        InputError, match="its wnid column has none of the class folders, such as blue"
    ):
        TrainClassifier(train, names=table, **numbers).run(FolderRecord(tmp_path / "run"))
    table.write_bytes(b"\xff\xd8 a photograph\0\r")
    with pytest.raises(InputError, match=r"names=.*names\.tsv: no UTF-8 text; give a TSV file\.$"):
        TrainClassifier(train, names=table, **numbers).run(FolderRecord(tmp_path / "run"))
    for word in ("weights", "names"):  # before the pictures are read
        trainer = TrainClassifier("nothere", **{word: tmp_path / "none"}, **numbers)
        with pytest.raises(InputError, match=rf"^{word}=.*none: no such file\.$"):
            trainer.run(FolderRecord(tmp_path / "run"))
    with pytest.raises(InputError, match="size=16: mini_alexnet cannot take this size"):
        TrainClassifier(train, **{**numbers, "architecture": "mini_alexnet"}).run(
            FolderRecord(tmp_path / "run")
        )
    alone = colour_folders("one", colours=("red",))
    with pytest.raises(InputError, match="one class folder only"):
        TrainClassifier(alone, **numbers).run(FolderRecord(tmp_path / "run"))
    few = colour_folders("few", each=1)
    with pytest.raises(InputError, match="2 pictures to train on are fewer than its 3 classes"):
        TrainClassifier(few, **{**numbers, "holdout": 1}).run(FolderRecord(tmp_path / "run"))


def test_a_training_goes_on_only_with_what_it_was_made_with(
    colour_folders: Folders, numbers: dict[str, Any], tmp_path: Path
) -> None:
    short = {**numbers, "epochs": 1}
    train, val = colour_folders(), colour_folders("val", each=4)
    other, other_val = colour_folders("others"), colour_folders("val_b", each=4)
    TrainClassifier(train, **short).run(FolderRecord(tmp_path / "start"))
    start = tmp_path / "start/tiny.safetensors"
    table = tmp_path / "names.tsv"
    table.write_text("wnid\timagenet_index\tname\nred\t7\tcrimson\n")
    held_out = {**short, "images": train, "weights": start, "holdout": 6}
    separate = {**short, "images": train, "weights": start, "validation": val, "names": table}

    def refused(
        folder: str, made: Mapping[str, Any], changed: Mapping[str, Any], message: str
    ) -> None:
        with pytest.raises(InputError, match=message):
            TrainClassifier(**{**made, **changed}).run(FolderRecord(tmp_path / folder))

    first = TrainClassifier(**held_out).run(FolderRecord(tmp_path / "held"))
    refused(
        "held",
        held_out,
        {"images": other},
        r"^images=36 pictures, sha256 \w{12}: .* made with images=36 pictures, ",
    )
    refused("held", held_out, {"holdout": 5}, r"^holdout=5: .* made with holdout=6")
    refused(
        "held", held_out, {"weights": None}, r"^weights=None: .* made with weights=sha256 \w{64};"
    )
    refused(
        "held",
        held_out,
        {"validation": val},
        r"^validation=12 pictures, .* made with validation=None",
    )
    refused("held", held_out, {"names": table}, r"^names=sha256 \w{12}: .* made with names=None")
    refused(
        "held",
        held_out,
        {"precision": "bfloat16"},
        r"^precision=bfloat16: .* made with precision=float32",
    )
    moved, moved_start = tmp_path / "elsewhere/pictures", tmp_path / "elsewhere/start.safetensors"
    shutil.copytree(train, moved)
    shutil.copy(start, moved_start)
    again = TrainClassifier(**{**held_out, "images": moved, "weights": moved_start}).run(
        FolderRecord(tmp_path / "held")
    )
    assert again.findings == first.findings

    TrainClassifier(**separate).run(FolderRecord(tmp_path / "given"))
    refused(
        "given",
        separate,
        {"validation": other_val},
        r"^validation=12 pictures, .* made with validation=12 pictures",
    )
    TrainClassifier(**{**separate, "holdout": 5}).run(FolderRecord(tmp_path / "given"))
    table.write_text("wnid\timagenet_index\tname\nred\t7\tscarlet\n")
    refused("given", separate, {}, r"^names=sha256 \w{12}: .* made with names=sha256")


def test_starting_weights_are_checked_and_may_be_a_torch_state_dict(
    colour_folders: Folders, numbers: dict[str, Any], tmp_path: Path
) -> None:
    train, still = colour_folders(), {**numbers, "epochs": 1, "rate": 1e-12}
    tensors = numbers["architecture"](3, 0.0).state_dict()
    old = {key: value for key, value in tensors.items() if not key.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "start.pth")
    TrainClassifier(train, weights=tmp_path / "start.pth", **still).run(
        FolderRecord(tmp_path / "run")
    )
    after, _ = read_weights(tmp_path / "run/tiny.safetensors")
    assert torch.equal(after["conv.weight"], tensors["conv.weight"].half().float())
    tensors["conv.weight"][0, 0, 0, 0] = float("nan")
    bad = tmp_path / "bad.safetensors"
    save_file(tensors, bad)
    with pytest.raises(InputError, match=r"^weights=.*: conv\.weight holds NaN"):
        TrainClassifier(train, weights=bad, **still).run(FolderRecord(tmp_path / "bad"))
    bad.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"^weights=.*: not a whole safetensors file"):
        TrainClassifier(train, weights=bad, **still).run(FolderRecord(tmp_path / "bad"))


def test_a_full_memory_is_not_blamed_on_the_size(
    colour_folders: Folders,
    numbers: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr("synth.training.classifier.train_classifier.logits_of", full)
    with pytest.raises(torch.OutOfMemoryError):
        TrainClassifier(colour_folders(), **numbers).run(FolderRecord(tmp_path / "run"))


def test_names_of_class_folders_are_data_in_weights_and_card(
    numbers: dict[str, Any], tmp_path: Path
) -> None:
    names = [os.fsdecode(name) for name in (b"\x1b[31mred", b"caf\xe9", b"two\n## lines")]
    for name, colour in zip(names, COLOURS, strict=True):
        write_colour_folders(tmp_path / "images" / name, 4, 16, [colour])
    TrainClassifier(tmp_path / "images", **{**numbers, "epochs": 1}).run(
        FolderRecord(tmp_path / "run")
    )
    _, description = read_weights(tmp_path / "run/tiny.safetensors")
    assert description is not None
    assert [entry.name for entry in description.classes] == names
    card = (tmp_path / "run/tiny.md").read_text(encoding="utf-8")
    assert r"Classes: \x1b[31mred, caf\udce9, two\n## lines." in " ".join(card.splitlines())
