"""TerminateOnNaN: stops a training that has gone astray."""

from __future__ import annotations

import math
from typing import Any

from lamina.callbacks import Callback


class TerminateOnNaN(Callback):
    """Stops training after the batch whose loss is not a finite number."""

    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            print(f"Batch {batch}: Invalid loss, terminating training")
            self.model.stop_training = True
