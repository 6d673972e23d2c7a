"""The base class of parts and jobs, whose numbers are finite."""

from __future__ import annotations

import inspect
from abc import ABCMeta
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from synth.errors import InputError, check_numbers


class _PartType(ABCMeta):
    """The metaclass of parts: checks the numbers that a constructor is given."""

    def __call__(cls, *arguments: Any, **keywords: Any) -> Any:
        signature = cls.__signature__
        with suppress(TypeError):  # what the constructor does not take, it refuses itself
            values = signature.bind_partial(*arguments, **keywords).arguments
            check_numbers(cls.__name__, signature, values)
        return super().__call__(*arguments, **keywords)

    @property
    def __signature__(cls) -> inspect.Signature:
        """That of the constructor, which `help` shows."""
        if cls.__init__ is object.__init__:
            return inspect.Signature()
        signature = inspect.signature(cls.__init__)
        return signature.replace(parameters=list(signature.parameters.values())[1:])


def check_parts(word: str, parts: Mapping[str, object], kind: type) -> None:
    """Raises InputError where one of several parts by name is not of its kind.

    beartype looks at a single entry of a dictionary.

    Args:
        word: the user's key for the parts.
        parts: by name; None is of any kind.
        kind: their class.
    """
    for name, part in parts.items():
        if part is not None and not isinstance(part, kind):
            text = type(part).__name__ if isinstance(part, Part) else str(part)[:40]
            raise InputError(f"{word}.{name}={text}: write a part of the kind {kind.__name__}.")


class Part(metaclass=_PartType):
    """A part of a run, or a job.

    Raises:
        InputError: by the constructor of every subclass, where NaN, an infinity, or true or false
            is given for a number.
    """
