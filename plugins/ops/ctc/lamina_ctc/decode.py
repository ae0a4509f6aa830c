"""Decoding: the labelling that the probabilities speak for, step by step or by beam search."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lamina.op import op
from lamina.tensor import Spec


def _infer_greedy(log_p: Spec, input_length: Spec) -> tuple[Spec, Spec]:
    return Spec((log_p.shape[0], None), "int64"), Spec((log_p.shape[0], 1), log_p.dtype)


@op(infer=_infer_greedy)
def ctc_greedy(xp, log_p, input_length):
    """(labels, score): the best class of each step, repeats merged and blanks dropped; -1 fills the shorter rows.

    log_p: (batch, time, classes), logarithms of probabilities; the last class is the blank.
    labels: (batch, longest); score: (batch, 1), minus the sum of the chosen logarithms.
    """
    host, lengths = _on_host(log_p), _on_host(input_length)
    best = host.argmax(axis=2)
    rows = []
    for path, length in zip(best, lengths, strict=True):
        path = path[:length]
        kept = path[np.append(True, path[1:] != path[:-1])] if length else path
        rows.append(kept[kept != host.shape[2] - 1])
    inside = np.arange(host.shape[1])[None, :] < lengths[:, None]
    score = -np.where(inside, host.max(axis=2, initial=-np.inf), 0).sum(axis=1, keepdims=True)
    return xp.asarray(_padded(rows)), xp.asarray(score.astype(host.dtype))


def _infer_beam(log_p: Spec, input_length: Spec, *, beam_width: int, top_paths: int) -> list[Spec]:
    labels = Spec((log_p.shape[0], None), "int64")
    return [*[labels] * top_paths, Spec((log_p.shape[0], top_paths), log_p.dtype)]


@op(infer=_infer_beam)
def ctc_beam_search(xp, log_p, input_length, *, beam_width, top_paths):
    """The `top_paths` most probable labellings, most probable first, then their log-probabilities (batch, top_paths).

    beam_width: how many beginnings are kept after each step, >= top_paths.  log_p as for `ctc_greedy`.
    Source: Graves 2012, Supervised Sequence Labelling, section 7.5.
    """
    host, lengths = _on_host(log_p), _on_host(input_length)
    found = [_beams(rows[:n], beam_width, top_paths) for rows, n in zip(host, lengths, strict=True)]
    paths = [_padded([beams[rank][0] for beams in found]) for rank in range(top_paths)]
    scores = np.array([[score for _, score in beams] for beams in found], host.dtype).reshape(
        len(host), top_paths
    )
    return (*[xp.asarray(path) for path in paths], xp.asarray(scores))


for _decoder in (ctc_greedy, ctc_beam_search):
    _decoder.vjp(lambda g, y, log_p, input_length, **_: (None, None))


def _beams(log_p: np.ndarray, beam_width: int, top_paths: int) -> list[tuple[tuple[int, ...], float]]:
    """Beam search over one sequence.  Each beginning keeps how probable it is ending in a blank, and ending in its
    last label: a repeat of that label adds to the first as a new label, to the second as the same one."""
    blank = log_p.shape[1] - 1
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -np.inf)}
    for scores in log_p.tolist():
        grown: dict[tuple[int, ...], tuple[float, float]] = {}

        def add(prefix: tuple[int, ...], to_blank: float, to_label: float, grown=grown) -> None:
            a, b = grown.get(prefix, (-np.inf, -np.inf))
            grown[prefix] = float(np.logaddexp(a, to_blank)), float(np.logaddexp(b, to_label))

        for prefix, (on_blank, on_label) in beams.items():
            total = float(np.logaddexp(on_blank, on_label))
            add(prefix, total + scores[blank], on_label + scores[prefix[-1]] if prefix else -np.inf)
            for label in range(blank):
                start = on_blank if prefix and label == prefix[-1] else total
                add((*prefix, label), -np.inf, start + scores[label])
        best = sorted(grown.items(), key=lambda item: -np.logaddexp(*item[1]))[:beam_width]
        beams = dict(best)
    ranked = [(prefix, float(np.logaddexp(*ends))) for prefix, ends in beams.items()]
    return (ranked + [((), -np.inf)] * top_paths)[:top_paths]


def _padded(rows: Sequence[Sequence[int] | np.ndarray]) -> np.ndarray:
    """The rows under one another, filled up with -1."""
    out = np.full((len(rows), max(map(len, rows), default=0)), -1, "int64")
    for target, row in zip(out, rows, strict=True):
        target[: len(row)] = row
    return out


def _on_host(array):
    return array.get() if hasattr(array, "get") else array
