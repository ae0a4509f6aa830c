# Written by registry/scripts/stubs.py.
from typing import Any

from lamina.training.callbacks import BaseLogger as BaseLogger
from lamina.training.callbacks import Callback as Callback
from lamina.training.callbacks import CallbackList as CallbackList
from lamina.training.callbacks import History as History
from lamina.training.callbacks import ProgbarLogger as ProgbarLogger
from lamina_callbacks.csv_logger import CSVLogger as CSVLogger
from lamina_callbacks.early_stopping import EarlyStopping as EarlyStopping
from lamina_callbacks.lambda_callback import LambdaCallback as LambdaCallback
from lamina_callbacks.learning_rate_scheduler import LearningRateScheduler as LearningRateScheduler
from lamina_callbacks.model_checkpoint import ModelCheckpoint as ModelCheckpoint
from lamina_callbacks.reduce_lr_on_plateau import ReduceLROnPlateau as ReduceLROnPlateau
from lamina_callbacks.remote_monitor import RemoteMonitor as RemoteMonitor
from lamina_callbacks.tensorboard import TensorBoard as TensorBoard
from lamina_callbacks.terminate_on_nan import TerminateOnNaN as TerminateOnNaN

def __getattr__(name: str) -> Any: ...
