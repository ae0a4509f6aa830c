# Written by registry/scripts/stubs.py.
from typing import Any

from lamina.engine.parts import Initializer as Initializer
from lamina_initializers.constants import Constant as Constant
from lamina_initializers.constants import Identity as Identity
from lamina_initializers.constants import Ones as Ones
from lamina_initializers.constants import Zeros as Zeros
from lamina_initializers.orthogonal import Orthogonal as Orthogonal
from lamina_initializers.random import RandomNormal as RandomNormal
from lamina_initializers.random import RandomUniform as RandomUniform
from lamina_initializers.random import TruncatedNormal as TruncatedNormal
from lamina_initializers.scaled import VarianceScaling as VarianceScaling
from lamina_initializers.scaled import glorot_normal as glorot_normal
from lamina_initializers.scaled import glorot_uniform as glorot_uniform
from lamina_initializers.scaled import he_normal as he_normal
from lamina_initializers.scaled import he_uniform as he_uniform
from lamina_initializers.scaled import lecun_normal as lecun_normal
from lamina_initializers.scaled import lecun_uniform as lecun_uniform

constant = Constant
identity = Identity
normal = RandomNormal
one = Ones
ones = Ones
orthogonal = Orthogonal
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
uniform = RandomUniform
zero = Zeros
zeros = Zeros

def get(identifier: Any) -> Any: ...
def serialize(obj: Any) -> Any: ...
def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any: ...
def __getattr__(name: str) -> Any: ...
