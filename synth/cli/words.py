"""The words of a command line in the form that Hydra reads: options first, values quoted.

Hydra's grammar of ``key=value`` knows the letters A to Z and a few signs; anything else stands
between quotes, which a shell takes away. They are put back here, around no more than what needs
them, so that lists, dictionaries, sweeps and interpolations stay what they are.
"""

from __future__ import annotations

import os
import re
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from hydra._internal.utils import get_args_parser  # as hydra.main itself gets it
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, Quote, QuotedString
from hydra.errors import HydraException

from synth.cli.launchers import check_cluster
from synth.cli.unknown_keys import listed, options_of
from synth.config.identity import NOT_IDENTITY
from synth.config.shorthand import expanded
from synth.errors import InputError, nearest

COMMANDS = ("help", "list", "rerun")
TEXTS = ("folder", "sweep")  # keys whose value is a name even where it looks like a number
LONGEST_NUMBER = 1000  # digits
_FUNCTION = re.compile(r"(choice|shuffle|sort|glob|extend_list|str)\((.*)\)", re.DOTALL)
_QUOTED = r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
# an entry of a list: quoted, or text in which an interpolation may have brackets and commas
_ENTRIES = re.compile(
    rf"\s*(?:(?:{_QUOTED})(?=\s*(?:[\]}},]|$))|(?:\$\{{[^}}]*\}}|\\.|[^\[\]{{}},])+)|[\[\]{{}},]"
)
_HOME = re.compile(r"~[\w.-]*(/|$)")


def prepared(words: Sequence[str], conf: Path) -> list[str]:
    """The words of a command line as Hydra reads them.

    Args:
        words: as they were typed.
        conf: the folder of the configuration.

    Raises:
        InputError: for an unknown option, one that runs code from a file, and for sweeps that
            would run nothing, or the same thing several times.
    """
    options = _options(words)
    if options.experimental_rerun:
        raise InputError(
            f"--experimental-rerun={options.experimental_rerun}: such a file can run code when it "
            "is read; give the command again with folder=FOLDER to go on with a run."
        )
    rest = list(words)
    for word in options.overrides:
        rest.remove(word)
    overrides = expanded([quoted(word) for word in options.overrides], conf)
    if options.multirun:
        _check_sweep(overrides, conf)
        check_cluster(overrides)
    return [*rest, *overrides]


def with_recipe(words: Sequence[str], conf: Path) -> list[str]:
    """The words with ``deepdream`` written out as ``recipe=deepdream``.

    Args:
        words: as they were typed.
        conf: the folder of the configuration.

    Raises:
        InputError: where there are two recipes, or one that does not exist.
    """
    overrides = _options(words).overrides
    bare = [word for word in overrides if _is_bare(word)]
    recipes = [*bare, *(word for word in overrides if word.startswith("recipe="))]
    if not bare:
        return list(words)
    names = options_of(conf, "recipe")
    unknown = next((name for word in bare for name in word.split(",") if name not in names), None)
    if unknown is not None:
        before = overrides[max(0, overrides.index(bare[-1]) - 1)]
        hint = nearest(unknown, [*names, *COMMANDS]) if len(recipes) == 1 else ""
        if "=" in before and not hint:
            hint = f" Quote a value that has spaces: '{before} {bare[-1]}'."
        fault = "no such recipe" if len(recipes) == 1 else "not of the form key=value"
        raise InputError(f"{unknown}: {fault}.{hint or ' synth list recipes has them.'}")
    if len(recipes) > 1:
        raise InputError(
            f"{' '.join(recipes)}: several recipes; write one, or a sweep: synth -m "
            f"{','.join(word.removeprefix('recipe=') for word in recipes)}"
        )
    result = list(words)
    result[result.index(bare[0])] = f"recipe={bare[0]}"
    return result


def overrides_of(words: Sequence[str]) -> list[str]:
    """The words of a command line that are overrides, without options."""
    return list(_options(words).overrides)


def _is_bare(word: str) -> bool:
    return "=" not in word and not word.startswith(("~", "+"))


def _options(words: Sequence[str]) -> Namespace:
    parser = get_args_parser()
    parser.error = _refuse_option  # type: ignore[method-assign]
    return parser.parse_intermixed_args(words)


def _refuse_option(message: str) -> NoReturn:
    words = message.partition("unrecognized arguments: ")[2].split()
    options = [word for action in get_args_parser()._actions for word in action.option_strings]
    hint = nearest(words[0].partition("=")[0], options) if words else ""
    raise InputError(f"{message}.{hint or ' The options are listed by synth --hydra-help.'}")


def _check_sweep(overrides: Sequence[str], conf: Path) -> None:
    """Refuses a pattern that matches no option, and an axis along which no result differs."""
    for word in overrides:
        override = parsed(word)
        if override is None or not override.is_sweep_override():
            continue
        key, value = override.key_or_group, override.value()
        if key in NOT_IDENTITY:
            raise InputError(
                f"{word}: no result depends on it, so all its runs are one; write one."
            )
        options = options_of(conf, key)
        if isinstance(value, Glob) and not value.filter(options):
            hint = f" There are {listed(options)}." if options else " Only parts have patterns."
            raise InputError(f"{word}: matches nothing.{hint}")


def quoted(word: str) -> str:
    """``target=金魚`` as ``target='金魚'``, and a path below ``~`` from the root on.

    A word that Hydra can read is left as it is, and so is one that quotes cannot help.
    """
    key, equals, value = word.partition("=")
    if re.fullmatch(rf"\s*[+-]?[0-9_]{{{LONGEST_NUMBER},}}\s*", value):
        raise InputError(f"{key}={value[:12]}...: a number of {len(value)} digits is too long.")
    override = parsed(word)
    if override is not None and override.is_sweep_override() and os.path.isfile(value):
        return f"{key}={_quotes(value)}"  # a name with commas
    if override is not None:
        is_text = not isinstance(override.value(), int | float)
        return word if is_text or key not in TEXTS else f"{key}={_quotes(value)}"
    versions = [f"{key}={_with_quotes(value)}"]
    if os.path.exists(os.path.expanduser(value)):  # a name with brackets or commas
        versions.append(f"{key}={_quotes(os.path.expanduser(value))}")
    return next((version for version in versions if equals and parsed(version)), word)


def parsed(word: str) -> Override | None:
    """The override; None where it is not in Hydra's grammar."""
    try:
        return OverridesParser.create().parse_override(word)
    except (HydraException, RecursionError, ValueError):
        return None


def _with_quotes(value: str) -> str:
    """`value` with quotes around those of its entries that are not in Hydra's grammar."""
    function = _FUNCTION.fullmatch(value)
    if function:
        return f"{function[1]}({_with_quotes(function[2])})"
    result, depth = "", 0
    for match in _ENTRIES.finditer(value):
        text = match.group()
        depth += {"{": 1, "}": -1}.get(text, 0)
        name, colon, entry = text.partition(":") if depth else ("", "", text)
        if not colon:
            name, entry = "", text
        result += f"{name}{colon}{_entry(entry)}"
    return result


def _entry(text: str) -> str:
    """One entry, with quotes where it needs them."""
    plain = text.strip()
    if plain in ("", *"[]{},") or parsed(f"key={plain}") is not None:
        return text
    if _HOME.match(plain):
        plain = os.path.expanduser(plain)
    return text.replace(text.strip(), _quotes(plain))


def _quotes(text: str) -> str:
    return QuotedString(text, Quote.single).with_quotes()
