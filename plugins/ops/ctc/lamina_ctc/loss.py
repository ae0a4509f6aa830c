"""The CTC loss and its gradient, by the forward-backward algorithm, for a whole batch at once.

A path is one class a step; merging repeats and dropping blanks makes it a labelling.  The loss is -log of the total
probability of the paths that make the wanted labelling.  All work is in logarithms, over the labels with a blank
before, between and after them: `extended` positions.

Source: Graves et al. 2006, ICML, sections 4.1 and 4.2.
"""

from __future__ import annotations

from typing import Any

from lamina.op import op
from lamina.tensor import Spec


def _infer_loss(logits: Spec, labels: Spec, input_length: Spec, label_length: Spec) -> Spec:
    if logits.ndim != 3 or labels.ndim != 2:
        raise ValueError("logits need the shape (batch, time, classes) and labels (batch, length)")
    return Spec((logits.shape[0],), logits.dtype)


@op(infer=_infer_loss)
def ctc_loss(xp, logits, labels, input_length, label_length):
    """-log p(labels | logits) for each sequence: (batch,).

    logits: (batch, time, classes), scores before softmax; the last class is the blank.
    labels: (batch, length), classes; input_length, label_length: (batch,), how many steps and labels count.

    Raises ValueError naming the sequence when a label is no class, a length is out of range, or the labels cannot be
    made in the steps there are.
    """
    check(xp, logits, labels, input_length, label_length)
    log_p, extended, skips = _prepare(xp, logits, labels)
    return -_total(xp, _forward(xp, log_p, extended, skips, input_length)[-1], label_length)


@ctc_loss.vjp
def _(g, y, logits, labels, input_length, label_length):
    return ctc_loss_grad(g, logits, labels, input_length, label_length), None, None, None


def _infer_grad(g: Spec, logits: Spec, *_: Spec) -> Spec:
    return Spec(logits.shape, logits.dtype)


@op(infer=_infer_grad)
def ctc_loss_grad(xp, g, logits, labels, input_length, label_length):
    """The gradient of `ctc_loss` with respect to the logits, times g: softmax minus how often each class is due."""
    log_p, extended, skips = _prepare(xp, logits, labels)
    steps = logits.shape[1]
    forward = _forward(xp, log_p, extended, skips, input_length)
    total = _total(xp, forward[-1], label_length)
    backward = _backward(xp, log_p, extended, skips, input_length, label_length)
    due = xp.exp(xp.stack(forward, axis=1) + xp.stack(backward, axis=1) - total[:, None, None])
    hot = (extended[:, :, None] == xp.arange(logits.shape[2])[None, None, :]).astype(logits.dtype)
    gradient = xp.exp(log_p) - xp.matmul(due, hot)
    inside = xp.arange(steps)[None, :] < input_length[:, None]
    return gradient * inside[:, :, None] * g[:, None, None]


def check(xp: Any, logits: Any, labels: Any, input_length: Any, label_length: Any) -> None:
    """Raise ValueError for the first sequence that has no loss, saying why."""
    steps, classes = logits.shape[1:]
    positions = xp.arange(labels.shape[1])[None, :]
    counted = positions < label_length[:, None]
    repeats = (labels[:, 1:] == labels[:, :-1]) & counted[:, 1:]
    needed = label_length + repeats.sum(axis=1)
    for wrong, reason in (
        (
            (input_length < 0) | (input_length > steps),
            f"its input_length is not within 0 and the {steps} steps there are",
        ),
        (
            (label_length < 0) | (label_length > labels.shape[1]),
            "its label_length is not within 0 and the row of labels",
        ),
        (
            ((labels < 0) | (labels >= classes - 1)) & counted,
            f"its labels must lie in 0 <= label < {classes - 1}",
        ),
        (needed > input_length, "it has not enough steps for its labels, with a blank between repeated ones"),
    ):
        rows = wrong.any(axis=1) if wrong.ndim == 2 else wrong
        if rows.any():
            raise ValueError(f"CTC: sequence {int(rows.argmax())} of the batch has no loss: {reason}")


def _prepare(xp: Any, logits: Any, labels: Any) -> tuple[Any, Any, Any]:
    """Log-probabilities, the labels with blanks around them, and where a blank may be skipped."""
    shifted = logits - logits.max(axis=2, keepdims=True)
    log_p = shifted - xp.log(xp.exp(shifted).sum(axis=2, keepdims=True))
    blank = logits.shape[2] - 1
    extended = xp.full((labels.shape[0], 2 * labels.shape[1] + 1), blank, dtype="int64")
    extended[:, 1::2] = labels
    skips = xp.zeros(extended.shape, bool)
    skips[:, 2:] = (extended[:, 2:] != blank) & (extended[:, 2:] != extended[:, :-2])
    return log_p, extended, skips


def _scores(xp: Any, log_p: Any, extended: Any, step: int) -> Any:
    """Log-probability of each extended position's class at one step: (batch, positions)."""
    known = xp.clip(extended, 0, log_p.shape[2] - 1)
    return xp.take_along_axis(log_p[:, step], known, axis=1)


def _shifted(xp: Any, a: Any, by: int) -> Any:
    """a moved by `by` positions, with -inf moving in."""
    out = xp.full_like(a, -xp.inf)
    if by > 0:
        out[:, by:] = a[:, :-by]
    else:
        out[:, :by] = a[:, -by:]
    return out


def _forward(xp: Any, log_p: Any, extended: Any, skips: Any, input_length: Any) -> list[Any]:
    """For each step, the log-probability of being at each position with everything before it done; those of the last
    step that counts are carried on to the end."""
    a = xp.full(extended.shape, -xp.inf, log_p.dtype)
    a[:, :2] = _scores(xp, log_p, extended, 0)[:, :2]
    found = [a]
    for step in range(1, log_p.shape[1]):
        before = xp.logaddexp(a, _shifted(xp, a, 1))
        before = xp.logaddexp(before, xp.where(skips, _shifted(xp, a, 2), -xp.inf))
        inside = (step < input_length)[:, None]
        a = xp.where(inside, before + _scores(xp, log_p, extended, step), a)
        found.append(a)
    return found


def _backward(
    xp: Any, log_p: Any, extended: Any, skips: Any, input_length: Any, label_length: Any
) -> list[Any]:
    """For each step, the log-probability of doing the rest after being at each position."""
    positions = xp.arange(extended.shape[1])[None, :]
    last = 2 * label_length[:, None]
    ends = xp.where((positions == last) | ((positions == last - 1) & (last > 0)), 0.0, -xp.inf).astype(
        log_p.dtype
    )
    skipped = xp.zeros(skips.shape, bool)
    skipped[:, :-2] = skips[:, 2:]
    b = ends
    found = [b]
    for step in range(log_p.shape[1] - 1, 0, -1):
        after = b + _scores(xp, log_p, extended, step)
        before = xp.logaddexp(after, _shifted(xp, after, -1))
        before = xp.logaddexp(before, xp.where(skipped, _shifted(xp, after, -2), -xp.inf))
        b = xp.where((step < input_length)[:, None], before, ends)
        found.append(b)
    return found[::-1]


def _total(xp: Any, a: Any, label_length: Any) -> Any:
    """The log-probability of ending on the last label or the blank behind it."""
    last = 2 * label_length[:, None].astype("int64")
    on_blank = xp.take_along_axis(a, last, axis=1)[:, 0]
    on_label = xp.take_along_axis(a, xp.maximum(last - 1, 0), axis=1)[:, 0]
    return xp.where(label_length > 0, xp.logaddexp(on_blank, on_label), on_blank)
