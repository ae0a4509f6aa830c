# Written by registry/scripts/stubs.py.
from typing import Any

from lamina.engine.summary import print_summary as print_summary
from lamina.training.progbar import Progbar as Progbar
from lamina.training.sequence import Sequence as Sequence
from lamina.utils import data_utils as data_utils
from lamina.utils import generic_utils as generic_utils
from lamina.utils import io_utils as io_utils
from lamina.utils import layer_utils as layer_utils
from lamina.utils import np_utils as np_utils
from lamina.utils.np_utils import normalize as normalize
from lamina.utils.np_utils import to_categorical as to_categorical
from lamina_registry import CustomObjectScope as CustomObjectScope
from lamina_registry import custom_object_scope as custom_object_scope
from lamina_registry import get_custom_objects as get_custom_objects
from lamina_utils.enqueuers import GeneratorEnqueuer as GeneratorEnqueuer
from lamina_utils.enqueuers import OrderedEnqueuer as OrderedEnqueuer
from lamina_utils.get_file import get_file as get_file
from lamina_utils.hdf5_matrix import HDF5Matrix as HDF5Matrix
from lamina_utils.objects import deserialize_keras_object as deserialize_keras_object
from lamina_utils.objects import get_source_inputs as get_source_inputs
from lamina_utils.objects import serialize_keras_object as serialize_keras_object

def __getattr__(name: str) -> Any: ...
