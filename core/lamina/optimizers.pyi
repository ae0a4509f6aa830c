# Written by registry/scripts/stubs.py.
from typing import Any

from lamina.engine.optimizer import Optimizer as Optimizer
from lamina_optimizers.adadelta import Adadelta as Adadelta
from lamina_optimizers.adagrad import Adagrad as Adagrad
from lamina_optimizers.adam import Adam as Adam
from lamina_optimizers.adamax import Adamax as Adamax
from lamina_optimizers.nadam import Nadam as Nadam
from lamina_optimizers.rmsprop import RMSprop as RMSprop
from lamina_optimizers.sgd import SGD as SGD
from lamina_optimizers.tf_optimizer import TFOptimizer as TFOptimizer

def get(identifier: Any) -> Any: ...
def serialize(obj: Any) -> Any: ...
def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any: ...
def __getattr__(name: str) -> Any: ...
