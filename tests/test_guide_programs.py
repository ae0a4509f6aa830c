"""The programs of the Keras 2 guides, with `lamina` for `keras` and less data, and what the guides say of them."""

import numpy as np
import pytest

import lamina
from lamina import backend as K
from lamina import initializers, losses, metrics, optimizers, regularizers
from lamina.callbacks import Callback
from lamina.constraints import max_norm
from lamina.engine.topology import Layer
from lamina.layers import (
    LSTM,
    RNN,
    Activation,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    Lambda,
    Masking,
    MaxPooling2D,
    TimeDistributed,
)
from lamina.models import Model, Sequential, load_model, model_from_json
from lamina.optimizers import SGD
from lamina.utils import CustomObjectScope
from lamina.utils.np_utils import to_categorical


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.random.seed(0)


def vectors(*shape):
    return np.random.random(shape)


def labels(count, classes=2):
    return np.random.randint(classes, size=(count, 1))


# ---- the Sequential model


def test_a_multilayer_perceptron_for_softmax_classification(capsys):
    x_train, y_train = vectors(200, 20), to_categorical(labels(200, 10), num_classes=10)
    model = Sequential()
    model.add(Dense(64, activation="relu", input_dim=20))
    model.add(Dropout(0.5))
    model.add(Dense(64, activation="relu"))
    model.add(Dropout(0.5))
    model.add(Dense(10, activation="softmax"))
    sgd = SGD(lr=0.01, decay=1e-6, momentum=0.9, nesterov=True)
    model.compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=2, batch_size=128)
    assert "Epoch 2/2\n200/200 [==============================] - " in capsys.readouterr().out
    score = model.evaluate(x_train, y_train, batch_size=128, verbose=0)
    assert len(score) == 2 and model.metrics_names == ["loss", "acc"]
    assert model.count_params() == 20 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10
    assert model.predict_classes(x_train).shape == (200,)


