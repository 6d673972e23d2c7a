"""Codes of a generator: starts, bounds, decoded images, and codes read from images."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from small_worlds import rows_of, tiny_module
from torch import Tensor

from synth import data
from synth.core.network import Network
from synth.encodings.generator import Generator
from synth.encodings.several_images import SeveralImages
from synth.engine.experiment import Experiment
from synth.engine.fitness import ImageProblem
from synth.errors import InputError
from synth.networks.generator import Origin, UpConvolution, write_generator
from synth.objectives.scores import ClassScore
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient
from synth.searches.regularisers import Regularisers
from synth.transforms.affine import Chain

FLAT, MAP = (192,), (12, 4, 4)  # of `small_worlds`' network: flatten, and pool2


def written(
    path: Path, code: Sequence[int] = FLAT, layer: str = "flatten", sha256: str = "0" * 64
) -> UpConvolution:
    """A generator of random weights in the file `path`.

    Its units differ in mean and deviation; their least values are 0.
    """
    module = UpConvolution(code, size=16, width=4)
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                part.running_mean.normal_(0, 0.1)
                part.running_var.uniform_(0.5, 2.0)
        for weight in module.parameters():
            weight.mul_(2.0)  # pictures that are not all grey
    module.measure((torch.randn(400, *code) + torch.linspace(-1, 2, 192).view(code)).relu() * 0.5)
    for value in module.state_dict().values():
        value.copy_(value.half())  # as the file keeps them
    write_generator(path, module, module.state_dict(), Origin("tiny", layer, sha256))
    return module.eval()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written(tmp_path / "generator.safetensors")
    return tmp_path / "generator.safetensors"


@pytest.mark.parametrize(("code", "layer"), [(FLAT, "flatten"), (MAP, "pool2")])
def test_a_genome_is_a_code_and_its_image_the_generators_output(
    tmp_path: Path, code: tuple[int, ...], layer: str
) -> None:
    module = written(tmp_path / "it.safetensors", code, layer)
    encoding, rows = Generator(str(tmp_path / "it.safetensors")).at((16, 16)), rows_of(3, "codes")
    genome = encoding.start(rows)
    assert genome.shape == (3, *code)
    with torch.no_grad():  # in the memory format of the encoding's: others round differently
        output = module.to(memory_format=torch.channels_last)(genome)
    torch.testing.assert_close(encoding.decode(genome, rows), output, rtol=0, atol=1e-6)
    larger = encoding.at((32, 24))
    torch.testing.assert_close(
        larger.decode(genome, rows), data.fitted(output, (32, 24)), rtol=0, atol=1e-6
    )
    assert encoding.transfer(genome, larger) is genome
    assert (genome - encoding.baseline(rows)).equal(genome)
    assert not any(weight.requires_grad for weight in encoding.module.parameters())
    assert not encoding.module.training


def test_the_gradient_is_that_of_finite_differences(file: Path) -> None:
    encoding, rows = Generator(str(file)).at((16, 16)), rows_of(2, "codes")
    encoding._set_module(_double(encoding.module))
    genome = encoding.start(rows).double().requires_grad_()
    direction = rows.fold_in(1).normal(*FLAT).double()

    def score(code: Tensor) -> Tensor:
        return encoding.decode(code, rows).double().square().sum()

    (gradient,) = torch.autograd.grad(score(genome), genome)
    step = 1e-4
    with torch.no_grad():
        slope = (score(genome + step * direction) - score(genome - step * direction)) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("clip", [0.5, 3.0, None])
def test_units_stay_within_so_many_deviations_and_never_below_their_least(
    file: Path, clip: float | None
) -> None:
    encoding, rows = Generator(str(file), clip=clip), rows_of(2, "codes")
    mean, deviation, least = encoding.module.mean, encoding.module.deviation, encoding.module.least
    genome = 20 * rows.normal(*FLAT)
    legal = encoding.project(genome, rows)
    for row in range(2):
        for unit in range(0, FLAT[0], 7):
            low, high = float(least[unit]), torch.inf
            if clip is not None:
                low = max(low, float(mean[unit] - clip * deviation[unit]))
                high = float(mean[unit] + clip * deviation[unit])
            assert float(legal[row, unit]) == pytest.approx(
                min(max(float(genome[row, unit]), low), high), abs=1e-6
            )
    assert encoding.project(legal, rows).equal(legal)


def test_random_starts_have_the_statistics_of_the_units(file: Path) -> None:
    encoding = Generator(str(file), clip=None)
    encoding.low = torch.full_like(encoding.low, -torch.inf)  # before the ReLU's bound is applied
    codes = encoding.start(rows_of(4000, "codes"))
    module = encoding.module
    torch.testing.assert_close(
        codes.mean(0), module.mean, rtol=0, atol=5 * float(module.deviation.max()) / 4000**0.5
    )
    torch.testing.assert_close(codes.std(0) / module.deviation, torch.ones(FLAT), rtol=0, atol=0.07)
    half = Generator(str(file), clip=None, spread=0.5)
    half.low = encoding.low
    rows = rows_of(5, "codes")
    torch.testing.assert_close(
        half.start(rows) - module.mean, 0.5 * (encoding.start(rows) - module.mean)
    )
    legal = Generator(str(file)).start(rows)
    assert bool((legal >= module.least).all())
    assert bool((legal <= module.mean + 3 * module.deviation + 1e-6).all())


def test_starts_that_are_not_random(file: Path) -> None:
    rows = rows_of(2, "codes")
    mean = Generator(str(file), start="mean").start(rows)
    assert mean.equal(Generator(str(file)).module.mean.expand(2, -1))
    assert not Generator(str(file), start="zeros").start(rows).any()


def test_an_image_starts_from_the_activations_of_the_layer(file: Path, network: Network) -> None:
    encoding = Generator(str(file), images=["china", "flower"]).at((16, 16)).bind(network)
    assert list(encoding.names or ()) == ["china.jpg", "flower.jpg"]
    rows = rows_of(2, "codes")
    images = torch.stack([data.picture(name).at((16, 16)) for name in ("china", "flower")])
    codes = network.read(images, ["flatten"])["flatten"]
    torch.testing.assert_close(encoding.start(rows), encoding.project(codes, rows))
    torch.testing.assert_close(encoding.initial_images(rows), images)
    single = Generator(str(file), start="flower").at((16, 16)).bind(network)
    torch.testing.assert_close(single.start(rows), encoding.project(codes[1:], rows).expand(2, -1))
    assert encoding.originals(rows) is None  # codes have no distance to an image


def test_a_layer_that_does_not_fit_is_refused_with_both_shapes(
    tmp_path: Path, network: Network
) -> None:
    written(tmp_path / "other.safetensors", (96, 2, 1), "pool2")
    with pytest.raises(
        InputError, match=r"pool2, \[96, 2, 1\], of tiny.*pool2 of tiny is \[12, 4, 4\]"
    ):
        Generator(str(tmp_path / "other.safetensors"), image="china").bind(network)
    written(tmp_path / "lacking.safetensors", FLAT, "relu6")
    with pytest.raises(InputError, match=r"relu6, \[192\], of tiny.*tiny has no relu6"):
        Generator(str(tmp_path / "lacking.safetensors"), image="china").bind(network)
    # without an image nothing has to be read
    Generator(str(tmp_path / "lacking.safetensors")).bind(network)


def test_another_network_of_that_name_is_warned_about(
    tmp_path: Path, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    written(tmp_path / "it.safetensors", sha256="1" * 64)
    with caplog.at_level(logging.WARNING, "synth"):
        Generator(str(tmp_path / "it.safetensors"), image="china").bind(network)
    assert "tiny is not the tiny that the generator was trained for" in caplog.text


def test_several_images_of_codes(file: Path) -> None:
    facets, rows = SeveralImages(Generator(str(file)), 3, 16), rows_of(2, "codes")
    genome = facets.start(rows)
    assert genome.shape == (2, 3, *FLAT)
    assert (genome - facets.baseline(rows)).equal(genome)
    assert facets.decode(genome, rows).shape == (6, 3, 16, 16)
    assert facets.bytes_per_image == facets.encoding.bytes_per_image > 0


def test_memory_includes_the_activations_of_the_generator(file: Path, network: Network) -> None:
    encoding = Generator(str(file)).at((16, 16))
    bound = ClassScore("lemon").bind(network)
    a_row = network.bytes_per_image((16, 16)) + encoding.bytes_per_image
    problem = ImageProblem(network, encoding, Chain(), bound, bound, int(4.5 * a_row))
    chunks = problem._chunks(12, problem.encoding)
    assert [chunk.stop - chunk.start for chunk in chunks] == [4, 4, 4]
    values = []  # the sizes of all outputs, counted independently
    for part in encoding.module.modules():
        if not list(part.children()):
            part.register_forward_hook(lambda _, __, out: values.append(out.numel()))
    encoding.decode(encoding.start(rows_of(1)), rows_of(1))
    assert encoding.bytes_per_image == 4 * sum(values)


def test_a_run_decays_codes_and_resumes_bit_for_bit(
    file: Path, network: Network, tmp_path: Path
) -> None:
    def experiment(steps: int) -> Experiment:
        search = Gradient(
            steps, "normalised", 0.02, momentum=0.0, regularisers=Regularisers(decay=0.01)
        )
        return Experiment(network, Generator(str(file)), ClassScore(["lemon", "teapot"]), search)

    whole = experiment(6)
    rows, problem = whole.rows, whole.problem
    state = whole.search_method.init(problem, rows)
    for step in range(6):
        state, _ = whole.search_method.step(problem, rows, state, step)
        if step == 2:
            saved = {name: value.clone() for name, value in state.items()}
    again = experiment(6)
    for step in range(3, 6):
        saved, _ = again.search_method.step(again.problem, again.rows, saved, step)
    assert all(saved[name].equal(value) for name, value in state.items())
    result = whole.run(FolderRecord(tmp_path / "out"))
    assert result.encoding == "generator"
    assert (tmp_path / "out" / "genomes.safetensors").is_file()


def test_wrong_settings_are_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"start=rendom: no such start.*random"):
        Generator(str(file), start="rendom")
    with pytest.raises(InputError, match=r"start=chinaa: .*Did you mean china\?"):
        Generator(str(file), start="chinaa")
    with pytest.raises(InputError, match="start=flower: image= or images= name"):
        Generator(str(file), start="flower", image="china")
    for clip in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match=rf"clip={clip}: "):
            Generator(str(file), clip=clip)
    for spread in (-1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match=rf"spread={spread}: "):
            Generator(str(file), spread=spread)
    with pytest.raises(InputError, match="image=china: images= names"):
        Generator(str(file), image="china", images=["flower"])
    with pytest.raises(InputError, match="no such file"):
        Generator(str(tmp_path / "none.safetensors"))
    other = tmp_path / "other.pt"
    torch.save(tiny_module().state_dict(), other)
    with pytest.raises(InputError, match="not a generator"):
        Generator(str(other))
    with pytest.raises(InputError, match="need a genome of pixels"):
        Regularisers(blur_every=1)(torch.zeros(2, 5), torch.zeros(2, 5), torch.zeros(1, 1), 0)


def test_a_file_without_the_codes_statistics_is_refused(tmp_path: Path) -> None:
    module = UpConvolution(FLAT, 16, 4)
    state = {name: value for name, value in module.state_dict().items() if name != "deviation"}
    write_generator(tmp_path / "it.safetensors", module, state, Origin("tiny", "flatten", "0" * 64))
    with pytest.raises(InputError, match=r"statistics of the code are missing \(deviation\)"):
        Generator(str(tmp_path / "it.safetensors"))


def _double(module: UpConvolution) -> UpConvolution:
    return copy.deepcopy(module).double()
