"""Models that Lamina, tf_keras and Keras 3 all build from the same lines: what `exchange.py` has them swap.

A case is a function from a package's `layers` and `models` to a model; `case` says what its inputs are.
"""

import numpy as np

BATCH = 5
CASES = {}


def case(*inputs):
    """inputs: for each input of the model, its shape without the batch, or ("whole", below, shape) of whole numbers."""

    def named(build):
        CASES[build.__name__] = (
            build,
            [given if given[0] == "whole" else ("real", None, given) for given in inputs],
        )
        return build

    return named


def drawn(name):
    """The inputs of a case, the same for everybody."""
    rng = np.random.default_rng(len(name))
    found = []
    for kind, below, shape in CASES[name][1]:
        whole = kind == "whole"
        draw = rng.integers(0, below, (BATCH, *shape)) if whole else rng.normal(size=(BATCH, *shape))
        found.append(draw.astype("int32" if whole else "float32"))
    return found


def fill(model):
    """Weights that leave no symmetry for a mistake to hide in; positive where they may be variances."""
    rng = np.random.default_rng(7)
    model.set_weights(
        [
            rng.normal(0, 0.4, w.shape) if w.ndim > 1 else rng.uniform(0.2, 0.9, w.shape)
            for w in model.get_weights()
        ]
    )
    return model


# ---- one layer upon another


@case((7,))
def dense(L, M):
    return M.Sequential(
        [
            L.Dense(
                6, activation="relu", kernel_regularizer="l2", kernel_constraint="max_norm", input_shape=(7,)
            ),
            L.BatchNormalization(scale=False),
            L.Dropout(0.4),
            L.GaussianNoise(0.1),
            L.ActivityRegularization(l1=0.01),
            L.Dense(5, use_bias=False, kernel_initializer="he_normal"),
            L.Activation("tanh"),
            L.Dense(3, activation="softmax"),
        ]
    )


@case((4, 6))
def reshaped(L, M):
    return M.Sequential(
        [
            L.Permute((2, 1), input_shape=(4, 6)),
            L.Reshape((3, 8)),
            L.Dense(2),
            L.Flatten(),
            L.RepeatVector(3),
            L.SpatialDropout1D(0.2),
            L.GlobalMaxPooling1D(),
        ]
    )


@case((6,))
def activations(L, M):
    return M.Sequential(
        [
            L.Dense(6, input_shape=(6,)),
            L.PReLU(),
            L.Dense(6, activation="selu"),
            L.ELU(alpha=0.7),
            L.Dense(6, activation="softplus"),
            L.LeakyReLU(),
            L.Dense(6, activation="softsign"),
            L.ReLU(max_value=0.9),
            L.Dense(6, activation="elu"),
            L.Softmax(),
        ]
    )


# ---- images


@case((9, 8, 3))
def images(L, M):
    return M.Sequential(
        [
            L.Conv2D(4, 3, padding="same", activation="relu", input_shape=(9, 8, 3)),
            L.BatchNormalization(),
            L.MaxPooling2D(2, padding="same"),
            L.ZeroPadding2D(((1, 0), (2, 1))),
            L.Conv2D(5, (3, 2), strides=(1, 2), use_bias=False),
            L.UpSampling2D(2),
            L.Conv2D(3, 2, dilation_rate=2),
            L.Cropping2D(((0, 1), (1, 0))),
            L.AveragePooling2D((2, 1)),
            L.Flatten(),
            L.Dense(2),
        ]
    )


@case((8, 8, 3))
def separable(L, M):
    return M.Sequential(
        [
            L.SeparableConv2D(4, 3, depth_multiplier=2, padding="same", input_shape=(8, 8, 3)),
            L.DepthwiseConv2D(3, depth_multiplier=2, activation="tanh"),
            L.Conv2DTranspose(3, 3, strides=2, padding="same"),
            L.GlobalAveragePooling2D(),
        ]
    )


@case((12, 3))
def sequences(L, M):
    return M.Sequential(
        [
            L.Conv1D(4, 3, padding="causal", dilation_rate=2, input_shape=(12, 3)),
            L.SeparableConv1D(5, 3, strides=2),
            L.MaxPooling1D(2),
            L.UpSampling1D(2),
            L.Cropping1D(1),
            L.GlobalAveragePooling1D(),
        ]
    )