def test_a_multilayer_perceptron_for_binary_classification():
    def mean_pred(y_true, y_pred):
        return K.mean(y_pred)

    model = Sequential()
    model.add(Dense(64, input_dim=20, activation="relu"))
    model.add(Dropout(0.5))
    model.add(Dense(1, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy", mean_pred])
    history = model.fit(
        vectors(200, 20), labels(200), epochs=2, batch_size=128, validation_split=0.1, verbose=0
    )
    assert sorted(history.history) == ["acc", "loss", "mean_pred", "val_acc", "val_loss", "val_mean_pred"]
    assert set(model.predict_classes(vectors(5, 20)).ravel()) <= {0, 1}


def test_a_convolutional_network_like_vgg():
    model = Sequential()
    model.add(Conv2D(8, (3, 3), activation="relu", input_shape=(20, 20, 3)))
    model.add(Conv2D(8, (3, 3), activation="relu"))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Dropout(0.25))
    model.add(Flatten())
    model.add(Dense(10, activation="softmax"))
    model.compile(
        loss="categorical_crossentropy", optimizer=SGD(lr=0.01, decay=1e-6, momentum=0.9, nesterov=True)
    )
    model.fit(vectors(20, 20, 20, 3), to_categorical(labels(20, 10), 10), batch_size=32, epochs=1, verbose=0)
    assert model.output_shape == (None, 10) and model.layers[4].output_shape == (None, 8 * 8 * 8)


def test_a_sequence_classified_by_an_lstm():
    model = Sequential()
    model.add(Embedding(100, output_dim=16))
    model.add(LSTM(8))
    model.add(Dropout(0.5))
    model.add(Dense(1, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
    model.fit(np.random.randint(100, size=(32, 9)), labels(32), batch_size=16, epochs=1, verbose=0)


def test_stacked_lstms_that_keep_their_state():
    model = Sequential()
    model.add(LSTM(4, return_sequences=True, stateful=True, batch_input_shape=(8, 5, 3)))
    model.add(LSTM(4, stateful=True))
    model.add(Dense(10, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
    x_train, y_train = vectors(24, 5, 3), vectors(24, 10)
    model.fit(
        x_train,
        y_train,
        batch_size=8,
        epochs=1,
        shuffle=False,
        validation_data=(x_train[:8], y_train[:8]),
        verbose=0,
    )
    model.reset_states()
    first, second = model.predict(x_train[:8]), model.predict(x_train[:8])
    model.layers[0].reset_states()
    model.layers[1].reset_states()
    assert (first != second).any() and (model.predict(x_train[:8]) == first).all()


def test_a_layer_is_taken_off():
    model = Sequential()
    model.add(Dense(32, activation="relu", input_dim=784))
    model.add(Dense(32, activation="relu"))
    assert len(model.layers) == 2
    model.pop()
    assert len(model.layers) == 1


# ---- the functional API


def test_a_model_is_called_like_a_layer():
    inputs = Input(shape=(784,))
    x = Dense(64, activation="relu")(inputs)
    predictions = Dense(10, activation="softmax")(x)
    model = Model(inputs=inputs, outputs=predictions)
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    model.fit(vectors(32, 784), to_categorical(labels(32, 10), 10), verbose=0)
    x = Input(shape=(784,))
    data = vectors(4, 784)
    assert (Model(x, model(x)).predict(data) == model.predict(data)).all()
    processed_sequences = TimeDistributed(model)(Input(shape=(20, 784)))
    assert K.int_shape(processed_sequences) == (None, 20, 10)


def test_several_inputs_and_outputs():
    main_input = Input(shape=(10,), dtype="int32", name="main_input")
    x = Embedding(output_dim=16, input_dim=100, input_length=10)(main_input)
    lstm_out = LSTM(8)(x)
    auxiliary_output = Dense(1, activation="sigmoid", name="aux_output")(lstm_out)
    auxiliary_input = Input(shape=(5,), name="aux_input")
    x = lamina.layers.concatenate([lstm_out, auxiliary_input])
    x = Dense(64, activation="relu")(x)
    main_output = Dense(1, activation="sigmoid", name="main_output")(x)
    model = Model(inputs=[main_input, auxiliary_input], outputs=[main_output, auxiliary_output])
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", loss_weights=[1.0, 0.2])
    headlines, additional, target = np.random.randint(1, 100, size=(32, 10)), vectors(32, 5), labels(32)
    model.fit([headlines, additional], [target, target], epochs=1, batch_size=32, verbose=0)
    model.compile(
        optimizer="rmsprop",
        loss={"main_output": "binary_crossentropy", "aux_output": "binary_crossentropy"},
        loss_weights={"main_output": 1.0, "aux_output": 0.2},
    )
    history = model.fit(
        {"main_input": headlines, "aux_input": additional},
        {"main_output": target, "aux_output": target},
        epochs=1,
        batch_size=32,
        verbose=0,
    ).history
    assert model.metrics_names == ["loss", "main_output_loss", "aux_output_loss"]
    total, main, auxiliary = (history[name][0] for name in model.metrics_names)
    assert total == pytest.approx(main + 0.2 * auxiliary, rel=1e-6)


def test_a_shared_layer_has_a_node_for_each_call():
    tweet_a, tweet_b = Input(shape=(14, 26)), Input(shape=(14, 26))
    shared_lstm = LSTM(8)
    encoded_a = shared_lstm(tweet_a)
    assert shared_lstm.output == encoded_a
    encoded_b = shared_lstm(tweet_b)
    with pytest.raises(AttributeError):
        shared_lstm.output  # noqa: B018
    assert shared_lstm.get_output_at(0) == encoded_a
    assert shared_lstm.get_output_at(1) == encoded_b
    merged_vector = lamina.layers.concatenate([encoded_a, encoded_b], axis=-1)
    predictions = Dense(1, activation="sigmoid")(merged_vector)
    model = Model(inputs=[tweet_a, tweet_b], outputs=predictions)
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    model.fit([vectors(16, 14, 26), vectors(16, 14, 26)], labels(16), epochs=1, verbose=0)


def test_a_layer_called_on_two_shapes_has_no_shape():
    conv = Conv2D(16, (3, 3), padding="same")
    conv(Input(shape=(32, 32, 3)))
    assert conv.input_shape == (None, 32, 32, 3)
    conv(Input(shape=(64, 64, 3)))
    with pytest.raises(AttributeError, match="multiple inbound nodes with different input shapes"):
        conv.input_shape  # noqa: B018
    assert conv.get_input_shape_at(0) == (None, 32, 32, 3)
    assert conv.get_input_shape_at(1) == (None, 64, 64, 3)


def test_an_inception_module_and_a_residual_connection():
    image = Input(shape=(256, 256, 3))
    tower_1 = Conv2D(64, (3, 3), padding="same", activation="relu")(Conv2D(64, (1, 1), padding="same")(image))
    tower_2 = Conv2D(64, (5, 5), padding="same", activation="relu")(Conv2D(64, (1, 1), padding="same")(image))
    tower_3 = MaxPooling2D((3, 3), strides=(1, 1), padding="same")(image)
    tower_3 = Conv2D(64, (1, 1), padding="same", activation="relu")(tower_3)
    output = lamina.layers.concatenate([tower_1, tower_2, tower_3], axis=1)
    assert K.int_shape(output) == (None, 768, 256, 64)
    y = Conv2D(3, (3, 3), padding="same")(image)
    assert K.int_shape(lamina.layers.add([image, y])) == (None, 256, 256, 3)


def test_a_model_that_sees_and_a_model_that_reads():
    vision_model = Sequential()
    vision_model.add(Conv2D(4, (3, 3), activation="relu", padding="same", input_shape=(12, 12, 3)))
    vision_model.add(MaxPooling2D((2, 2)))
    vision_model.add(Flatten())
    question_input = Input(shape=(10,), dtype="int32")
    encoded_question = LSTM(8)(Embedding(input_dim=100, output_dim=16, input_length=10)(question_input))
    question_encoder = Model(inputs=question_input, outputs=encoded_question)
    video_input = Input(shape=(5, 12, 12, 3))
    encoded_video = LSTM(8)(TimeDistributed(vision_model)(video_input))
    video_question_input = Input(shape=(10,), dtype="int32")
    merged = lamina.layers.concatenate([encoded_video, question_encoder(video_question_input)])
    output = Dense(1000, activation="softmax")(merged)
    video_qa_model = Model(inputs=[video_input, video_question_input], outputs=output)
    answer = video_qa_model.predict([vectors(2, 5, 12, 12, 3), np.ones((2, 10))])
    assert answer.shape == (2, 1000)
    again = Model.from_config(video_qa_model.get_config())
    again.set_weights(video_qa_model.get_weights())
    assert again.count_params() == video_qa_model.count_params()


# ---- questions often asked


def test_a_model_is_saved_and_loaded_whole():
    model = Sequential([Dense(4, input_dim=3), Dense(2)])
    model.compile("adam", "mse", metrics=["mae"])
    x = vectors(20, 3)
    model.fit(x, vectors(20, 2), verbose=0)
    before = model.predict(x)
    model.save("my_model.h5")
    json_string = model.to_json()
    model.save_weights("my_model_weights.h5")
    del model
    assert (load_model("my_model.h5").predict(x) == before).all()
    model = model_from_json(json_string)
    model.load_weights("my_model_weights.h5")
    assert (model.predict(x) == before).all()


def test_weights_are_loaded_by_name_where_the_model_differs():
    model = Sequential()
    model.add(Dense(2, input_dim=3, name="dense_1"))
    model.add(Dense(3, name="dense_2"))
    model.save_weights("weights.h5")
    kernel = model.get_weights()[0]
    model = Sequential()
    model.add(Dense(2, input_dim=3, name="dense_1"))
    model.add(Dense(10, name="new_dense"))
    model.load_weights("weights.h5", by_name=True)
    assert (model.get_weights()[0] == kernel).all()


class MyLayer(Layer):
    # As the guide writes it.
    def __init__(self, output_dim, **kwargs):
        self.output_dim = output_dim
        super(MyLayer, self).__init__(**kwargs)  # noqa: UP008

    def build(self, input_shape):
        # Create a trainable weight variable for this layer.
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[1], self.output_dim), initializer="uniform", trainable=True
        )
        super(MyLayer, self).build(input_shape)  # noqa: UP008

    def call(self, x):
        return K.dot(x, self.kernel)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.output_dim)


def test_a_layer_a_loss_and_a_metric_of_ones_own_survive_a_file():
    def my_loss(y_true, y_pred):
        return K.mean(K.square(y_true - y_pred), axis=-1)

    def my_metric(y_true, y_pred):
        return K.max(y_pred)

    model = Sequential([MyLayer(5, input_shape=(3,)), MyLayer(1)])
    model.compile("sgd", my_loss, metrics=[my_metric, "mae"])
    x, y = vectors(20, 3), vectors(20, 1)
    model.fit(x, y, verbose=0)
    model.save("my_model.h5")
    own = {"MyLayer": MyLayer, "my_loss": my_loss, "my_metric": my_metric}
    loaded = load_model("my_model.h5", custom_objects=own)
    with CustomObjectScope(own):
        again = load_model("my_model.h5")
    for other in (loaded, again):
        assert other.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    with pytest.raises(ValueError, match="Unknown layer: 'MyLayer'"):
        load_model("my_model.h5")


class MyLayers(Layer):
    # A layer of several inputs and outputs, as the guide writes it.
    def __init__(self, output_dim, **kwargs):
        self.output_dim = output_dim
        super(MyLayers, self).__init__(**kwargs)  # noqa: UP008

    def build(self, input_shape):
        assert isinstance(input_shape, list)
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[0][1], self.output_dim), initializer="uniform", trainable=True
        )
        super(MyLayers, self).build(input_shape)  # noqa: UP008

    def call(self, x):
        assert isinstance(x, list)
        a, b = x
        return [K.dot(a, self.kernel) + b, K.mean(b, axis=-1)]

    def compute_output_shape(self, input_shape):
        assert isinstance(input_shape, list)
        shape_a, shape_b = input_shape
        return [(shape_a[0], self.output_dim), shape_b[:-1]]


