"""Enlarging by interpolation, along one axis at a time, and its gradient."""

from __future__ import annotations

from functools import partial

import numpy as np

from lamina.op import op
from lamina.ops.kernels import bound
from lamina.ops.rules import axis_of
from lamina.tensor import Spec


def _infer_interpolate(x, *, factor, axis):
    axis = axis_of(axis, x.ndim)
    size = x.shape[axis]
    return Spec((*x.shape[:axis], None if size is None else size * factor, *x.shape[axis + 1 :]), x.dtype)


@op(infer=_infer_interpolate)
def interpolate(xp, x, *, factor, axis):
    """Along `axis`, `factor` points on the line from each element to the next: point i lies at i / factor.

    Behind the last element there is no next one, and it is repeated.  This is resize_bilinear of TensorFlow 1, with
    align_corners=False and without its later half-pixel centres.
    """
    axis = axis_of(axis, x.ndim)
    rise = xp.concatenate([_part(x, axis, 1, None), _part(x, axis, -1, None)], axis=axis) - x
    points = xp.stack([x + rise * (k / factor) for k in range(factor)], axis=axis + 1)
    return points.reshape(*x.shape[:axis], x.shape[axis] * factor, *x.shape[axis + 1 :])


@interpolate.vjp
def _(g, y, x, **attrs):
    return (interpolate_grad(g, **attrs),)


def _infer_interpolate_grad(g, *, factor, axis):
    axis = axis_of(axis, g.ndim)
    size = g.shape[axis]
    return Spec((*g.shape[:axis], None if size is None else size // factor, *g.shape[axis + 1 :]), g.dtype)


@op(infer=_infer_interpolate_grad)
def interpolate_grad(xp, g, *, factor, axis):
    """g, each point shared out between the element before it and the next."""
    axis = axis_of(axis, g.ndim)
    points = [_part(g, axis, k, None, factor) for k in range(factor)]
    here = sum(point * (1 - k / factor) for k, point in enumerate(points))
    following = sum(point * (k / factor) for k, point in enumerate(points))
    out = xp.array(here)
    for target, source in _nexts(out, following, axis):
        target += source
    return out


@interpolate_grad.vjp
def _(g, y, cotangent, **attrs):
    return (interpolate(g, **attrs),)


def _part(x, axis, *bounds):
    """x[start:stop:step] along one axis."""
    return x[(*[slice(None)] * axis, slice(*bounds))]


def _nexts(target, source, axis):
    """Pairs of parts: the elements of `target` that are next to those of `source`; the last is next to itself."""
    yield _part(target, axis, 1, None), _part(source, axis, None, -1)
    yield _part(target, axis, -1, None), _part(source, axis, -1, None)


# ---- NumPy's kernels: the same in memory of their own


@interpolate.kernel("numpy")
def _(x, *, factor, axis):
    axis = axis_of(axis, x.ndim)

    def bind(out, array):
        here, rise, point = (np.empty(array.shape, array.dtype) for _ in range(3))
        calls = [partial(np.copyto, here, array)]
        calls += [partial(np.copyto, part, source) for source, part in _nexts(array, rise, axis)]
        calls.append(partial(np.subtract, rise, here, out=rise))
        for k in range(factor):
            calls.append(partial(np.multiply, rise, np.array(k / factor, array.dtype), out=point))
            calls.append(partial(np.add, here, point, out=point))
            calls.append(partial(np.copyto, _part(out, axis, k, None, factor), point))
        return _one_by_one(calls)

    return bound(bind)


@interpolate_grad.kernel("numpy")
def _(g, *, factor, axis):
    axis = axis_of(axis, g.ndim)

    def bind(out, array):
        here, following, point, share = (np.zeros(out.shape, out.dtype) for _ in range(4))
        calls = [partial(here.fill, 0), partial(following.fill, 0)]
        for k in range(factor):
            calls.append(partial(np.copyto, point, _part(array, axis, k, None, factor)))
            for total, weight in ((here, 1 - k / factor), (following, k / factor)):
                calls.append(partial(np.multiply, point, np.array(weight, out.dtype), out=share))
                calls.append(partial(np.add, total, share, out=total))
        # Moved on by one, and the last to itself.  Copies: a sum of slices allocates buffers each time.
        calls.append(partial(point.fill, 0))
        calls.append(partial(np.copyto, _part(point, axis, 1, None), _part(following, axis, None, -1)))
        calls.append(partial(np.add, here, point, out=here))
        calls.append(partial(point.fill, 0))
        calls.append(partial(np.copyto, _part(point, axis, -1, None), _part(following, axis, -1, None)))
        calls.append(partial(np.add, here, point, out=out))
        return _one_by_one(calls)

    return bound(bind)


def _one_by_one(calls):
    def run():
        for call in calls:
            call()

    return run
