"""Universal adversarial perturbations: minibatches, augmentation, projection, amplification."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import stats
from small_worlds import rows_of, tiny_module, wrapped
from torch import Tensor

from synth.core import Rows, ones
from synth.encodings.universal import Universal
from synth.engine.fitness import ImageProblem
from synth.errors import InputError
from synth.objectives.every_picture import EveryPicture
from synth.transforms.affine import Chain

COUNT = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten noisy 16x16 images with black and white pixels."""
    path = tmp_path_factory.mktemp("many")
    for number in range(COUNT):
        noisy = (
            np.random.default_rng(number)
            .integers(-60, 316, (16, 16, 3))
            .clip(0, 255)
            .astype(np.uint8)
        )
        Image.fromarray(noisy).save(path / f"{number}.png")
    return path


def stored(folder: Path) -> Tensor:
    pixels = [
        np.asarray(Image.open(path), dtype=np.float32) / 255
        for path in sorted(folder.glob("*.png"))
    ]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def plain(folder: Path, **options: object) -> Universal:
    """Minibatches of four, not mirrored, at 16x16, but for `options`."""
    settings = {"mirror": False, "batch": 4, "size": 16, **options}
    return Universal(str(folder), **settings)  # type: ignore[arg-type]


def test_images_are_the_drawn_pictures_plus_the_perturbation(folder: Path) -> None:
    encoding, rows = plain(folder), rows_of(3, "draw")
    genome = encoding.project(rows.normal(3, 16, 16), rows)
    drawn = encoding.picture_index(rows)
    assert drawn.shape == (12,)
    expected = (stored(folder)[drawn] + genome.repeat_interleave(4, 0)).clamp(0, 1)
    assert torch.equal(encoding.decode(genome, rows), expected)


def test_rows_and_steps_draw_their_own_minibatches_without_replacement(
    folder: Path,
) -> None:
    encoding, rows = plain(folder), rows_of(3, "draw")
    drawn = encoding.picture_index(rows).view(3, 4)
    assert all(len(set(row.tolist())) == 4 for row in drawn)
    assert torch.equal(
        encoding.picture_index(rows.select(torch.tensor([2, 0]))).view(2, 4), drawn[[2, 0]]
    )
    assert torch.equal(encoding.picture_index(rows), drawn.flatten())
    assert not torch.equal(encoding.picture_index(rows.fold_in(1)).view(3, 4), drawn)
    counts = torch.cat(
        [encoding.picture_index(rows.fold_in(step)) for step in range(300)]
    ).bincount(minlength=COUNT)
    assert stats.chisquare(counts.numpy()).pvalue > 0.01


def test_held_out_images_are_never_drawn(folder: Path) -> None:
    encoding = plain(folder, holdout=5, seed=2)
    assert len(encoding.train) == 5
    held_out = encoding.split((16, 16)).held_out
    assert not (encoding.train[:, None] == held_out[None]).flatten(2).all(2).any()
    assert int(encoding.picture_index(rows_of(3, "draw")).max()) < 5


def test_mirroring_flips_half_of_the_images_and_crop_takes_parts(folder: Path) -> None:
    rows = rows_of(50, "turn")
    encoding, pictures = plain(folder, mirror=True), stored(folder)
    images = encoding.decode(torch.zeros(50, 3, 16, 16), rows)
    clean = pictures[encoding.picture_index(rows)]
    same, turned = ((images == reference).flatten(1).all(1) for reference in (clean, clean.flip(3)))
    assert bool((same ^ turned).all())
    assert 70 < int(turned.sum()) < 130
    cropped = plain(folder, crop=0.4).decode(torch.zeros(50, 3, 16, 16), rows)
    assert cropped.shape == images.shape
    assert 0 <= float(cropped.min()) <= float(cropped.max()) <= 1
    assert not (cropped == clean).flatten(1).all(1).any()
    whole = plain(folder, crop=1e-6).decode(torch.zeros(50, 3, 16, 16), rows)
    torch.testing.assert_close(whole, clean, atol=1e-3, rtol=0)


def test_a_crop_of_a_ramp_is_a_flatter_ramp(tmp_path: Path) -> None:
    ramp = np.broadcast_to((np.arange(16) * 15)[None, :, None], (16, 16, 3)).astype(np.uint8)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    encoding = Universal(str(tmp_path), batch=1, crop=0.5, mirror=False, size=16)
    images = encoding.decode(torch.zeros(20, 3, 16, 16), rows_of(20, "ramp")) * 255
    slopes = images[:, 0, 8, 4:12].diff(dim=1)
    assert bool((slopes.mean(1) > 15 * 0.5 - 0.1).all())
    assert bool((slopes.mean(1) < 15 + 0.1).all())
    assert float(slopes.std(1).max()) < 0.1


@given(st.sampled_from(["linf", "l2"]), st.floats(0.004, 1), st.floats(0, 3), st.integers(0, 9))
def test_the_ball_holds_also_in_8_bits(
    folder: Path, norm: str, epsilon: float, width: float, seed: int
) -> None:
    encoding = plain(folder, epsilon=epsilon, norm=norm)
    rows = rows_of(2, seed)
    inside = encoding.project(rows.normal(3, 16, 16) * width, rows)
    if norm == "linf":
        assert float(inside.abs().max()) <= epsilon + 1e-6
        assert float(encoding.levels(inside).abs().max()) <= epsilon + 5e-6
    else:
        assert float(inside.flatten(1).norm(dim=1).max()) <= epsilon * (1 + 1e-5)
    torch.testing.assert_close(encoding.project(inside, rows), inside)


