# Written by registry/scripts/stubs.py.
from typing import Any

from lamina_activations.functions import elu as elu
from lamina_activations.functions import exponential as exponential
from lamina_activations.functions import hard_sigmoid as hard_sigmoid
from lamina_activations.functions import linear as linear
from lamina_activations.functions import relu as relu
from lamina_activations.functions import selu as selu
from lamina_activations.functions import sigmoid as sigmoid
from lamina_activations.functions import softmax as softmax
from lamina_activations.functions import softplus as softplus
from lamina_activations.functions import softsign as softsign
from lamina_activations.functions import tanh as tanh

def get(identifier: Any) -> Any: ...
def serialize(obj: Any) -> Any: ...
def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any: ...
def __getattr__(name: str) -> Any: ...
