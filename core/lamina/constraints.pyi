# Written by registry/scripts/stubs.py.
from typing import Any

from lamina.engine.parts import Constraint as Constraint
from lamina_constraints.non_neg import NonNeg as NonNeg
from lamina_constraints.norm import MaxNorm as MaxNorm
from lamina_constraints.norm import MinMaxNorm as MinMaxNorm
from lamina_constraints.norm import UnitNorm as UnitNorm

max_norm = MaxNorm
maxnorm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
nonneg = NonNeg
unit_norm = UnitNorm
unitnorm = UnitNorm

def get(identifier: Any) -> Any: ...
def serialize(obj: Any) -> Any: ...
def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any: ...
def __getattr__(name: str) -> Any: ...
