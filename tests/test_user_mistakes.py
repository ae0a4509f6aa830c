"""What users get wrong, and what they are told: the thing's name, what it met, what it wanted, what to do.

MISTAKES is the table: a sentence, the mistake, the error, and words its message must have.  The tests after it say
what a mistake leaves as it was.
"""

import numpy as np
import pytest

import lamina
from lamina import backend as K
from lamina import optimizers
from lamina.callbacks import (
    Callback,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TensorBoard,
)
from lamina.layers import (
    LSTM,
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dot,
    Dropout,
    Embedding,
    Flatten,
    Input,
    Lambda,
    Layer,
    LocallyConnected1D,
    Masking,
    Permute,
    PReLU,
    RepeatVector,
    Reshape,
    Softmax,
)
from lamina.models import Model, Sequential, clone_model, load_model, model_from_json
from lamina.saving import DamagedFile, UnsafeFile
from lamina.utils import to_categorical
from lamina_registry import UnknownName

X, Y = np.ones((8, 3)), np.zeros((8, 2))
CLASSES = np.array([0, 1, 2, 3] * 2)


# ---- what mistakes are made with; whatever is saved lands in a folder of the test's own


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def net(loss="mse", **settings):
    """x -> out: three numbers to two."""
    model = Sequential([Dense(2, input_shape=(3,), name="out")], name="net")
    model.compile("sgd", loss, **settings)
    return model


def fit(x=X, y=Y, **arguments):
    return net().fit(x, y, verbose=0, **arguments)


def classifier(loss, y):
    """Four classes, and targets for them."""
    model = Sequential([Dense(4, activation="softmax", input_shape=(3,), name="probs")], name="net")
    model.compile("sgd", loss)
    return model.fit(X, y, verbose=0)


def twin():
    """(left, right) -> (p, q)."""
    left, right = Input((3,), name="left"), Input((4,), name="right")
    model = Model([left, right], [Dense(1, name="p")(left), Dense(2, name="q")(right)], name="twin")
    model.compile("sgd", "mse")
    return model


LEFT, RIGHT, P, Q = np.ones((8, 3)), np.ones((8, 4)), np.zeros((8, 1)), np.zeros((8, 2))


def steps(**settings):
    """Four time steps of three numbers, to two each."""
    model = Sequential([Dense(2, input_shape=(4, 3), name="steps")], name="net")
    model.compile("sgd", "mse", **settings)
    return model


def x(*shape, **arguments):
    return Input(shape, **arguments)


def batches(*items):
    yield from items


def saved(model=None, name="m.h5"):
    (model or net()).save(name)
    return name


def weights_of(model, name="w.h5"):
    model.save_weights(name)
    return name