def test_a_layer_of_several_inputs_and_outputs_survives_a_file():
    a, b = Input((3,)), Input((4,))
    layer = MyLayers(4)
    outputs = layer([a, b])
    assert [K.int_shape(y) for y in outputs] == layer.output_shape == [(None, 4), (None,)]
    model = Model([a, b], outputs)
    model.compile("sgd", "mse")
    data = [vectors(5, 3), vectors(5, 4)]
    model.fit(data, [vectors(5, 4), vectors(5)], verbose=0)
    model.save("several.h5")
    for again in (load_model("several.h5", {"MyLayers": MyLayers}), clone_with(model, MyLayers=MyLayers)):
        for found, expected in zip(again.predict(data), model.predict(data), strict=True):
            assert (found == expected).all()


def clone_with(model, **custom_objects):
    clone = model_from_json(model.to_json(), custom_objects)
    clone.set_weights(model.get_weights())
    return clone


class Halves(Layer):
    # Two outputs, and of their masks the first alone.
    supports_masking = True

    def call(self, x, mask=None):
        return [x, x * 2]

    def compute_mask(self, x, mask=None):
        return [mask, None]

    def compute_output_shape(self, input_shape):
        return [input_shape, input_shape]


def test_every_output_has_a_mask_of_its_own():
    x = Input((4, 3))
    first, second = Halves()(Masking()(x))
    model = Model(x, [LSTM(2)(first), LSTM(2)(second), Conv1D(2, 2)(second)])
    with pytest.raises(TypeError, match="conv1d_.*does not support masking"):
        Conv1D(2, 2)(first)
    data = vectors(2, 4, 3)
    data[:, 2:] = 0
    masked, whole, _ = model.predict(data)
    lstm, other = model.layers[3:5]
    short = Input((2, 3))
    kept = LSTM(2, weights=lstm.get_weights())(short)
    np.testing.assert_allclose(Model(short, kept).predict(data[:, :2]), masked, rtol=1e-5)
    shown = Input((4, 3))
    np.testing.assert_allclose(
        Model(shown, LSTM(2, weights=other.get_weights())(shown)).predict(2 * data), whole, rtol=1e-5
    )
    for found, expected in zip(
        clone_with(model, Halves=Halves).predict(data), model.predict(data), strict=True
    ):
        assert (found == expected).all()


