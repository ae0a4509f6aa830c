"""Backend functions by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def ops():
    return {
        "ctc_batch_cost": "lamina_ctc.functions:ctc_batch_cost",
        "ctc_decode": "lamina_ctc.functions:ctc_decode",
        "ctc_label_dense_to_sparse": "lamina_ctc.functions:ctc_label_dense_to_sparse",
    }