def truncated(name):
    with open(name, "rb+") as file:
        file.truncate(file.seek(0, 2) // 2)
    return name


class Mine(Layer):
    """A layer nobody registered."""


class Forgetful(Layer):
    """A layer that does not keep its argument."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)


def layer(call, **methods):
    """A user's layer called mine."""
    return type("Mine", (Layer,), {"call": lambda self, inputs: call(inputs), **methods})(name="mine")


# ---- the table

# fmt: off
MISTAKES = [
    # data that do not fit the model
    ("inputs of another width", lambda: fit(np.ones((8, 5))),
     ValueError, "net: input", "out_input", "(None, 3)", "(8, 5)"),
    ("inputs of another rank", lambda: fit(np.ones((8, 3, 1))),
     ValueError, "out_input", "2 dimensions", "(8, 3, 1)"),
    ("a single sample without its batch axis", lambda: net().predict(np.ones(3)),
     ValueError, "out_input", "(None, 3)", "(3, 1)", "single sample", "x[np.newaxis]"),
    ("a single image without its batch axis", lambda: Model(a := x(5, 5, 1), Flatten()(a)).predict(np.ones((5, 5, 1))),
     ValueError, "4 dimensions", "(5, 5, 1)", "single sample", "x[np.newaxis]"),
    ("inputs of text", lambda: net().predict(np.array([["a", "b", "c"]])),
     TypeError, "out_input", "numbers", "'a'"),
    ("None among the numbers", lambda: net().predict([[1, 2, None]]),
     ValueError, "out_input", "None among the numbers", "fill in or drop"),
    ("sequences of different lengths", lambda: net().predict([[1, 2, 3], [1, 2]]),
     ValueError, "out_input", "same shape", "padded"),
    ("numbers an integer input cannot hold",
     lambda: Model(a := x(1, dtype="uint8", name="pixel"), Flatten()(a)).predict([[300]]),
     ValueError, "pixel takes uint8", "255", "300"),
    ("targets of another width", lambda: fit(X, np.zeros((8, 5))),
     ValueError, "net: target", "out", "(None, 2)", "(8, 5)"),
    ("fewer targets than inputs", lambda: fit(X, Y[:7]),
     ValueError, "net", "same number of samples", "[8] in x", "[7] in y"),
    ("no targets", lambda: fit(X, None), ValueError, "net", "no targets", "out", "as y"),
    ("no samples", lambda: net().train_on_batch(X[:0], Y[:0]), ValueError, "net", "no samples", "0 rows"),
    ("a misspelt key of an input", lambda: twin().fit({"left": LEFT, "rihgt": RIGHT}, [P, Q]),
     ValueError, "twin", '"right"', "'rihgt'"),
    ("a misspelt key of a target", lambda: twin().fit([LEFT, RIGHT], {"p": P, "z": Q}),
     ValueError, "target", '"q"', "'z'"),
    ("one array for two inputs", lambda: twin().fit([LEFT], [P, Q]),
     ValueError, "expected 2", "'left', 'right'", "got 1", "(8, 3)"),
    ("samples in a list instead of an array", lambda: net().predict([np.ones(3)] * 5),
     ValueError, "got 5", "np.array"),
    ("a tensor in place of data", lambda: net().predict(x(3)),
     TypeError, "out_input", "symbolic", "Input(tensor=...)"),
    ("class numbers for one-hot targets", lambda: classifier("categorical_crossentropy", CLASSES),
     ValueError, "probs", "(None, 4)", "(8, 1)", "to_categorical", "sparse_categorical_crossentropy"),
    ("one-hot targets for class numbers", lambda: classifier("sparse_categorical_crossentropy", np.eye(4)[CLASSES]),
     ValueError, "probs", "(8, 4)", "categorical_crossentropy", "argmax"),
    ("a class beyond the last", lambda: classifier("sparse_categorical_crossentropy", CLASSES + 1),
     ValueError, "probs", "class number 4", "4 classes", "from 0"),
    ("a class beyond the last, one-hot", lambda: to_categorical([0, 5], num_classes=3),
     IndexError, "class number 5", "num_classes=3"),
    ("an index beyond the vocabulary", lambda: Sequential([Embedding(10, 4, name="words")]).predict([[1, 10]]),
     IndexError, "words", "index 10", "10 rows"),
    ("a negative index", lambda: Sequential([Embedding(10, 4, name="words")]).predict([[1, -1]]),
     IndexError, "words", "index -1"),
    # weights of samples and classes
    ("sample weights of another rank", lambda: fit(sample_weight=np.ones((8, 2))),
     ValueError, "out", "(8, 2)", "(samples,)", "temporal"),
    ("fewer sample weights than samples", lambda: fit(sample_weight=np.ones(7)),
     ValueError, "out", "(7,)", "(8,)"),
    ("a NaN among the sample weights", lambda: fit(sample_weight=np.full(8, np.nan)),
     ValueError, "out", "sample_weight", "nan"),
    ("temporal weights without time",
     lambda: steps(sample_weight_mode="temporal").fit(np.ones((8, 4, 3)), np.ones((8, 4, 2)), sample_weight=np.ones(8)),
     ValueError, "steps", "(8,)", "(samples, time steps)"),
    ("a sample_weight_mode that is none", lambda: net(sample_weight_mode="time"),
     ValueError, "out", "'temporal'", "'time'"),
    ("a class without a weight", lambda: fit(y=np.eye(2)[CLASSES % 2], class_weight={0: 1.0}),
     ValueError, "out", "[1] are missing", "[0]"),
    ("class weights in a list", lambda: fit(y=np.eye(2)[CLASSES % 2], class_weight=[1.0, 2.0]),
     TypeError, "out", "dict from class to weight", "[1.0, 2.0]"),
    # compile
    ("fit without compile", lambda: Sequential([Dense(2, input_shape=(3,))], name="net").fit(X, Y),
     RuntimeError, "net must be compiled", "model.compile(optimizer, loss)"),
    ("a misspelt loss", lambda: net("binary_cross_entropy"),
     UnknownName, "loss function", "binary_cross_entropy", "binary_crossentropy"),
    ("a misspelt metric", lambda: net(metrics=["acurracy"]),
     UnknownName, "metric function", "acurracy", "'accuracy'"),
    ("a misspelt optimizer", lambda: net().compile("adm", "mse"), UnknownName, "optimizer", "'adm'", "Adam"),
    ("optimizer and loss exchanged", lambda: net().compile("mse", "adam"),
     UnknownName, "Unknown optimizer: 'mse'", "is a loss", "compile(optimizer, loss)"),
    ("a misspelt argument of compile", lambda: net(metric=["mae"]),
     TypeError, "compile()", "'metric'", "Did you mean metrics?"),
    ("a metric without its list", lambda: net(metrics="acc"),
     TypeError, "metrics is a list", "metrics=['acc']"),
    ("metrics for each output in a list", lambda: twin().compile("sgd", "mse", metrics=[["mae"], ["acc"]]),
     TypeError, "metrics", "dict by output name", "{'p': [...], ...}", "[['mae'], ['acc']]"),
    ("a loss for an output that does not exist", lambda: net({"ouput": "mse"}),
     ValueError, "loss dictionary", "'ouput'", "['out']"),
    ("two losses for one output", lambda: net(["mse", "mae"]),
     ValueError, "loss", "1 outputs ['out']", "['mse', 'mae']"),
    ("no loss at all", lambda: net(None), ValueError, "net has no loss", "['out']", "add_loss"),
    ("a loss in NumPy", lambda: net(lambda t, p: np.mean(np.square(t - p))),
     TypeError, "NumPy was given", "lamina.backend (K)"),
    ("a loss that forgets to return", lambda: net(lambda t, p: None),
     TypeError, "out", "must answer a tensor", "None"),
    ("a loss without a gradient", lambda: net(lambda t, p: K.cast(K.argmax(p), "float32")).fit(X, Y),
     ValueError, "out/kernel", "no gradient", "trainable=False"),
    ("the learning rate of later Keras", lambda: optimizers.SGD(learning_rate=0.1),
     TypeError, "learning_rate", "SGD takes lr, momentum"),
    ("a learning rate that is no number", lambda: optimizers.Adam(lr=np.nan),
     ValueError, "Adam: lr", "finite", "nan"),
    ("layers added after compile", lambda: (model := net(), model.add(Dense(1)), model.fit(X, P)),
     RuntimeError, "net", "compile() again"),
    # fit, evaluate, predict
    ("a batch size of 0", lambda: fit(batch_size=0), ValueError, "batch_size", "at least 1", "0"),
    ("half an epoch", lambda: fit(epochs=2.5), TypeError, "epochs is a whole number", "2.5"),
    ("a misspelt argument", lambda: fit(batchsize=4), TypeError, "fit()", "batchsize", "Did you mean batch_size?"),
    ("a validation split in percent", lambda: fit(validation_split=20),
     ValueError, "validation_split", "0 <= f < 1", "20", "write 0.2"),
    ("validation data without targets", lambda: fit(validation_data=X),
     ValueError, "validation_data", "(x_val, y_val)", "(8, 3)"),
    ("a shuffle that is none", lambda: fit(shuffle="epoch"), ValueError, "'batch'", "'epoch'"),
    ("a callback without its list", lambda: fit(callbacks=Callback()), TypeError, "callbacks is a list"),
    ("the class of a callback", lambda: fit(callbacks=[Callback]), TypeError, "no Callback", "Callback(...)"),
    ("a function for a callback", lambda: fit(callbacks=[print]),
     TypeError, "no Callback", "LambdaCallback(on_epoch_end=...)"),
    ("a patience where the monitor belongs", lambda: EarlyStopping(3),
     TypeError, "EarlyStopping", "'val_loss'", "monitor=3"),
    ("a rate in place of a schedule", lambda: LearningRateScheduler(0.1),
     TypeError, "LearningRateScheduler", "function of the epoch", "0.1", "lambda epoch"),
    ("a rate of whole numbers", lambda: fit(callbacks=[LearningRateScheduler(lambda epoch: 1)]),
     ValueError, '"schedule"', "float", "1"),
    ("a rate that would grow", lambda: ReduceLROnPlateau(factor=10),
     ValueError, "ReduceLROnPlateau", "factor", "multiplied", "10"),
    ("a misspelt event", lambda: LambdaCallback(on_epoch_ends=print),
     TypeError, "LambdaCallback", "on_epoch_ends", "on_epoch_end,"),
    ("a checkpoint in no folder", lambda: fit(callbacks=[ModelCheckpoint("nowhere/m.h5")]),
     FileNotFoundError, "ModelCheckpoint", "nowhere", "create it first"),
    ("a checkpoint named after what is not logged", lambda: fit(callbacks=[ModelCheckpoint("{val_loss}.h5")]),
     KeyError, "ModelCheckpoint", "{val_loss}.h5", "'val_loss'", "epoch, loss"),
    ("histograms without validation data", lambda: fit(callbacks=[TensorBoard("logs", histogram_freq=1)]),
     ValueError, "histograms", "validation_data"),
    ("a generator given to fit", lambda: net().fit(batches((X, Y))), ValueError, "fit()", "fit_generator()"),
    ("an array given to fit_generator", lambda: net().fit_generator(X, 2),
     TypeError, "fit_generator()", "ndarray", "for arrays call fit()"),
    ("the function that makes a generator", lambda: net().fit_generator(batches, 2),
     TypeError, "fit_generator()", "function", "call it"),
    ("no steps at all", lambda: net().fit_generator(batches((X, Y)), 0),
     ValueError, "steps_per_epoch", "at least 1", "0"),
    ("steps of text", lambda: net().predict_generator(batches(X), "1"), TypeError, "steps", "number", "'1'"),
    ("a batch size beside steps", lambda: fit(steps_per_epoch=3, batch_size=4),
     ValueError, "net", "steps_per_epoch=3", "batch_size=4", "leave one of them out"),
    ("a generator that ends early", lambda: net().fit_generator(batches((X, Y), (X, Y)), 5, verbose=0),
     ValueError, "2 of 5", "while True"),
    ("a generator without targets", lambda: net().fit_generator(batches(X), 1, verbose=0),
     ValueError, "(x, y)", "Output of generator", "float64 array of shape (8, 3)"),
    ("a generator without a number of steps", lambda: net().fit_generator(batches((X, Y))),
     ValueError, "steps_per_epoch", "Sequence"),
    ("state without a batch size", lambda: LSTM(2, stateful=True, name="memory")(x(4, 3)),
     ValueError, "memory", "batch size", "batch_shape"),
    ("another batch size than the state's",
     lambda: Sequential([LSTM(2, stateful=True, batch_input_shape=(4, 5, 3))], name="net").predict(np.ones((10, 5, 3))),
     ValueError, "net", "multiple of the batch size", "10 samples", "batch_size=4"),
    # building models
    ("an array given to a layer", lambda: Dense(2, name="d")(X),
     ValueError, "Layer d", "symbolic tensor", "ndarray", "predict or fit"),
    ("two arguments for a merge", lambda: Add(name="sum")(x(3), x(3)),
     TypeError, "Layer sum", "2 arguments", "list"),
    ("a flat input to a convolution", lambda: Conv2D(2, 3, name="c")(x(28, 28)),
     ValueError, "layer c", "ndim=4", "ndim=3", "(None, 28, 28)", "Reshape", "np.expand_dims"),
    ("a class added to a Sequential", lambda: Sequential([Dense]),
     TypeError, "instance of class Layer", "Dense(...)"),
    ("a tensor added to a Sequential", lambda: Sequential([x(3), Dense(2)]),
     TypeError, "instance of class Layer", "the layer that makes this tensor"),
    ("a function added to a Sequential", lambda: Sequential([Dense(2), K.relu]),
     TypeError, "instance of class Layer", "Lambda(function)"),
    ("a Sequential of one bare layer", lambda: Sequential(Dense(2)),
     TypeError, "list of layers", "Sequential([...])"),
    ("the same layer added twice", lambda: (again := Dense(3, name="again"), Sequential([again, again])),
     ValueError, "'again' is used twice", "name="),
    ("two layers of one name", lambda: Model(a := x(3), Dense(2, name="same")(Dense(2, name="same")(a))),
     ValueError, "'same' is used 2 times", "name="),
    ("an input left out", lambda: Model(a := x(3, name="a"), Add()([a, x(3, name="b")])),
     ValueError, "Graph disconnected", "b", "inputs"),
    ("a backend function between layers", lambda: Model(a := x(3), Dense(2, name="d")(K.square(a))),
     ValueError, "Graph disconnected", "'d'", "Lambda"),
    ("a backend function as the output", lambda: Model(a := x(3), K.relu(a)),
     ValueError, "output of a layer", "Lambda"),
    ("a model that begins in the middle", lambda: (h := Dense(2, name="h")(x(3)), Model(h, Dense(1)(h))),
     ValueError, "Input", "layer h", "(2,)"),
    ("a model without outputs", lambda: Model(x(3)),
     TypeError, "Model needs outputs", "Model(inputs=x, outputs=y)"),
    ("a mask where nobody expects one",
     lambda: Sequential([Masking(input_shape=(4, 3)), LocallyConnected1D(2, 3, name="local")]),
     TypeError, "Layer local", "does not support masking", "supports_masking"),
    ("the output of a layer called twice", lambda: (d := Dense(2, name="d"), d(x(3)), d(x(3)), d.output),
     AttributeError, "Layer d has multiple inbound nodes", "get_output_at(node_index)"),
    ("a layer that does not exist", lambda: net().get_layer("outt"), ValueError, "outt", "net", "['out']"),
    ("a number where get_layer wants a name", lambda: net().get_layer(0), ValueError, "get_layer(index=0)"),
    ("a misspelt layer", lambda: lamina.layers.Desne, UnknownName, "layer", "Desne", "Dense"),
    ("the summary of a model not built", lambda: Sequential([Dense(2)], name="net").summary(),
     ValueError, "net", "weights have not yet been created", "input_shape"),
    ("a Sequential without layers", lambda: Sequential(name="net").predict(X),
     ValueError, "net has no layers", "add"),
    # arguments of layers
    ("a shape that is a number", lambda: Input(3), TypeError, "shape", "3", "(3,)"),
    ("a negative size", lambda: Input((-1,), name="a"), ValueError, "Input a", "None where unknown", "(-1,)"),
    ("a misspelt dtype", lambda: Input((3,), dtype="flaot32", name="a"),
     TypeError, "Input a", "'float32'", "'flaot32'"),
    ("negative units", lambda: Dense(-3, name="d"), ValueError, "d: units", "positive", "-3"),
    ("half a unit", lambda: Dense(2.5, name="d"), ValueError, "d: units", "whole", "2.5"),
    ("more units than memory holds", lambda: Dense(2**31 - 1, name="d")(x(10**6)),
     MemoryError, "layer d", "(1000000, 2147483647)", "PiB"),
    ("units of text", lambda: Dense("10", name="d"), TypeError, "d: units", "number", "'10'"),
    ("a misspelt keyword", lambda: Dense(3, activaton="relu"),
     TypeError, "activaton", "Did you mean activation?"),
    ("a misspelt activation", lambda: Dense(3, activation="rleu"),
     UnknownName, "activation function", "'rleu'", "relu"),
    ("a misspelt initializer", lambda: Dense(3, kernel_initializer="glorot_unifrom"),
     UnknownName, "initializer", "glorot_uniform"),
    ("an activation that is a number", lambda: Activation(3), ValueError, "activation function", "3", "a name"),
    ("a width that is not known", lambda: Dense(2, name="d")(x(None)),
     ValueError, "d", "(None, None)", "input_shape"),
    ("another width than before", lambda: (d := Dense(2, name="d"), d(x(3)), d(x(4))),
     ValueError, "layer d", "value 3", "(None, 4)"),
    ("a misspelt padding", lambda: Conv2D(2, 3, padding="smae", name="c"),
     ValueError, "c: padding", "'same'", "'smae'"),
    ("a window larger than the image", lambda: Conv2D(2, 5, name="c")(x(4, 4, 1)),
     ValueError, "c", "spans 5", "has 4", "padding='same'"),
    ("an axis that is none", lambda: BatchNormalization(axis=4, name="norm")(x(3)),
     ValueError, "norm", "axis=4", "(None, 3)"),
    ("a softmax along no axis", lambda: Softmax(axis=5, name="s")(x(3)),
     ValueError, "s: axis=5", "(None, 3)"),
    ("slopes shared along no axis", lambda: PReLU(shared_axes=[-1], name="p")(x(3)),
     ValueError, "p: shared_axes=[-1]", "(None, 3)"),
    ("a Reshape that does not fit", lambda: Reshape((5, 2), name="r")(x(3, 4)),
     ValueError, "r", "12 elements", "(5, 2)"),
    ("a Reshape that does not fit the data",
     lambda: Model(a := x(None, 4), Reshape((5, 2), name="r")(a)).predict(np.ones((1, 3, 4))),
     ValueError, "r:", "12 elements", "5, 2"),
    ("axes that are no permutation", lambda: Permute((1, 3), name="p")(x(3, 4)),
     ValueError, "p: dims=(1, 3)", "counted from 1"),
    ("a Flatten of unknown size", lambda: Flatten(name="f")(x(None, 3)),
     ValueError, '"f"', "(None, 3)", "input_shape"),
    ("half a repetition", lambda: RepeatVector(2.5, name="r"), ValueError, "r: n", "whole", "2.5"),
    ("a rate in percent", lambda: Dropout(50, name="drop"), ValueError, "drop: rate", "at least 0 and at most 1", "50"),
    ("a noise shape that does not fit", lambda: Dropout(0.5, noise_shape=(None, 7), name="drop")(x(3)),
     ValueError, "drop: noise_shape=(None, 7)", "(None, 3)"),
    ("a sum of different shapes", lambda: Add(name="sum")([x(3), x(4)]),
     ValueError, "sum", "(None, 3)", "(None, 4)"),
    ("a concatenation of different shapes", lambda: Concatenate(axis=1, name="cat")([x(3, 4), x(3, 5)]),
     ValueError, "cat", "(None, 3, 4)", "(None, 3, 5)"),
    ("a concatenation along no axis", lambda: Concatenate(axis=4, name="cat")([x(3), x(3)]),
     ValueError, "cat", "axis=4", "2 axes"),
    ("a product of different sizes", lambda: Dot(axes=1, name="dot")([x(3), x(4)]),
     ValueError, "dot", "3 != 4", "axes=1"),
    ("sequences of another length", lambda: Embedding(9, 2, input_length=5, name="words")(x(6)),
     ValueError, "words", "input_length", "5", "(None, 6)"),
    # layers of one's own
    ("a layer that forgets super().__init__", lambda: type("Mine", (Layer,), {"__init__": lambda self: None})()(x(3)),
     RuntimeError, "Mine", "super().__init__(**kwargs)"),
    ("a call that forgets to return", lambda: layer(lambda t: None)(x(3)),
     TypeError, "Layer mine", "Mine.call answered None", "tensor"),
    ("a call with NumPy", lambda: layer(np.tanh)(x(3)), TypeError, "NumPy was given", "lamina.backend (K)"),
    ("a call that branches on a tensor", lambda: layer(lambda t: t if K.sum(t) > 0 else -t)(x(3)),
     TypeError, "no truth value", "K.switch"),
    ("a call whose product does not fit", lambda: layer(lambda t: K.dot(t, K.ones((7, 2))))(x(3)),
     ValueError, "mine: matmul", "(None, 3)", "(7, 2)"),
    ("an output shape that is not so",
     lambda: layer(lambda t: t, compute_output_shape=lambda self, shape: (None, 9))(x(3)),
     ValueError, "Layer mine", "promises (None, 9)", "makes (None, 3)"),
    ("a weight of unknown size",
     lambda: layer(lambda t: t, build=lambda self, shape: self.add_weight("k", shape[1:]))(x(None)),
     ValueError, "Layer mine", "'k'", "(None,)", "fixed size"),
    ("a regularizer that forgets to return", lambda: Dense(2, kernel_regularizer=lambda w: None, name="d")(x(3)),
     TypeError, "'kernel' of layer d", "scalar"),
    ("an argument a layer does not keep", lambda: Forgetful(3, name="mine").get_config(),
     NotImplementedError, "mine (Forgetful)", "self.size = size"),
    ("a Lambda that makes one row of all",
     lambda: Sequential([Lambda(lambda t: K.sum(t, axis=0), input_shape=(3,), name="l")]).predict(X),
     ValueError, "l has shape (3,)", "8 samples", "the batch"),
    # tensors are not arrays
    ("the truth of a tensor", lambda: bool(x(3)), TypeError, "no truth value", "K.eval"),
    ("the length of a tensor", lambda: len(x(3)), TypeError, "len()", "K.int_shape"),
    ("a loop over a batch", lambda: list(x(3)), TypeError, "iterate", "K.map_fn"),
    ("an array of a tensor", lambda: np.array(x(3)), TypeError, "NumPy was given", "K.eval"),
    ("a number of a tensor", lambda: float(K.constant(1.0)), TypeError, "no number", "K.eval"),
    ("the value of a placeholder", lambda: K.eval(K.placeholder((2,), name="p")),
     ValueError, "p", "no value", "feed_dict"),
    ("a placeholder without a shape", lambda: K.placeholder(), ValueError, "shape", "ndim"),
    ("a placeholder of size 5", lambda: K.placeholder(5), TypeError, "tuple of sizes", "5"),
    ("a variable of nothing", lambda: K.variable(None), TypeError, "variable", "None"),
    ("a function of one array for two inputs",
     lambda: K.function([K.placeholder((2,)), K.placeholder((2,))], [])([X]),
     ValueError, "takes 2 arrays", "1"),
    ("a function without its input", lambda: K.function([], [K.placeholder((2,), name="b") * 2])([]),
     ValueError, "b", "add it to the inputs"),
    ("a function of an array of another shape",
     lambda: K.function([K.placeholder((None, 3), name="b")], [])([np.ones((2, 4))]),
     ValueError, "input b", "(None, 3)", "(2, 4)"),
    # weights and files
    ("too few weights", lambda: net().set_weights([np.ones((3, 2))]),
     ValueError, '"net"', "list of 1", "2 weights", "out/bias:0 (2,)"),
    ("weights of another shape", lambda: net().set_weights([np.ones((3, 3)), np.ones(2)]),
     ValueError, "out/kernel:0", '"net"', "(3, 2)", "(3, 3)"),
    ("weights of a layer not built", lambda: Dense(2, name="d").set_weights([np.ones((3, 2)), np.ones(2)]),
     ValueError, '"d"', "no weights", "call it on a tensor first"),
    ("a file name in place of weights", lambda: net().set_weights("w.h5"),
     TypeError, '"net"', "list of arrays", "'w.h5'"),
    ("weights of another architecture",
     lambda: Sequential([Dense(5, input_shape=(3,), name="big")]).load_weights(weights_of(net())),
     ValueError, "'big'", "(3, 5)", "(3, 2)", "w.h5"),
    ("weights of fewer layers",
     lambda: Sequential([Dense(2, input_shape=(3,)), Dense(2)]).load_weights(weights_of(net())),
     ValueError, "1 layers", "2 layers", "by_name=True", "w.h5"),
    ("weights for a model not built", lambda: Sequential([Dense(2, name="d")]).load_weights(weights_of(net())),
     ValueError, "not built yet: d", "input_shape"),
    ("a file that is not there", lambda: load_model("nowhere.h5"), FileNotFoundError, "nowhere.h5"),
    ("a file of weights taken for a model", lambda: load_model(weights_of(net())),
     DamagedFile, "No model found in w.h5", "load_weights"),
    ("a file of something else", lambda: load_model(__file__),
     DamagedFile, "test_user_mistakes.py", "no HDF5 file"),
    ("a file cut short", lambda: load_model(truncated(saved())), DamagedFile, "m.h5", "restore"),
    ("a layer the file may not name", lambda: load_model(saved(Sequential([Mine(input_shape=(3,))]))),
     UnknownName, "'Mine'", "custom_objects={'Mine': ...}"),
    ("a Lambda in a file", lambda: load_model(saved(Sequential([Lambda(lambda t: t * 2, name="l", input_shape=(3,))]))),
     UnsafeFile, "'l'", "bytecode", "custom_objects={'l': fn}", "safe_mode=False"),
    ("a loss the file may not name", lambda: load_model(saved(net(my_loss))),
     UnknownName, "'my_loss'", "custom_objects={'my_loss': ...}"),
    ("custom objects in a list", lambda: load_model(saved(), custom_objects=[Mine]),
     TypeError, "custom_objects is a dict", "Mine"),
    ("a file that exists already", lambda: (saved(), net().save("m.h5", overwrite=False)),
     FileExistsError, "m.h5 already exists", "another name"),
    ("a folder that does not exist", lambda: net().save("no/such/m.h5"),
     FileNotFoundError, "no/such", "create it first"),
    ("a config in place of JSON", lambda: model_from_json(net().get_config()),
     TypeError, "text", "from_config"),
    ("JSON that is none", lambda: model_from_json("{not json"), DamagedFile, "no JSON", "line 1"),
    ("a clone of no model", lambda: clone_model("m.h5"), TypeError, "clone_model", "'m.h5'"),
]
# fmt: on


def my_loss(y_true, y_pred):
    return K.mean(K.square(y_true - y_pred), axis=-1)


@pytest.mark.filterwarnings("ignore:.*Lambda layers of functions without a name")
@pytest.mark.parametrize(
    ("mistake", "raises", "words"), [pytest.param(*row[1:3], row[3:], id=row[0]) for row in MISTAKES]
)
def test_a_mistake_is_answered_with_what_to_do(mistake, raises, words):
    with pytest.raises(raises) as caught:
        mistake()
    message = str(caught.value)
    assert [word for word in words if word not in message] == [], message
    assert len(message) < 1000


# ---- what a mistake leaves as it was


def same(before, after):
    return len(before) == len(after) and all(map(np.array_equal, before, after))


def test_weights_are_set_all_or_none():
    model = net()
    before = model.get_weights()
    for second in (np.ones(3), ["a", "b"]):
        with pytest.raises(ValueError, match="out/bias:0"):
            model.set_weights([before[0] + 1, second])
    with pytest.raises(TypeError, match="a variable"):
        K.batch_set_value([(model.weights[0], before[0] + 1), (model.input, before[1])])
    assert same(before, model.get_weights())


def test_weights_are_loaded_all_or_none():
    name = weights_of(Sequential([Dense(4, input_shape=(3,)), Dense(2)]))
    model = Sequential([Dense(4, input_shape=(3,)), Dense(5)])
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"\(4, 5\).*\(4, 2\)"):
        model.load_weights(name)
    assert same(before, model.get_weights())


