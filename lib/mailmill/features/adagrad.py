"""One step of AdaGrad for one pair of words after the other: the inner loop of training, compiled.

Only functions import this module: a command that trains nothing starts without Numba. `plain_epoch` is the
same in NumPy, the reference of the tests.

What the loops owe their speed to: two passes over two rows that lie in the cache, no branch, and 1 / sqrt(g)
by Newton's method from an estimate in integer arithmetic, because the compiler turns that into vector
instructions and leaves sqrt and the division scalar (measured: 0.2 instead of 1.4 microseconds a pair).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from mailmill.jit import compiled

CLIP = 100.0  # of a gradient's component, as in the published program

# No `nnan` and `ninf`: a number that is not finite must show in the loss.
_FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]  # Numba has no types
def _bits(context: Any, value: Any) -> Any:
    """The 32 bits of a float32 as an int32."""
    return types.int32(types.float32), lambda c, builder, s, args: builder.bitcast(args[0], ir.IntType(32))


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]  # Numba has no types
def _number(context: Any, value: Any) -> Any:
    """The float32 of 32 bits."""
    return types.float32(types.int32), lambda c, builder, s, args: builder.bitcast(args[0], ir.FloatType())


def _inverse_root(g: Any) -> Any:
    """1 / sqrt(g) for g >= 1 to about one unit in the last place: three steps of Newton's method."""
    half = np.float32(0.5) * g
    y = _number(np.int32(0x5F3759DF) - (_bits(g) >> np.int32(1)))
    y = y * (np.float32(1.5) - half * y * y)
    y = y * (np.float32(1.5) - half * y * y)
    return y * (np.float32(1.5) - half * y * y)


def _block(pairs: Any, start: int, stop: int, parameters: Any, contexts: int, padded: int, eta: np.float32) -> float:
    """Update for pairs[start:stop] in their order; the sum of f diff^2 / 2 before each update. See `plain_epoch`."""
    loss = 0.0
    most = np.float32(CLIP)
    bias = 2 * padded
    for n in range(start, stop):
        pair = pairs[n]
        w = parameters[np.int64(pair.row)]
        v = parameters[np.int64(pair.context) + contexts]
        dot = np.float32(0)
        for k in range(padded):
            dot += w[k] * v[k]
        diff = dot + w[bias] + v[bias] - pair.log_count
        slope = pair.weight * diff
        for k in range(padded):
            step_w = min(max(slope * v[k], -most), most) * eta
            step_v = min(max(slope * w[k], -most), most) * eta
            sum_w, sum_v = w[padded + k], v[padded + k]
            w[k] -= step_w * _inverse_root(sum_w)
            v[k] -= step_v * _inverse_root(sum_v)
            w[padded + k] = sum_w + step_w * step_w
            v[padded + k] = sum_v + step_v * step_v
        w[bias] -= slope * _inverse_root(w[bias + 1])
        v[bias] -= slope * _inverse_root(v[bias + 1])
        w[bias + 1] += slope * slope
        v[bias + 1] += slope * slope
        loss += np.float32(0.5) * slope * diff
    return loss


def _loss(pairs: Any, start: int, stop: int, parameters: Any, contexts: int, padded: int) -> float:
    """The sum of f diff^2 / 2 over pairs[start:stop], nothing updated."""
    loss = 0.0
    for n in range(start, stop):
        pair = pairs[n]
        w = parameters[np.int64(pair.row)]
        v = parameters[np.int64(pair.context) + contexts]
        dot = np.float32(0)
        for k in range(padded):
            dot += w[k] * v[k]
        diff = dot + w[2 * padded] + v[2 * padded] - pair.log_count
        loss += np.float32(0.5) * pair.weight * diff * diff
    return loss


_inverse_root = compiled(_inverse_root, fastmath=_FAST, inline="always")
update_block = compiled(_block, fastmath=_FAST)
loss_of_block = compiled(_loss, fastmath=_FAST)


def plain_epoch(
    pairs: NDArray[Any], parameters: NDArray[np.float32], contexts: int, dimension: int, padded: int, eta: float
) -> float:
    """For each pair (i, j) in order: diff = w_i . w~_j + b_i + b~_j - log X, s = f(X) diff, then AdaGrad's step.

    For each component k, with g = clip(s w~_jk, +-100) for w_ik and g = clip(s w_ik, +-100) for w~_jk:

        w <- w - eta g / sqrt(G),   G <- G + (eta g)^2,   and   b <- b - s / sqrt(G_b),   G_b <- G_b + s^2.

    The bias takes steps without eta: so does the published program (version 1.2), whose losses this equals.
    `parameters`: see `parameters.Layout`; updated in place. Returns the sum of f diff^2 / 2 before each update.
    Pennington, Socher & Manning, EMNLP 2014; Duchi, Hazan & Singer, JMLR 2011.
    """
    loss, eta32, clip = 0.0, np.float32(eta), np.float32(CLIP)
    for row, context, log_count, weight in pairs:
        one, two = parameters[row], parameters[context + contexts]
        w, v = one[:dimension].copy(), two[:dimension].copy()
        diff = np.float32(w @ v) + one[2 * padded] + two[2 * padded] - log_count
        slope = weight * diff
        for own, other in ((one, v), (two, w)):
            step = np.clip(slope * other, -clip, clip) * eta32
            sums = own[padded : padded + dimension]
            own[:dimension] -= step / np.sqrt(sums)
            sums += step * step
            own[2 * padded] -= slope / np.sqrt(own[2 * padded + 1])
            own[2 * padded + 1] += slope * slope
        loss += float(np.float32(0.5) * slope * diff)
    return loss
