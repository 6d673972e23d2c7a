"""Counter-based random numbers: a draw is a hash of a 64-bit key and an index.

A generator with a state draws other numbers for a row when its neighbours change. Here item 7 of a
batch draws what item 7 draws alone, on any device and in any order, and a resumed run draws what
the uninterrupted one would have drawn.

The hash is SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014), in wrapping int64 arithmetic, which every torch device has.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor


def _signed(word: int) -> int:
    return word - (1 << 64) if word >= 1 << 63 else word


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_FIRST = _signed(0xBF58476D1CE4E5B9)
_SECOND = _signed(0x94D049BB133111EB)
_U27, _U30, _U31 = np.uint64(27), np.uint64(30), np.uint64(31)
_UFIRST, _USECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_MASK24 = (1 << 24) - 1
_MASK64 = (1 << 64) - 1


def key_of(*parts: object) -> int:
    """A signed 64-bit key of `parts` as text, the same in every process and on every machine."""
    text = "\x1f".join(map(str, parts))
    # names of files that are no UTF-8 hold surrogates
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def mix(words: Tensor) -> Tensor:
    """SplitMix64's output function on int64 `words` of any shape, a bijection.

    Each input bit changes each output bit with a probability near one half.
    """
    if words.device.type == "cpu":  # numpy has unsigned shifts, and less to do for a few numbers
        mixed = np.atleast_1d(words.numpy()).view(np.uint64)
        mixed = (mixed ^ (mixed >> _U30)) * _UFIRST
        mixed = (mixed ^ (mixed >> _U27)) * _USECOND
        mixed ^= mixed >> _U31
        return torch.from_numpy(mixed.view(np.int64)).view_as(words)
    words = _shifted(words, 30).bitwise_xor_(words).mul_(_FIRST)
    words = _shifted(words, 27).bitwise_xor_(words).mul_(_SECOND)
    return _shifted(words, 31).bitwise_xor_(words)


def fold_in(keys: Tensor, number: int | Tensor) -> Tensor:
    """New keys, int64 [r], of an independent stream for each number.

    Args:
        keys: int64 [r].
        number: one number for all keys, or one a key, int64 [r].
    """
    if isinstance(number, int):
        mixed: int | Tensor = _mixed(number + _GOLDEN)
    else:
        mixed = mix(number + _GOLDEN)
    return mix(mixed ^ (keys * 3 + _GOLDEN))


@lru_cache(1024)
def _mixed(word: int) -> int:
    """`mix` of one whole number, without a tensor."""
    word &= _MASK64
    word = ((word ^ (word >> 30)) * _FIRST) & _MASK64
    word = ((word ^ (word >> 27)) * _SECOND) & _MASK64
    return _signed(word ^ (word >> 31))


def uniform(keys: Tensor, count: int) -> Tensor:
    """Uniform numbers in [0, 1) with 24 random bits: float32 [r, count] from int64 keys [r]."""
    return torch.cat(_halves(keys, count), dim=1).mul_(2.0**-24)[:, :count].contiguous()


def normal(keys: Tensor, count: int) -> Tensor:
    """Standard normal numbers (Box & Muller 1958): float32 [r, count] from int64 keys [r]."""
    first, second = _halves(keys, count)
    # first + 1, so that the logarithm of 0 never occurs
    radius = ((first + 1.0) * 2.0**-24).log_().mul_(-2.0).sqrt_()
    angle = second.mul_(2.0 * math.pi * 2.0**-24)
    numbers = torch.cat([angle.cos().mul_(radius), angle.sin_().mul_(radius)], dim=1)
    return numbers[:, :count].contiguous()


def _halves(keys: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Integers below 2**24 from both halves of each hash: two float32 [r, ceil(count / 2)]."""
    places = torch.arange(1, (count + 1) // 2 + 1, device=keys.device) * _GOLDEN
    words = mix(keys[:, None] + places)
    return _shifted(words, 40).to(torch.float32), (words >> 8).bitwise_and_(_MASK24).to(
        torch.float32
    )


def _shifted(words: Tensor, bits: int) -> Tensor:
    """A logical shift to the right; torch's own shift of int64 is arithmetic."""
    return (words >> bits).bitwise_and_((1 << (64 - bits)) - 1)


def coins(keys: Tensor, count: int) -> Tensor:
    """Fair coins, one bit each, so 64 a hash: bool [r, count] from int64 keys [r]."""
    places = torch.arange(1, (count + 63) // 64 + 1, device=keys.device) * _GOLDEN
    words = mix(keys[:, None] + places)
    bits = words[..., None] >> torch.arange(64, device=keys.device)
    return (bits & 1).bool().flatten(1)[:, :count]


def chosen(keys: Tensor, count: int, rate: float) -> tuple[Tensor, Tensor]:
    """The successes among `count` independent Bernoulli trials of each key, as positions.

    Gaps between successes are geometric, so only about rate * count numbers are drawn in place of
    `count`.

    Args:
        keys: int64 [r].
        count: trials a key.
        rate: probability of a success, 0 < rate < 1.

    Returns:
        Positions int64 [r, m], and a mask [r, m] of those that are below `count` and count.
    """
    mean = rate * count
    most = min(count, math.ceil(mean + 8.0 * math.sqrt(mean * (1.0 - rate)) + 8.0))
    logarithms = uniform(keys, most).neg_().log1p_()
    gaps = (logarithms * (1.0 / math.log1p(-rate))).floor_().clamp_(max=count)
    positions = (gaps.long() + 1).cumsum(1) - 1
    inside = positions < count
    return positions.clamp_(max=count - 1), inside