def test_levels_are_the_changes_of_8_bit_images(folder: Path) -> None:
    encoding, rows = plain(folder), rows_of(1, "levels")
    genome = encoding.project(0.03 * rows.normal(3, 16, 16), rows)
    whole = (stored(folder) + encoding.levels(genome)).clamp(0, 1) * 255
    eight_bit = ((stored(folder) + genome).clamp(0, 1) * 255).round()
    torch.testing.assert_close(whole, eight_bit, atol=1e-3, rtol=0)


def test_the_export_is_the_perturbation_amplified_about_mid_grey(folder: Path) -> None:
    encoding, rows = plain(folder), rows_of(2, "export")
    genome = encoding.project(
        rows.normal(3, 16, 16) * torch.tensor([0.1, 0.004]).view(2, 1, 1, 1), rows
    )
    exported = encoding.export(genome, rows)
    assert exported.shape == genome.shape
    assert 0 <= float(exported.min()) <= float(exported.max()) <= 1
    back = (exported - 0.5) / encoding.amplified(genome).view(2, 1, 1, 1)
    torch.testing.assert_close(back * 255, (genome * 255).round(), atol=1e-3, rtol=0)
    assert torch.equal(
        encoding.export(torch.zeros(1, 3, 16, 16), rows_of(1)), torch.full((1, 3, 16, 16), 0.5)
    )


@pytest.mark.parametrize("start", ["zeros", "random", "signs", "stripes"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_starts_lie_in_the_ball(folder: Path, start: str, norm: str) -> None:
    encoding, rows = plain(folder, start=start, norm=norm, epsilon=0.1), rows_of(3, "start")
    genome = encoding.start(rows)
    torch.testing.assert_close(encoding.project(genome, rows), genome)
    if start in ("signs", "stripes"):
        size = genome.abs().amax() if norm == "linf" else genome.flatten(1).norm(dim=1).amax()
        assert float(size) == pytest.approx(encoding.epsilon, rel=1e-5)
    if start == "stripes":
        assert torch.equal(genome, genome[:, :, :1].expand_as(genome))


def test_transfer_to_another_size(folder: Path) -> None:
    encoding, rows = plain(folder), rows_of(1, "carry")
    larger = encoding.at((32, 24))
    assert larger.train.shape == (COUNT, 3, 32, 24)
    flat = torch.full((1, 3, 16, 16), 0.02)
    torch.testing.assert_close(encoding.transfer(flat, larger), torch.full((1, 3, 32, 24), 0.02))
    carried = encoding.transfer(encoding.project(rows.normal(3, 16, 16), rows), larger)
    assert float(carried.abs().max()) <= encoding.epsilon + 1e-7


def test_the_gradient_is_the_mean_over_the_minibatch(folder: Path) -> None:
    network = wrapped(tiny_module())
    encoding, bound = (
        plain(folder, batch=6),
        EveryPicture(str(folder), confidence=0.05).bind(network),
    )
    problem = ImageProblem(network, encoding, Chain(), bound, bound)
    rows = rows_of(2, "gradient")
    genome = encoding.project(rows.fold_in(9).normal(3, 16, 16), rows)
    evaluation = problem.evaluate(genome, rows, ones)
    pictures, drawn = stored(folder), encoding.picture_index(rows).view(2, 6)
    for row in range(2):
        scores, gradients = [], []
        for place in drawn[row].tolist():
            change = genome[row].clone().requires_grad_()
            logits = network((pictures[place] + change).clamp(0, 1)[None])[0]
            label = int(network(pictures[place][None])[0].argmax())
            others = torch.cat([logits[:label], logits[label + 1 :]])
            score = torch.minimum(others.max() - logits[label], torch.tensor(0.05))
            scores.append(float(score.detach()))
            gradients.append(torch.autograd.grad(score, change)[0])
        assert float(evaluation.scores[row, 0]) == pytest.approx(sum(scores) / 6, abs=1e-5)
        assert evaluation.gradient is not None
        torch.testing.assert_close(
            evaluation.gradient[0, row], torch.stack(gradients).mean(0), atol=1e-5, rtol=1e-4
        )
    assert (evaluation.forwards, evaluation.backwards) == (6, 6)


def test_every_step_draws_another_minibatch(folder: Path) -> None:
    encoding = plain(folder)
    assert encoding.stochastic
    rows: Rows = rows_of(1, "step")
    assert (
        len(
            {
                tuple(sorted(encoding.picture_index(rows.fold_in(step)).tolist()))
                for step in range(20)
            }
        )
        > 10
    )


def test_wrong_settings_are_refused(folder: Path) -> None:
    for words, message in (
        ({"epsilon": 0.0}, "encoding.epsilon=0.0: write a radius above 0"),
        ({"epsilon": -0.1}, "encoding.epsilon=-0.1: write a radius above 0"),
        ({"epsilon": 10.0}, "encoding.epsilon=10.0: .* as 0.0392"),
        ({"epsilon": 0.001}, "encoding.epsilon=0.001: below one of 256 levels"),
        ({"norm": "l1"}, "encoding.norm=l1"),
        ({"start": "noise"}, "encoding.start=noise"),
        ({"batch": 0}, "encoding.batch=0"),
        ({"batch": 11}, "encoding.batch=11: there are 10 pictures .* write 10 or less"),
        ({"holdout": 8}, "encoding.batch=4: there are 2 pictures"),
        ({"holdout": 10}, "holdout=10: of 10 pictures"),
        ({"crop": 1.0}, "encoding.crop=1.0"),
    ):
        with pytest.raises(InputError, match=message):
            plain(folder, **words)
    with pytest.raises(InputError, match="images: a universal perturbation"):
        Universal()
