"""Utilities by name."""

from lamina_registry import hookimpl

API = 1


@hookimpl
def utils():
    return {
        "GeneratorEnqueuer": "lamina_utils.enqueuers:GeneratorEnqueuer",
        "HDF5Matrix": "lamina_utils.hdf5_matrix:HDF5Matrix",
        "OrderedEnqueuer": "lamina_utils.enqueuers:OrderedEnqueuer",
        "deserialize_keras_object": "lamina_utils.objects:deserialize_keras_object",
        "get_file": "lamina_utils.get_file:get_file",
        "get_source_inputs": "lamina_utils.objects:get_source_inputs",
        "serialize_keras_object": "lamina_utils.objects:serialize_keras_object",
    }
