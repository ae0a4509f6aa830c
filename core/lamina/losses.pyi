# Written by registry/scripts/stubs.py.
from typing import Any

from lamina_losses.crossentropy import binary_crossentropy as binary_crossentropy
from lamina_losses.crossentropy import categorical_crossentropy as categorical_crossentropy
from lamina_losses.crossentropy import kullback_leibler_divergence as kullback_leibler_divergence
from lamina_losses.crossentropy import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from lamina_losses.hinge import categorical_hinge as categorical_hinge
from lamina_losses.hinge import hinge as hinge
from lamina_losses.hinge import squared_hinge as squared_hinge
from lamina_losses.regression import cosine_proximity as cosine_proximity
from lamina_losses.regression import logcosh as logcosh
from lamina_losses.regression import mean_absolute_error as mean_absolute_error
from lamina_losses.regression import mean_absolute_percentage_error as mean_absolute_percentage_error
from lamina_losses.regression import mean_squared_error as mean_squared_error
from lamina_losses.regression import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from lamina_losses.regression import poisson as poisson

KLD = kullback_leibler_divergence
MAE = mean_absolute_error
MAPE = mean_absolute_percentage_error
MSE = mean_squared_error
MSLE = mean_squared_logarithmic_error
cosine = cosine_proximity
kld = kullback_leibler_divergence
mae = mean_absolute_error
mape = mean_absolute_percentage_error
mse = mean_squared_error
msle = mean_squared_logarithmic_error

def get(identifier: Any) -> Any: ...
def serialize(obj: Any) -> Any: ...
def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any: ...
def __getattr__(name: str) -> Any: ...