def test_weights_loaded_for_nobody_are_said_to_be():
    name = weights_of(net())
    with pytest.warns(UserWarning, match="No layer has a namesake in w.h5.*'out'.*'other'"):
        Sequential([Dense(2, input_shape=(3,), name="other")]).load_weights(name, by_name=True)


def test_a_compile_that_fails_leaves_the_model_compiled():
    model = net()
    optimizer = model.optimizer
    with pytest.raises(UnknownName):
        model.compile("adam", "no_such_loss")
    with pytest.raises(UnknownName):
        model.compile("adam", "mae", metrics=["no_such_metric"])
    assert model.optimizer is optimizer and model.loss == "mse"
    assert np.isfinite(model.train_on_batch(X, Y))


def test_data_that_do_not_fit_leave_the_weights():
    model = net()
    before = model.get_weights()
    for wrong in ({"y": Y[:, :1]}, {"validation_data": (X, Y[:, :1])}, {"callbacks": [5]}):
        with pytest.raises((ValueError, TypeError)):
            model.fit(**{"x": X, "y": Y, "verbose": 0, **wrong})
    assert same(before, model.get_weights()) and model.history is None


def test_a_batch_that_fails_leaves_the_weights_of_the_one_before():
    words = np.ones((64, 1))
    words[40] = 99  # in the third batch of 16
    model = Sequential([Embedding(10, 2, input_length=1, name="words"), Flatten(), Dense(1)])
    twice = Sequential.from_config(model.get_config())
    twice.set_weights(model.get_weights())
    for each in (model, twice):
        each.compile("adam", "mse")
    with pytest.raises(IndexError, match="index 99"):
        model.fit(words, np.zeros(64), batch_size=16, shuffle=False, verbose=0)
    twice.fit(words[:32], np.zeros(32), batch_size=16, shuffle=False, verbose=0)
    assert same(twice.get_weights(), model.get_weights())
    assert same(twice.optimizer.get_weights(), model.optimizer.get_weights())
    model.fit(np.ones((64, 1)), np.zeros(64), verbose=0)


def test_a_layer_whose_build_fails_can_be_called_again():
    layer = Dense(2, weights=[np.ones((5, 2)), np.zeros(2)], name="d")
    with pytest.raises(ValueError, match=r"d/kernel:0.*\(3, 2\).*\(5, 2\)"):
        layer(x(3))
    assert not layer.built and layer.weights == []
    layer(x(5))
    np.testing.assert_array_equal(layer.get_weights()[0], np.ones((5, 2)))


def test_a_layer_that_does_not_fit_is_not_added():
    model = Sequential([Dense(4, input_shape=(3,), name="a")])
    with pytest.raises(ValueError, match="ndim=4"):
        model.add(Conv2D(2, 3))
    assert [layer.name for layer in model.layers] == ["a"]
    model.add(Dense(2))
    assert model.predict(X).shape == (8, 2)


def test_a_save_that_fails_leaves_the_old_file(folder):
    name = saved()
    with pytest.raises(NotImplementedError):
        Sequential([Forgetful(3, input_shape=(3,))]).save(name)
    load_model(name)
    assert [path.name for path in folder.iterdir()] == [name]