@case((5, 6, 5, 2))
def volumes(L, M):
    return M.Sequential(
        [
            L.Conv3D(3, 2, padding="same", input_shape=(5, 6, 5, 2)),
            L.AveragePooling3D(2),
            L.Conv3DTranspose(2, 2, strides=2),
            L.GlobalMaxPooling3D(),
        ]
    )


@case((6, 6, 2))
def local(L, M):
    return M.Sequential(
        [
            L.LocallyConnected2D(3, (2, 3), strides=(2, 1), input_shape=(6, 6, 2)),
            L.Reshape((3, 12)),
            L.LocallyConnected1D(2, 2),
            L.Flatten(),
        ]
    )


# ---- time


@case((6, 3))
def recurrent(L, M):
    return M.Sequential(
        [
            L.LSTM(4, recurrent_activation="sigmoid", return_sequences=True, input_shape=(6, 3)),
            L.GRU(5, recurrent_activation="sigmoid", reset_after=False, return_sequences=True),
            L.GRU(
                4, recurrent_activation="sigmoid", reset_after=True, return_sequences=True, go_backwards=True
            ),
            L.SimpleRNN(3, activation="relu", return_sequences=True),
            L.LSTM(3, recurrent_activation="sigmoid", use_bias=False, unroll=True),
        ]
    )


@case((6, 3))
def hard_sigmoid(L, M):
    return M.Sequential(
        [
            L.LSTM(4, recurrent_activation="hard_sigmoid", return_sequences=True, input_shape=(6, 3)),
            L.GRU(4, recurrent_activation="hard_sigmoid", reset_after=False),
        ]
    )


@case((6, 3))
def cells(L, M):
    stack = [
        L.LSTMCell(4, recurrent_activation="sigmoid"),
        L.GRUCell(3, recurrent_activation="sigmoid", reset_after=False),
        L.SimpleRNNCell(5),
    ]
    return M.Sequential(
        [
            L.RNN(stack, return_sequences=True, input_shape=(6, 3)),
            L.RNN(L.SimpleRNNCell(4)),
        ]
    )


@case((6, 3))
def both_ways(L, M):
    return M.Sequential(
        [
            L.Bidirectional(
                L.LSTM(4, recurrent_activation="sigmoid", return_sequences=True), input_shape=(6, 3)
            ),
            L.Bidirectional(
                L.GRU(3, recurrent_activation="sigmoid", reset_after=True, return_sequences=True),
                merge_mode="sum",
            ),
            L.Bidirectional(L.SimpleRNN(4), merge_mode="ave"),
        ]
    )


@case((4, 6, 6, 2))
def each_step(L, M):
    inner = M.Sequential([L.Conv2D(3, 3, input_shape=(6, 6, 2)), L.BatchNormalization(), L.Flatten()])
    return M.Sequential(
        [
            L.TimeDistributed(L.Conv2D(2, 3, padding="same"), input_shape=(4, 6, 6, 2)),
            L.TimeDistributed(inner),
            L.TimeDistributed(L.Dense(3, activation="tanh")),
        ]
    )


@case((3, 6, 6, 2))
def images_in_time(L, M):
    return M.Sequential(
        [
            L.ConvLSTM2D(
                3,
                3,
                padding="same",
                recurrent_activation="sigmoid",
                return_sequences=True,
                input_shape=(3, 6, 6, 2),
            ),
            L.ConvLSTM2D(2, 2, recurrent_activation="sigmoid"),
        ]
    )


@case((6, 3))
def cudnn(L, M):
    """By cuDNN's layers where there are any, else by those that compute the same and take their weights."""
    if hasattr(L, "CuDNNLSTM"):
        lstm, gru = L.CuDNNLSTM(4, return_sequences=True), L.CuDNNGRU(3)
    else:
        lstm = L.LSTM(4, recurrent_activation="sigmoid", return_sequences=True)
        gru = L.GRU(3, recurrent_activation="sigmoid", reset_after=True)
    x = L.Input((6, 3))
    return M.Model(x, L.Bidirectional(gru)(lstm(x)))


@case(("whole", 9, (7,)))
def words(L, M):
    return M.Sequential(
        [
            L.Embedding(9, 4, mask_zero=True, input_shape=(7,)),
            L.LSTM(5, recurrent_activation="sigmoid", return_sequences=True),
            L.GRU(3, recurrent_activation="sigmoid", reset_after=False),
        ]
    )


