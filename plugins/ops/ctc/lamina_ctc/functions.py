"""K.ctc_batch_cost, K.ctc_decode and K.ctc_label_dense_to_sparse, as in Keras 2."""

from __future__ import annotations

from typing import Any

from lamina import backend as K
from lamina.op import as_tensor
from lamina.tensor import Tensor
from lamina_ctc.decode import ctc_beam_search, ctc_greedy
from lamina_ctc.loss import ctc_loss


def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Tensor:
    """The CTC loss of each sequence: (batch, 1).

    y_true: (batch, length), the labels, classes counted from 0.
    y_pred: (batch, time, classes), probabilities; the last class is the blank.
    input_length, label_length: (batch, 1), how many steps and labels of each row count.

    Raises ValueError naming the sequence when its labels cannot be made in its steps, or are no classes.
    """
    # TensorFlow's loss takes a softmax of these logarithms, which is the probabilities scaled to sum 1 again.
    logits = K.log(as_tensor(y_pred) + K.epsilon())
    lengths = [K.flatten(K.cast(as_tensor(length), "int32")) for length in (input_length, label_length)]
    return K.expand_dims(ctc_loss(logits, K.cast(as_tensor(y_true), "int32"), *lengths), 1)


def ctc_decode(
    y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Tensor], Tensor]:
    """(decoded, score): the labels that the probabilities speak for.

    y_pred: (batch, time, classes), probabilities; the last class is the blank.  input_length: (batch,).
    greedy: take the best class of each step; the list has one element, and score is (batch, 1), minus the sum of the
        logarithms chosen.  Otherwise a beam search over `beam_width` beginnings finds the `top_paths` best labellings,
        and score is (batch, top_paths), their log-probabilities.
    decoded: tensors (batch, longest), integers, with -1 behind the end of the shorter rows.

    Raises ValueError when beam_width < top_paths.
    """
    log_p = K.log(as_tensor(y_pred) + K.epsilon())
    lengths = K.flatten(K.cast(as_tensor(input_length), "int32"))
    if greedy:
        labels, score = ctc_greedy(log_p, lengths)
        return [labels], score
    if not 1 <= top_paths <= beam_width:
        raise ValueError(f"top_paths={top_paths} must lie in 1 <= top_paths <= beam_width={beam_width}")
    normal = log_p - K.logsumexp(log_p, axis=-1, keepdims=True)
    *paths, score = ctc_beam_search(normal, lengths, beam_width=int(beam_width), top_paths=int(top_paths))
    return paths, score


def ctc_label_dense_to_sparse(labels: Any, label_lengths: Any) -> Tensor:
    """The first label_lengths[i] labels of each row i, as a sparse tensor of the same shape.

    labels: (batch, length); label_lengths: (batch,).
    """
    labels = as_tensor(labels)
    lengths = K.reshape(K.cast(as_tensor(label_lengths), "int32"), (-1, 1))
    positions = K.expand_dims(K.arange(0, K.shape(labels)[1]), 0)
    kept = K.cast(K.less(positions, lengths), K.dtype(labels)) * labels
    kept.sparse = True  # computed as a dense one, like every sparse tensor here
    return kept
