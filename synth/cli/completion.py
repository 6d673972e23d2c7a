"""Completion in a shell: ``synth dee<TAB>``, ``search=<TAB>``, ``target=gold<TAB>``.

``synth --shell-completion install=bash`` (or zsh, fish) prints a function for the shell to
evaluate. It asks ``synth --shell-completion query=bash`` with the line up to the cursor in
``COMP_LINE`` and reads one completion a line. torch is never imported.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

OPTION = ("--shell-completion", "-sc")
COMMANDS = ("help", "list", "rerun")
PICTURES = ("image", "images", "style", "content", "guide", "start")
BUNDLED = ("china", "flower")  # as in synth.data, which imports torch
NAME = re.compile(r"[\w.+-]+")  # what a shell takes as it is
BASH = """\
_synth() {
    local IFS=$'\\n' line=${COMP_LINE:0:COMP_POINT}
    local word=${line##* } current=${COMP_WORDS[COMP_CWORD]}
    [[ $current == [=:] ]] && current=
    COMPREPLY=($(COMP_LINE=$line synth --shell-completion query=bash 2>/dev/null))
    COMPREPLY=("${COMPREPLY[@]#"${word%"$current"}"}")
    [[ ${COMPREPLY[0]} == *[=.] ]] && compopt -o nospace
}
complete -o default -F _synth synth
"""
ZSH = """\
_synth() {
    local -a words_of_synth
    words_of_synth=(${(f)"$(COMP_LINE=$LBUFFER synth --shell-completion query=zsh 2>/dev/null)"})
    if (( $#words_of_synth )); then
        compadd -Q -S '' -- $words_of_synth
    else
        compset -P '*='
        _files
    fi
}
compdef _synth synth
"""
FISH = """\
complete -c synth -e
complete -c synth -a '(COMP_LINE=(commandline -cp) synth --shell-completion query=fish 2>/dev/null)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
REMOVALS = {
    "bash": "complete -r synth; unset -f _synth\n",
    "zsh": "compdef -d synth; unfunction _synth\n",
    "fish": "complete -c synth -e\n",
}


def is_asked(words: Sequence[str]) -> bool:
    """Whether a command line is about completion."""
    return bool(words) and words[0].partition("=")[0] in OPTION


def answer(words: Sequence[str]) -> int:
    """Prints the function for a shell, or the completions of the line in ``COMP_LINE``.

    Returns:
        The exit code.
    """
    action, _, shell = words[-1].removeprefix(f"{OPTION[0]}=").partition("=")
    if action == "query":
        print("\n".join(completions(os.environ.get("COMP_LINE", ""))))
        return 0
    scripts = {"install": SCRIPTS, "uninstall": REMOVALS}.get(action, {})
    if shell not in scripts:
        print(
            f"synth: {' '.join(words)}: write {OPTION[0]} install=bash, or zsh, fish.",
            file=sys.stderr,
        )
        return 2
    print(scripts[shell], end="")
    return 0


def completions(line: str) -> list[str]:
    """The words that the last word of a command line may become, as a shell has to type them.

    Args:
        line: the line up to the cursor, with the name of the command.
    """
    from synth.errors import InputError

    words = line.split()[1:]
    word = "" if not line or line[-1].isspace() else (words or [""]).pop()
    try:
        return _completions(words, word)
    except (InputError, OSError, ValueError):
        return []


def _completions(words: Sequence[str], word: str) -> list[str]:
    from synth.config.composing import CONF
    from synth.config.plugins import options, use_folders

    use_folders(CONF, words)
    key, equals, value = word.partition("=")
    recipes = [*options(CONF, "recipe")]
    if words[:1] in (["list"], ["help"]):
        return _matching(_explained(words[0], recipes), word)
    if equals:
        start = re.split(r"(?<=[\[,])", value)
        done, last = "".join(start[:-1]), start[-1]
        return [f"{key}={done}{name}" for name in _matching(_values(key, words), last)]
    chosen = [entry for entry in words if entry in recipes or entry.startswith("recipe=")]
    if not chosen:
        names = _matching([*recipes, *(COMMANDS if not words else ())], word)
        if names or not word:
            return names
    return _matching(_keys(words, word), word.lstrip("+"))


def _explained(command: str, recipes: Sequence[str]) -> list[str]:
    from synth.cli.listing import KINDS

    return [*KINDS, *(recipes if command == "help" else ())]


def _values(key: str, words: Sequence[str]) -> list[str]:
    """What may stand behind ``key=``: options of a group, classes, bundled pictures."""
    from synth.config.class_names import classes_of
    from synth.config.composing import CONF
    from synth.config.networks import GROUP, classifiers, timm_models
    from synth.config.plugins import options

    group = key.lstrip("+").partition("@")[0]
    names = [*options(CONF, group)]
    if group == GROUP:
        return list(dict.fromkeys([*names, *classifiers(), *timm_models()]))
    if key in ("target", "label"):
        classes = classes_of(_network(words))
        labels = [classes.label(index) for index in range(len(classes))] if classes else []
        return [name for name in (label.replace(" ", "_") for label in labels) if _is_name(name)]
    if key in PICTURES:
        return [*BUNDLED]
    if key == "device":
        return ["auto", "cpu", "cuda:0"]
    return names


def _network(words: Sequence[str]) -> dict[str, object]:
    """The settings of the network that a line chooses, as far as its file has them."""
    import yaml

    from synth.config.composing import CONF
    from synth.config.networks import loader_of
    from synth.config.plugins import options

    name = next((word[8:] for word in words if word.startswith("network=")), "mini_alexnet")
    files = options(CONF, "network")
    base = files.get(name) or files.get(loader_of(name) or "")
    settings = yaml.safe_load(base.read_text(encoding="utf-8")) if base else {}
    weights = next((word[16:] for word in words if word.startswith("network.weights=")), None)
    return settings | {"name": name} | ({"weights": weights} if weights else {})


def _keys(words: Sequence[str], word: str) -> list[str]:
    """Keys and parts of the recipe that a line chooses, as deep as `word`: ``search.rate=``.

    What has keys of its own is given with a dot too: ``search.``.
    """
    from synth.config.composing import CONF, composition
    from synth.config.plugins import options

    recipes = options(CONF, "recipe")
    chosen = [f"recipe={entry}" if entry in recipes else entry for entry in words]
    recipe = composition(CONF, [entry for entry in chosen if "=" in entry])
    groups = [group for group in recipe.parts if "hydra" not in group and "@" not in group]
    names = [name for name in recipe.keys if name.count(".") <= word.count(".")]
    parents = {name.rpartition(".")[0] for name in recipe.keys} - {""}
    ends = [f"{name}." if name in parents and name not in groups else f"{name}=" for name in names]
    more = [f"{name}." for name in groups if name in parents]
    return sorted({*ends, *more, *(f"{group}=" for group in groups), "steps=", "size="})


def _matching(names: Sequence[str], start: str) -> list[str]:
    """The names that begin so; case, ``_`` and ``-`` do not matter."""
    return [name for name in names if _plain(name).startswith(_plain(start))]


def _plain(text: str) -> str:
    return text.lower().replace("-", "_")


def _is_name(text: str) -> bool:
    return bool(NAME.fullmatch(text))