class MinimalRNNCell(Layer):
    # As the documentation of RNN writes it.
    def __init__(self, units, **kwargs):
        self.units = units
        self.state_size = units
        super(MinimalRNNCell, self).__init__(**kwargs)  # noqa: UP008

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units), initializer="uniform", name="kernel"
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, self.units), initializer="uniform", name="recurrent_kernel"
        )
        self.built = True

    def call(self, inputs, states):
        prev_output = states[0]
        h = K.dot(inputs, self.kernel)
        output = h + K.dot(prev_output, self.recurrent_kernel)
        return output, [output]


@pytest.mark.parametrize("many", [False, True])
def test_a_cell_of_ones_own_makes_a_recurrent_layer(many):
    cell = [MinimalRNNCell(32), MinimalRNNCell(64)] if many else MinimalRNNCell(32)
    x = Input((None, 5))
    layer = RNN(cell)
    model = Model(x, layer(x))
    data = vectors(2, 4, 5).astype("float32")
    found = model.predict(data)
    expected = data
    weights = layer.get_weights()
    for kernel, recurrent in zip(*[iter(weights)] * 2, strict=True):
        h, steps = 0, []
        for step in range(4):
            h = expected[:, step] @ kernel + (h @ recurrent if step else 0)
            steps.append(h)
        expected = np.stack(steps, axis=1)
    np.testing.assert_allclose(found, expected[:, -1], rtol=1e-4)
    assert (clone_with(model, MinimalRNNCell=MinimalRNNCell).predict(data) == found).all()


