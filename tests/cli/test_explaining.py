"""What the command line says of itself: lists, help, recipes by their bare names, completions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from console import CONF, ROOT, Synth
from hydra.core.override_parser.overrides_parser import OverridesParser

from synth.cli import completion, listing
from synth.cli.completion import completions
from synth.cli.words import quoted, with_recipe
from synth.data.pictures import BUNDLED
from synth.errors import InputError

pytest_plugins = "console_fixtures"


# -- lists ---------------------------------------------------------------------------------------


def test_every_kind_is_listed(synth: Synth) -> None:
    assert [line.split()[0] for line in synth("list").out.splitlines()] == [*listing.KINDS]
    for kind, (group, _) in listing.KINDS.items():
        if group:
            lines = synth("list", kind).out.splitlines()
            names = {path.stem for path in (CONF / group).glob("*.yaml")}
            assert names <= {line.split()[0] for line in lines}
            assert all(len(line.split()) > 1 for line in lines)
    assert synth("list", "search").out == synth("list", "searches").out
    out = synth("list", "recipes", "fooling").out
    assert "fooling_gradient" in out
    assert "deepdream" not in out
    assert "vgg19 " in synth("list", "network", "vgg").out


def test_classes_and_layers_of_a_network(synth: Synth, weights: Path) -> None:
    lines = synth("list", "classes", f"network.weights={weights}", "king").out.splitlines()
    assert lines == ["6  n02056570 king penguin"]
    lines = synth("list", "classes", "network=squeezenet1_1", "dog").out.splitlines()
    assert "248  n02109961 Eskimo dog" in lines
    lines = synth("list", "layers", f"network.weights={weights}", "conv1").out.splitlines()
    assert lines == ["conv1  48 x 32 x 32"]


def test_a_list_fits_the_terminal_and_pipes_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("a", "word " * 40), ("longer", "short")]
    listing.show(rows)
    assert capsys.readouterr().out == f"a       {('word ' * 40).strip()}\nlonger  short\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "50")
    listing.show(rows)
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("...")
    assert len(first) <= 50
    assert second == "longer  short"


MISTAKES = {
    "list recpes": "list recpes: no such kind. Did you mean recipes?",
    "list recipes deepdrem": "there are none. Did you mean deepdream",
    "list recipes seed=1": "seed=1: recipes are listed without overrides",
    "list classes network=mini_alexnett": "no such network. Did you mean mini_alexnet",
    "help deepdrem": "help deepdrem: nothing is called so. Did you mean deepdream",
    "help search=deepdream": "nothing is called so",
    "deepdrem": "deepdrem: no such recipe. Did you mean deepdream",
    "lst": "lst: no such recipe. Did you mean list",
    "texture deepdream": "several recipes; write one, or a sweep: synth -m texture,deepdream",
    "texture recipe=deepdream": "several recipes",
    "class_ascent target=king penguin": "Quote a value that has spaces: 'target=king penguin'",
    "stylize steps=3": "steps=3: stylize has no steps to choose",
    "class_ascent target=[lemn,gold-fsh]": "Did you mean lemon? target=gold-fsh: ",
    "class_ascent network=squeezenet1_1 target=dog": "no such class. It has Maltese dog, Greater",
    "rerun": "write one run folder or picture",
    "rerun out seed=3": "device=, memory=, a network or pictures; got out seed=3",
    "rerun out": "out: no such file",
    "--shell-completion install=csh": "write --shell-completion install=bash, or zsh, fish",
}


def test_mistakes(synth: Synth) -> None:
    for typed, fragment in MISTAKES.items():
        assert fragment in synth(*typed.split()).complaint
    assert not [path for path in Path().rglob("*") if path.is_file()]


def test_commands_behind_options_and_their_help(synth: Synth) -> None:
    (Path("mine/objective")).mkdir(parents=True)
    Path("mine/objective/colourful.yaml").write_text("# The distance to grey.\n_target_: a.b\n")
    own = "--config-dir", "mine"
    assert (
        synth(*own, "list", "objectives", "colourful").out == "colourful  The distance to grey.\n"
    )
    assert synth("list", "objectives", "colourful", *own).out.startswith("colourful ")
    assert "The distance to grey." in synth(*own, "help", "colourful").out
    assert "no such file" in synth(*own, "rerun", "nowhere").complaint
    rerun = synth("rerun", "--help").out
    assert rerun.startswith("synth rerun RUN [item=7]")
    assert rerun == synth("help", "rerun").out == synth("rerun", "RUN", "-h").out
    assert synth("list", "--help").out.startswith("synth list [KIND]")
    assert synth("--help").out == synth("help").out


# -- help ----------------------------------------------------------------------------------------


def test_help_of_a_recipe(synth: Synth) -> None:
    out = synth("help", "deepdream").out
    assert out.startswith("deepdream: DeepDream (google/deepdream): an image is changed")
    assert "  formula  max over x of mean_i a_i(x)² / 2" in out
    assert "  source   Mordvintsev, Olah & Tyka 2015" in out
    assert out.count("  synth deepdream ") == 3
    lines = [line.split() for line in out.splitlines()]
    assert ["search.count", "5", "octaves"] in lines
    assert ["steps", "short", "for", "search.steps"] in lines
    assert ["size", "short", "for", "encoding.longest"] in lines
    assert ["encoding.norm", "linf", "or", "l2"] in lines  # a comment of the part's
    assert all(len(line) <= 100 for line in out.splitlines())
    assert synth("deepdream", "--help").out == synth("help", "recipe=deepdream").out == out


def test_help_of_parts_kinds_and_everything(synth: Synth) -> None:
    out = synth("help", "genetic").out
    assert out.startswith("search=genetic: A genetic algorithm")
    assert "islands      1    parts of a population that mate apart" in out
    out = synth("help", "search").out
    assert out.startswith("search=NAME: how genomes are changed.")
    assert "map_elites" in out
    none = synth("help", "none").out
    assert "transform=none: " in none
    assert "search/mate=none: " in none
    assert "of each contender" in synth("help", "fooling_comparison").out
    assert synth("help").out == synth("--help").out


# -- words ---------------------------------------------------------------------------------------


def test_a_recipe_by_its_bare_name() -> None:
    for typed, written in {
        "deepdream image=china": "recipe=deepdream image=china",
        "seed=1 deepdream": "seed=1 recipe=deepdream",
        "-m deepdream,texture seed=0,1": "-m recipe=deepdream,texture seed=0,1",
        "--config-dir texture deepdream": "--config-dir texture recipe=deepdream",
        "~transform deepdream": "~transform recipe=deepdream",
        "seed=1": "seed=1",
    }.items():
        assert with_recipe(typed.split(), CONF) == written.split()
    with pytest.raises(InputError, match=r"^lemon: not of the form key=value"):
        with_recipe(["deepdream", "lemon"], CONF)


@pytest.mark.parametrize("name", ["画.png", "a b.png", "a[1].png", "a,b.png", "it's (é).png"])
def test_paths_need_no_inner_quotes(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.touch()
    override = OverridesParser.create().parse_override(quoted(f"image={path}"))
    assert override.value() == str(path)


# -- completion ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("synth dee", ["deepdream", "deepdream_film"]),
        ("synth li", ["list"]),
        ("synth recipe=texture_", ["recipe=texture_nearest"]),
        ("synth -m recipe=deepdream,text", ["recipe=deepdream,texture", None]),
        ("synth class_ascent target=gold", ["target=goldfish", "target=golden_retriever"]),
        ("synth class_ascent target=[lemon,king-p", ["target=[lemon,king_penguin"]),
        ("synth x network=squeezenet1_1 target=goldf", ["target=goldfish", "target=goldfinch"]),
        ("synth class_ascent network=mini_", ["network=mini_alexnet", "network=mini_resnet"]),
        ("synth class_ascent network=vgg19", ["network=vgg19", "network=vgg19_bn"]),
        ("synth class_ascent search=ge", ["search=genetic"]),
        ("synth class_ascent search/mutate=smo", ["search/mutate=smooth"]),
        ("synth class_ascent search.ra", ["search.rate=", "search.rate_end="]),
        ("synth class_ascent see", ["seed="]),
        ("synth class_ascent search=cma search.co", ["search.covariance="]),
        ("synth help search", ["searches"]),
        ("synth help deepdream_", ["deepdream_film"]),
        ("synth list lay", ["layers"]),
        ("synth list recipes dee", []),
        ("synth class_ascent image=chi", ["image=china"]),
        ("synth deepdream image=/x", []),
        ("synth qqq", []),
        ("", None),
    ],
)
def test_completions(line: str, words: list[str | None] | None) -> None:
    found = completions(line)
    if words is None:
        assert "deepdream" in found
    elif words[-1:] == [None]:
        assert found[: len(words) - 1] == words[:-1]
    else:
        assert sorted(found) == sorted(words)


def test_pictures_by_name_are_those_that_are_bundled() -> None:
    assert completion.BUNDLED == BUNDLED


def test_the_function_for_bash_completes(tmp_path: Path) -> None:
    """In a bash with a command `synth` that gives two completions; torch stays away."""
    code = (
        "import os, sys\n"
        "sys.argv = ['synth', *sys.argv[1:]]\n"
        "from synth.cli.command import main\n"
        "try: main()\n"
        "finally:\n"
        "    if 'torch' in sys.modules: print('torch')\n"
    )
    command = tmp_path / "synth"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -c "{code}" "$@"\n')
    command.chmod(0o755)
    script = (
        'eval "$(synth --shell-completion install=bash)"\n'
        "COMP_WORDS=(synth class_ascent target = gold) COMP_CWORD=4\n"
        'COMP_LINE="synth class_ascent target=gold" COMP_POINT=30\n'
        '_synth; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.split(), done.stderr) == (["goldfish", "golden_retriever"], "")
