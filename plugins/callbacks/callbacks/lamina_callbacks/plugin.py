"""Callbacks by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def callbacks():
    return {
        "CSVLogger": "lamina_callbacks.csv_logger:CSVLogger",
        "EarlyStopping": "lamina_callbacks.early_stopping:EarlyStopping",
        "LambdaCallback": "lamina_callbacks.lambda_callback:LambdaCallback",
        "LearningRateScheduler": "lamina_callbacks.learning_rate_scheduler:LearningRateScheduler",
        "ModelCheckpoint": "lamina_callbacks.model_checkpoint:ModelCheckpoint",
        "ReduceLROnPlateau": "lamina_callbacks.reduce_lr_on_plateau:ReduceLROnPlateau",
        "RemoteMonitor": "lamina_callbacks.remote_monitor:RemoteMonitor",
        "TensorBoard": "lamina_callbacks.tensorboard:TensorBoard",
        "TerminateOnNaN": "lamina_callbacks.terminate_on_nan:TerminateOnNaN",
    }