class Count(Layer):
    # A weight that is not trained, an update and a loss, all of them made in every call.
    def build(self, input_shape):
        self.seen = self.add_weight(name="seen", shape=(), initializer="zeros", trainable=False)
        super().build(input_shape)

    def call(self, x):
        self.add_update(K.update_add(self.seen, 1), x)
        self.add_loss(0.1 * K.sum(K.abs(x)), x)
        return x


@pytest.mark.parametrize("nested", [False, True])
def test_a_layer_keeps_count_and_has_a_loss_of_its_own(nested):
    count = Count()
    x = Input((3,))
    y = Sequential([count])(x) if nested else count(x)
    model = Model(x, Dense(2, kernel_initializer="zeros")(y))
    model.compile(SGD(lr=0.0), "mse")
    ones, zeros = np.ones((8, 3)), np.zeros((8, 2))
    assert model.fit(ones, zeros, batch_size=2, verbose=0).history["loss"] == [pytest.approx(0.6)]
    assert K.get_value(count.seen) == 4
    assert model.evaluate(ones, zeros, verbose=0) == pytest.approx(2.4)
    model.predict(ones)
    assert K.get_value(count.seen) == 4  # counted in training alone
    assert len(model.losses) == len(model.updates) == 1 and model.non_trainable_weights == [count.seen]


def test_lambdas_with_what_they_remember_survive_a_file():
    shift = 3.0

    def scaled(x, factor):
        return x * factor + shift

    def hadamard(pair):
        return pair[0] * pair[1]

    a, b = Input((4,)), Input((4,))
    y = Lambda(scaled, arguments={"factor": 2.0})(Lambda(hadamard, output_shape=(4,))([a, b]))
    model = Model([a, b], Lambda(lambda x: x - shift)(y))
    model.compile("sgd", "mse")
    data = [vectors(5, 4), vectors(5, 4)]
    np.testing.assert_allclose(model.predict(data), 2 * data[0] * data[1], rtol=1e-5, atol=1e-6)
    with pytest.warns(UserWarning, match="Lambda layers of functions without a name"):
        model.save("lambdas.h5")
    own = {"scaled": scaled, "hadamard": hadamard}
    with pytest.raises(ValueError, match="safe_mode=False"):
        load_model("lambdas.h5", own)  # one of them has no name, and is written as code
    again = load_model("lambdas.h5", own, safe_mode=False)
    assert (again.predict(data) == model.predict(data)).all()


def test_the_output_of_an_intermediate_layer():
    model = Sequential(
        [Dense(4, input_dim=3), Dropout(0.5), Dense(2, name="my_layer"), Dropout(0.5), Dense(1)]
    )
    x = vectors(5, 3)
    intermediate = Model(inputs=model.input, outputs=model.get_layer("my_layer").output).predict(x)
    get_3rd_layer_output = K.function([model.layers[0].input], [model.layers[2].output])
    assert (get_3rd_layer_output([x])[0] == intermediate).all()
    get_4th_layer_output = K.function([model.layers[0].input, K.learning_phase()], [model.layers[3].output])
    assert (get_4th_layer_output([x, 0])[0] == intermediate).all()
    assert (get_4th_layer_output([x, 1])[0] != intermediate).any()


@pytest.mark.filterwarnings("ignore:Discrepancy between trainable weights")
def test_a_frozen_layer_stays_frozen_in_the_model_compiled_with_it():
    x = Input(shape=(32,))
    layer = Dense(32)
    layer.trainable = False
    y = layer(x)
    frozen_model = Model(x, y)
    frozen_model.compile(optimizer="rmsprop", loss="mse")
    layer.trainable = True
    trainable_model = Model(x, y)
    trainable_model.compile(optimizer="rmsprop", loss="mse")
    data, target, before = vectors(64, 32), vectors(64, 32), layer.get_weights()[0]
    frozen_model.fit(data, target, verbose=0)
    assert (layer.get_weights()[0] == before).all()
    trainable_model.fit(data, target, verbose=0)
    assert (layer.get_weights()[0] != before).any()


