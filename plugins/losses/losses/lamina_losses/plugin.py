"""Losses by name, and by Keras's short names."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def losses():
    return {
        "KLD": "lamina_losses.crossentropy:kullback_leibler_divergence",
        "MAE": "lamina_losses.regression:mean_absolute_error",
        "MAPE": "lamina_losses.regression:mean_absolute_percentage_error",
        "MSE": "lamina_losses.regression:mean_squared_error",
        "MSLE": "lamina_losses.regression:mean_squared_logarithmic_error",
        "binary_crossentropy": "lamina_losses.crossentropy:binary_crossentropy",
        "categorical_crossentropy": "lamina_losses.crossentropy:categorical_crossentropy",
        "categorical_hinge": "lamina_losses.hinge:categorical_hinge",
        "cosine": "lamina_losses.regression:cosine_proximity",
        "cosine_proximity": "lamina_losses.regression:cosine_proximity",
        "hinge": "lamina_losses.hinge:hinge",
        "kld": "lamina_losses.crossentropy:kullback_leibler_divergence",
        "kullback_leibler_divergence": "lamina_losses.crossentropy:kullback_leibler_divergence",
        "logcosh": "lamina_losses.regression:logcosh",
        "mae": "lamina_losses.regression:mean_absolute_error",
        "mape": "lamina_losses.regression:mean_absolute_percentage_error",
        "mean_absolute_error": "lamina_losses.regression:mean_absolute_error",
        "mean_absolute_percentage_error": "lamina_losses.regression:mean_absolute_percentage_error",
        "mean_squared_error": "lamina_losses.regression:mean_squared_error",
        "mean_squared_logarithmic_error": "lamina_losses.regression:mean_squared_logarithmic_error",
        "mse": "lamina_losses.regression:mean_squared_error",
        "msle": "lamina_losses.regression:mean_squared_logarithmic_error",
        "poisson": "lamina_losses.regression:poisson",
        "sparse_categorical_crossentropy": "lamina_losses.crossentropy:sparse_categorical_crossentropy",
        "squared_hinge": "lamina_losses.hinge:squared_hinge",
    }