@case((7, 3))
def masked(L, M):
    return M.Sequential(
        [
            L.Masking(0.5, input_shape=(7, 3)),
            L.Bidirectional(L.LSTM(4, recurrent_activation="sigmoid", return_sequences=True)),
            L.TimeDistributed(L.Dense(3)),
            L.SimpleRNN(4),
        ]
    )


# ---- graphs


@case((6,), (6,))
def merged(L, M):
    a, b = L.Input((6,), name="a"), L.Input((6,), name="b")
    pairs = [a, b]
    found = [
        L.Add()(pairs),
        L.Subtract()(pairs),
        L.Multiply()(pairs),
        L.Average()(pairs),
        L.Maximum()(pairs),
        L.Minimum()(pairs),
        L.Concatenate()(pairs),
        L.Dot(axes=-1, normalize=True)(pairs),
    ]
    return M.Model(pairs, L.concatenate(found))


@case((5,), (5,))
def shared(L, M):
    """A layer at three places, two inputs, three outputs of which one is what the shared layer makes."""
    left, right = L.Input((5,), name="left"), L.Input((5,), name="right")
    both = L.Dense(5, activation="tanh", name="both")
    one, other = both(left), both(right)
    again = both(one)
    total = L.add([one, other, again], name="total")
    return M.Model([left, right], [L.Dense(2, name="main")(total), other, L.Dense(1, name="aside")(again)])


def core(L, M):
    x = L.Input((6,), name="core_input")
    return M.Model(x, L.BatchNormalization(name="norm")(L.Dense(6, name="inside")(x)), name="core")


@case((6,))
def model_in_model(L, M):
    """Called twice, with weights that are not trained at each level."""
    inner = core(L, M)
    outer = L.Input((6,), name="outer")
    frozen = L.Dense(6, name="frozen", trainable=False)
    return M.Model(outer, L.Dense(2, name="top")(inner(frozen(inner(outer)))), name="whole")


@case((6,))
def sequential_in_model(L, M):
    inner = M.Sequential([L.Dense(4, activation="tanh", name="inside", input_shape=(6,))], name="stack")
    outer = L.Input((6,), name="outer")
    return M.Model(outer, L.Dense(2, name="top")(inner(outer)), name="whole")


@case((6,))
def model_in_sequential(L, M):
    return M.Sequential([core(L, M), L.Dense(2)])


@case((6,))
def sequential_in_sequential(L, M):
    return M.Sequential([M.Sequential([L.Dense(4, input_shape=(6,))]), L.Dense(2)])


@case((6, 3), (4, 3))
def states(L, M):
    """An encoder whose last states a decoder begins with."""
    source, target = L.Input((6, 3), name="source"), L.Input((4, 3), name="target")
    encoder = L.LSTM(4, recurrent_activation="sigmoid", return_state=True, name="encoder")
    _, h, c = encoder(source)
    decoder = L.LSTM(4, recurrent_activation="sigmoid", return_sequences=True, name="decoder")
    return M.Model([source, target], L.Dense(2, name="top")(decoder(target, initial_state=[h, c])))


# ---- optimizers: class and arguments, in Keras 2's words

OPTIMIZERS = {
    "sgd": ("SGD", {"lr": 0.05}),
    "momentum": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "decay": 0.01}),
    "rmsprop": ("RMSprop", {"lr": 0.01, "rho": 0.8}),
    "adagrad": ("Adagrad", {"lr": 0.05}),
    "adadelta": ("Adadelta", {"lr": 1.0}),
    "adam": ("Adam", {"lr": 0.01, "decay": 0.01}),
    "amsgrad": ("Adam", {"lr": 0.01, "amsgrad": True}),
    "adamax": ("Adamax", {"lr": 0.01}),
    "nadam": ("Nadam", {"lr": 0.01}),
}
STEPS = 4  # updates before the file is written, and as many after it was read


def trainable(L, M):
    return M.Sequential([L.Dense(6, activation="tanh", input_shape=(5,)), L.Dense(2)])


def batches():
    rng = np.random.default_rng(11)
    x = rng.normal(size=(2 * STEPS, 16, 5)).astype("float32")
    return x, np.stack([x.sum(-1), x.prod(-1)], -1)