# ---- parts


def test_a_lambda_does_not_change_what_it_was_given():
    def antirectifier(x):
        x -= K.mean(x, axis=1, keepdims=True)
        x = K.l2_normalize(x, axis=1)
        return K.concatenate([K.relu(x), K.relu(-x)], axis=1)

    def antirectifier_output_shape(input_shape):
        shape = list(input_shape)
        assert len(shape) == 2  # only valid for 2D tensors
        shape[-1] *= 2
        return tuple(shape)

    inputs = Input((3,))
    squared = Lambda(lambda x: x**2)(inputs)
    rectified = Lambda(antirectifier, output_shape=antirectifier_output_shape)(squared)
    data = vectors(2, 3).astype("float32")
    found, kept = Model(inputs, [rectified, squared]).predict(data)
    assert found.shape == (2, 6) and (kept == data**2).all()


def test_parts_by_name_by_object_and_by_function():
    def l1_reg(weight_matrix):
        return 0.01 * K.sum(K.abs(weight_matrix))

    def my_init(shape, dtype=None):
        return K.random_normal(shape, dtype=dtype)

    model = Sequential()
    model.add(Dense(8, kernel_initializer="uniform", input_shape=(10,)))
    model.add(Activation(K.tanh))
    model.add(Dense(8, kernel_regularizer=regularizers.l2(0.01), activity_regularizer=regularizers.l1(0.01)))
    model.add(Dense(8, kernel_regularizer=l1_reg, kernel_initializer=my_init, activation=K.tanh))
    model.add(
        Dense(8, kernel_initializer=initializers.random_normal(stddev=0.01), kernel_constraint=max_norm(2.0))
    )
    model.compile(
        loss=losses.mean_squared_error,
        optimizer=optimizers.SGD(lr=0.01, clipnorm=1.0),
        metrics=[metrics.mae, metrics.categorical_accuracy],
    )
    history = model.fit(vectors(40, 10), vectors(40, 8), verbose=0).history
    assert list(history) == ["loss", "mean_absolute_error", "categorical_accuracy"]


def test_weights_of_samples_of_time_steps_and_of_classes():
    model = Sequential([Dense(2, activation="softmax", input_shape=(3,))])
    model.compile("sgd", "categorical_crossentropy", weighted_metrics=["acc"])
    x, y = vectors(10, 3), to_categorical(labels(10), 2)
    double = model.test_on_batch(x, y, sample_weight=np.full(10, 2.0))
    assert double == pytest.approx([2 * value for value in model.test_on_batch(x, y)], rel=1e-6)
    by_class = model.train_on_batch(x, y, class_weight={0: 2.0, 1: 2.0})
    assert by_class == pytest.approx(double, rel=1e-6)
    model = Sequential([Dense(2, activation="softmax", input_shape=(4, 3))])
    model.compile("sgd", "categorical_crossentropy", sample_weight_mode="temporal")
    x, y = vectors(10, 4, 3), to_categorical(np.random.randint(2, size=(10, 4)), 2)
    first = model.test_on_batch(x, y, sample_weight=np.repeat([[1, 0, 0, 0]], 10, axis=0))
    alone = Sequential([Dense(2, activation="softmax", input_shape=(3,), weights=model.get_weights())])
    alone.compile("sgd", "categorical_crossentropy")
    assert first == pytest.approx(alone.test_on_batch(x[:, 0], y[:, 0]), rel=1e-6)


def test_a_callback_keeps_the_losses():
    class LossHistory(Callback):
        def on_train_begin(self, logs={}):  # noqa: B006  as the guide writes it
            self.losses = []

        def on_batch_end(self, batch, logs={}):  # noqa: B006
            self.losses.append(logs.get("loss"))

    model = Sequential()
    model.add(Dense(10, input_dim=20, kernel_initializer="uniform"))
    model.add(Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop")
    history = LossHistory()
    model.fit(
        vectors(300, 20),
        to_categorical(labels(300, 10), 10),
        batch_size=128,
        epochs=2,
        verbose=0,
        callbacks=[history],
    )
    assert len(history.losses) == 6
