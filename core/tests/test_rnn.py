"""Loops: `scan` and K.rnn, against the same steps written out one by one and against differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lamina import backend as K
from lamina import config
from lamina.evaluate import evaluate
from lamina.function import Function
from lamina.gradient import gradients
from lamina.ops.scan import scan
from lamina.plan.executor import Options
from lamina.tensor import Variable, scope

T, B, D, H = 5, 3, 4, 6


@pytest.fixture(autouse=True)
def float64():
    before = config.floatx()
    K.set_floatx("float64")
    yield
    K.clear_session()
    K.set_floatx(before)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def weights():
    return K.variable(0.5 * draw(D, H, seed=1)), K.variable(0.5 * draw(H, H, seed=2))


def run(inputs, outputs, arrays, phase=0):
    return K.function([*inputs, K.learning_phase()], outputs)([*arrays, phase])


def placeholders(**more):
    shapes = {"x": (None, None, D), "h": (None, H), "mask": (None, None)}
    return [K.placeholder(shape) for shape in (more or shapes).values()]


# ---- what a loop computes


def test_running_sums_are_a_loop():
    x = K.placeholder((None, 2))
    (sums,), (last,) = scan(lambda e, s: ([s[0] + e[0]], [s[0] + e[0]]), [x], [K.zeros((2,))])
    met = run([x], [sums, last], [[[1, 2], [3, 4], [5, 6]]])
    assert_allclose(met[0], [[1, 2], [4, 6], [9, 12]])
    assert_allclose(met[1], [9, 12])


def test_in_reverse_outputs_stay_where_they_were_made():
    x = K.placeholder((None,))
    (sums,), (last,) = scan(lambda e, s: ([s[0] + e[0]], [s[0] + e[0]]), [x], [K.constant(0.0)], reverse=True)
    met = run([x], [sums, last], [[1, 2, 3]])
    assert_allclose(met[0], [6, 5, 3])
    assert met[1] == 6


def test_states_may_change_places():
    x, a, b = K.placeholder((None,)), K.placeholder((2,)), K.placeholder((2,))
    _, last = scan(lambda e, s: ([], [s[1], s[0]]), [x], [a, b])
    for steps, expected in ((3, [[3, 4], [1, 2]]), (4, [[1, 2], [3, 4]])):
        assert_allclose(run([x, a, b], last, [np.zeros(steps), [1, 2], [3, 4]]), expected)


def test_a_state_may_count():
    x = K.placeholder((None, 1))
    (positions,), (count,) = scan(
        lambda e, s: ([K.cast(s[0], "float64") * e[0]], [s[0] + 1]), [x], [K.constant(0, "int32")]
    )
    assert count.dtype == "int32"
    met = run([x], [positions, count], [np.ones((3, 1))])
    assert_allclose(met[0], [[0], [1], [2]])
    assert met[1] == 3


def test_several_sequences_go_together():
    x, y = K.placeholder((None, None)), K.placeholder((None, None))
    (outputs,), _ = scan(lambda e, s: ([e[0] - e[1]], []), [x, y], axis=1)
    assert_allclose(
        run([x, y], [outputs], [draw(2, 3), draw(2, 3, seed=1)])[0], draw(2, 3) - draw(2, 3, seed=1)
    )


def test_a_step_may_use_sizes_from_outside():
    x = K.placeholder((None, None, 4))
    rows = K.shape(x)[0]
    (outputs,), _ = scan(lambda e, s: ([K.reshape(e[0], K.stack([rows, 2, 2]))], []), [x], axis=1)
    assert_allclose(run([x], [outputs], [draw(2, 3, 4)])[0], draw(2, 3, 4).reshape(2, 3, 2, 2))


def test_a_loop_within_a_loop():
    x, w = K.placeholder((None, None, 2)), K.variable([2.0, 3.0])

    def row(elements, states):
        (sums,), _ = scan(lambda e, s: ([s[0] + e[0] * w], [s[0] + e[0] * w]), elements, [states[0]])
        return [sums], [sums[-1]]

    (outputs,), (last,) = scan(row, [x], [K.zeros((2,))])
    found = run([x], [outputs, last, *gradients(K.sum(outputs * outputs), [w, x])], [draw(3, 4, 2)])
    expected = np.cumsum(draw(3, 4, 2).reshape(12, 2), 0) * [2, 3]
    assert_allclose(found[0], expected.reshape(3, 4, 2))
    assert_allclose(found[1], expected[-1])
    assert_allclose(found[2], (2 * expected * expected / [2, 3]).sum(0))


def test_variables_are_read_where_they_are():
    x, w = K.placeholder((None, 2)), Variable([1.0, 2.0])
    (outputs,), _ = scan(lambda e, s: ([e[0] * w], []), [x])
    f = K.function([x], [outputs])
    assert_allclose(f([np.ones((1, 2))])[0], [[1, 2]])
    w.assign([3.0, 4.0])
    assert_allclose(f([np.ones((1, 2))])[0], [[3, 4]])
    w.move(np.array([5.0, 6.0]))
    assert_allclose(f([np.ones((1, 2))])[0], [[5, 6]])


def test_what_is_used_from_outside_need_not_lie_in_order():
    x, w = K.placeholder((None, 1, 2)), K.variable(draw(3, 2))
    (outputs,), _ = scan(lambda e, s: ([K.reshape(K.dot(e[0], K.transpose(w)), (3,))], []), [x])
    turned = K.transpose(w)
    (again,), _ = scan(lambda e, s: ([K.reshape(K.dot(e[0], K.reshape(turned, (2, 3))), (3,))], []), [x])
    met = run([x], [outputs, again], [draw(4, 1, 2)])
    assert_allclose(met[0], draw(4, 1, 2)[:, 0] @ draw(3, 2).T)
    assert_allclose(met[1], met[0])


@pytest.mark.parametrize("off", ["rewrite", "fuse", "reuse", "kernels", "pack"])
def test_every_way_to_plan_gives_the_same(off, monkeypatch):
    monkeypatch.setattr(Options, off, False)
    x, h, mask = placeholders()
    w, u = weights()
    last, outputs, states = K.rnn(simple(w, u), x, [h], mask=mask)
    loss = K.sum(outputs * outputs) + K.sum(states[0])
    wanted = [last, outputs, *gradients(loss, [x, h, w, u])]
    arrays = [draw(B, T, D), draw(B, H), np.random.default_rng(3).integers(0, 2, (B, T))]
    plain = evaluate(wanted, dict(zip((x, h, mask), arrays, strict=True)))
    for met, expected in zip(run([x, h, mask], wanted, arrays), plain, strict=True):
        assert_allclose(met, expected, rtol=1e-12, atol=1e-12)


# ---- gradients


def simple(w, u):
    def step(x, states):
        h = K.tanh(K.dot(x, w) + K.dot(states[0], u))
        return h, [h]

    return step


def test_gradients_are_those_of_the_steps_written_out():
    x, h, mask = K.placeholder((B, T, D)), K.placeholder((B, H)), K.placeholder((B, T))
    w, u = weights()
    arrays = [draw(B, T, D), draw(B, H), np.random.default_rng(3).integers(0, 2, (B, T))]
    for backwards in (False, True):
        for given in (None, mask):
            found = []
            for unroll in (True, False):
                last, outputs, states = K.rnn(
                    simple(w, u), x, [h], go_backwards=backwards, mask=given, unroll=unroll
                )
                loss = (
                    K.sum(last * draw(B, H, seed=4))
                    + K.sum(outputs * draw(B, T, H, seed=5))
                    + K.sum(states[0])
                )
                first = gradients(loss, [x, h, w, u])
                second = gradients(sum(K.sum(K.square(g)) for g in first), [x, h, w, u])
                found.append(run([x, h, mask], [last, outputs, *states, *first, *second], arrays))
            for looped, written in zip(*found, strict=True):
                assert_allclose(looped, written, rtol=1e-10, atol=1e-12)


def test_one_thing_from_outside_may_be_made_of_another():
    x, w = K.placeholder((None, 2)), K.variable([1.0, 2.0])
    twice = w * 2.0
    (outputs,), _ = scan(lambda e, s: ([e[0] * w + twice], []), [x])
    (g,) = gradients(K.sum(outputs), [w])
    assert_allclose(run([x], [g], [np.ones((3, 2))])[0], [9, 9])


def test_totals_of_no_steps_are_zero():
    x, w = K.placeholder((None, 2)), K.variable([1.0, 2.0])
    (outputs,), _ = scan(lambda e, s: ([e[0] * w], []), [x])
    found = run([x], [outputs, *gradients(K.sum(outputs), [w, x])], [np.zeros((0, 2))])
    assert_array_equal(found[1], [0, 0])
    assert found[0].shape == found[2].shape == (0, 2)


def test_a_state_that_nothing_depends_on_has_no_gradient_through_it():
    x, a = K.placeholder((None, 2)), K.placeholder((2,))
    (outputs,), _ = scan(lambda e, s: ([K.stop_gradient(s[0]) * e[0]], [s[0] + e[0]]), [x], [a])
    found = run([x, a], gradients(K.sum(outputs), [x, a]), [np.ones((3, 2)), [1, 1]])
    assert_allclose(found[0], [[1, 1], [2, 2], [3, 3]])
    assert_allclose(found[1], [0, 0])


# ---- random numbers and the learning phase


def test_draws_are_made_at_every_step_and_kept_for_the_gradient():
    x, w = K.placeholder((B, T, D)), K.variable(draw(D))

    def step(x, states):
        output = x * w * K.random_uniform((B, D))
        return output, [output]

    _, outputs, _ = K.rnn(step, x, [K.zeros((B, D))])
    (g,) = gradients(K.sum(outputs), [w])
    f = K.function([x], [outputs, g])
    first, second = f([np.ones((B, T, D))]), f([np.ones((B, T, D))])
    for made, slope in (first, second, evaluate([outputs, g], {x: np.ones((B, T, D))})):
        assert_allclose(slope * draw(D), made.sum((0, 1)), rtol=1e-12)
        assert len(np.unique(made)) == made.size
    assert not np.allclose(first[0], second[0])


def test_what_the_first_call_makes_and_keeps_is_the_same_at_every_step():
    x = K.placeholder((None, None, 8))
    kept = []

    def step(x, states):
        if not kept:
            kept.append(K.in_train_phase(K.dropout(K.ones_like(x), 0.5), K.ones_like(x)))
        return x * kept[0], [states[0]]

    _, outputs, _ = K.rnn(step, x, [K.zeros((2, 8))])
    assert outputs._uses_learning_phase
    (trained,) = run([x], [outputs], [np.ones((2, 6, 8))], phase=1)
    assert_array_equal(trained, np.repeat(trained[:, :1], 6, axis=1))
    assert set(np.unique(trained)) == {0.0, 2.0}
    assert_array_equal(run([x], [outputs], [np.ones((2, 6, 8))])[0], np.ones((2, 6, 8)))
    # Over no steps there is nothing to look at, and nothing is needed.
    assert run([x], [outputs], [np.ones((2, 0, 8))], phase=1)[0].shape == (2, 0, 8)


def test_dropout_inside_a_loop_is_drawn_at_every_step_and_only_in_training():
    x = K.placeholder((None, None, 8))

    def step(x, states):
        return K.in_train_phase(K.dropout(x, 0.5), x), [states[0]]

    _, outputs, _ = K.rnn(step, x, [K.zeros((2, 8))])
    (g,) = gradients(K.sum(outputs), [x])
    made, slope = run([x], [outputs, g], [np.ones((2, 6, 8))], phase=1)
    assert not np.array_equal(made[:, 0], made[:, 1])
    assert_array_equal(made, slope)
    assert_array_equal(run([x], [outputs], [np.ones((2, 6, 8))])[0], np.ones((2, 6, 8)))


def test_draws_in_a_loop_within_a_loop_have_no_gradient():
    x, w = K.placeholder((2, 3, 4)), K.variable(1.0)

    def row(elements, _):
        (found,), _ = scan(lambda e, s: ([e[0] * w * K.random_uniform((4,))], []), elements)
        return [found], []

    (outputs,), _ = scan(row, [x])
    assert run([x], [outputs], [np.ones((2, 3, 4))])[0].shape == (2, 3, 4)
    with pytest.raises(NotImplementedError, match="inside another loop"):
        gradients(K.sum(outputs), [w])


def test_a_step_may_say_that_it_uses_the_learning_phase():
    def step(x, states):
        output = x + states[0]
        output._uses_learning_phase = True
        return output, [output]

    last, outputs, states = K.rnn(step, K.placeholder((2, 3, 4)), [K.zeros((2, 4))])
    assert last._uses_learning_phase and outputs._uses_learning_phase and states[0]._uses_learning_phase


# ---- K.rnn


def adding(x, states):
    return x + states[0], [x + states[0]]


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("ndim", [2, 3])
def test_skipped_steps_repeat_the_output_and_keep_the_states(unroll, ndim):
    x, state, mask = K.placeholder((None, 3, 1)), K.placeholder((None, 1)), K.placeholder((None, 3, 1)[:ndim])
    arrays = [[[[1.0], [2.0], [3.0]]], [[5.0]], np.reshape([0, 1, 1], (1, 3, 1)[:ndim])]
    last, outputs, states = K.rnn(adding, x, [state], mask=mask, unroll=unroll)
    met = run([x, state, mask], [last, outputs, *states], arrays)
    assert_allclose(met[1], [[[0], [7], [10]]])
    assert met[0] == met[2] == 10
    last, outputs, states = K.rnn(adding, x, [state], mask=mask, unroll=unroll, go_backwards=True)
    met = run([x, state, mask], [last, outputs, *states], arrays)
    assert_allclose(met[1], [[[8], [10], [10]]])


def test_a_sample_whose_every_step_is_skipped_has_zeros_and_the_initial_state():
    x, state, mask = K.placeholder((None, None, 1)), K.placeholder((None, 1)), K.placeholder((None, None))
    last, outputs, states = K.rnn(adding, x, [state], mask=mask)
    met = run(
        [x, state, mask], [last, outputs, *states], [np.ones((2, 3, 1)), [[5], [6]], [[0] * 3, [1] * 3]]
    )
    assert_allclose(met[0], [[0], [9]])
    assert_allclose(met[1][:, :, 0], [[0, 0, 0], [7, 8, 9]])
    assert_allclose(met[2], [[5], [9]])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_over_no_steps_the_output_is_zeros_and_the_states_are_the_initial_ones(masked, known):
    x, state = K.placeholder((None, 0 if known else None, 1)), K.placeholder((None, 1))
    mask = K.placeholder((None, None))
    last, outputs, states = K.rnn(adding, x, [state], mask=mask if masked else None, unroll=known)
    met = run([x, state, mask], [last, outputs, *states], [np.ones((2, 0, 1)), [[5], [6]], np.ones((2, 0))])
    assert_allclose(met[0], [[0], [0]])
    assert met[1].shape == (2, 0, 1)
    assert_allclose(met[2], [[5], [6]])
    (g,) = gradients(K.sum(last) + K.sum(states[0]), [state])
    found = run([x, state, mask], [g], [np.ones((2, 0, 1)), [[5], [6]], np.ones((2, 0))])
    assert_allclose(found[0], [[1], [1]])


@pytest.mark.parametrize("shape", [(2, 1, 3), (0, 4, 3), (1, 4, 3)])
def test_one_step_and_small_batches(shape):
    x = K.placeholder((None, None, 3))
    last, outputs, states = K.rnn(adding, x, [K.zeros_like(x[:, 0])] if shape[1] else [])
    met = run([x], [last, outputs, *states, *gradients(K.sum(outputs), [x])], [draw(*shape)])
    assert_allclose(met[1], np.cumsum(draw(*shape), axis=1))
    assert_allclose(met[0], met[1][:, -1])
    assert met[3].shape == shape


@pytest.mark.parametrize("unroll", [False, True])
def test_constants_come_behind_the_states(unroll):
    x, c = K.placeholder((2, 3, 4)), K.placeholder((2, 4))

    def step(x, given):
        state, constant = given
        return x * constant + state, [state + 1.0]

    _, outputs, states = K.rnn(step, x, [K.zeros((2, 4))], constants=[c], unroll=unroll)
    met = run([x, c], [outputs, *states], [draw(2, 3, 4), draw(2, 4, seed=1)])
    assert_allclose(met[0], draw(2, 3, 4) * draw(2, 4, seed=1)[:, None] + np.arange(3)[:, None])
    assert_allclose(met[1], np.full((2, 4), 3.0))


def test_shapes_are_known_as_far_as_they_can_be():
    x, h, _ = placeholders()
    last, outputs, states = K.rnn(simple(*weights()), x, [h])
    assert (last.shape, outputs.shape, states[0].shape) == ((None, H), (None, None, H), (None, H))
    x = K.placeholder((B, T, D))
    last, outputs, states = K.rnn(simple(*weights()), x, [K.zeros((B, H))])
    assert (last.shape, outputs.shape, states[0].shape) == ((B, H), (B, T, H), (B, H))


def test_images_may_be_steps():
    x, mask = K.placeholder((None, None, 2, 3)), K.placeholder((None, None))
    _, outputs, _ = K.rnn(adding, x, [K.zeros_like(x[:, 0])], mask=mask)
    met = run([x, mask], [outputs], [draw(2, 3, 2, 3), [[1, 0, 1], [1, 1, 1]]])[0]
    assert_allclose(met[1], np.cumsum(draw(2, 3, 2, 3)[1], axis=0))
    assert_allclose(met[0, 1], met[0, 0])


def test_updates_may_carry_the_states_on():
    x, state = K.placeholder((1, None, 1)), K.variable([[10.0]])
    last, _, states = K.rnn(adding, x, [state])
    f = K.function([x], [last], updates=[(state, states[0])])
    assert f([[[[1.0], [2.0]]]])[0] == 13
    assert f([[[[1.0], [2.0]]]])[0] == 16


# ---- errors


def test_few_axes_are_refused():
    with pytest.raises(ValueError, match="at least 3D"):
        K.rnn(adding, K.placeholder((2, 3)), [K.zeros((2, 3))])


def test_a_mask_needs_states():
    with pytest.raises(ValueError, match="No initial states"):
        K.rnn(lambda x, s: (x, []), K.placeholder((2, 3, 4)), [], mask=K.placeholder((2, 3)))


def test_unrolling_needs_a_length():
    with pytest.raises(ValueError, match="fixed number of timesteps"):
        K.rnn(adding, K.placeholder((2, None, 4)), [K.zeros((2, 4))], unroll=True)


@pytest.mark.parametrize("shape", [(2,), (2, 3, 4), (2, 3, 1, 4)])
@pytest.mark.parametrize("unroll", [False, True])
def test_a_mask_is_one_number_for_each_step(shape, unroll):
    with pytest.raises(ValueError, match=r"mask of rnn .* met shape \(2"):
        K.rnn(adding, K.placeholder((2, 3, 4)), [K.zeros((2, 4))], mask=K.placeholder(shape), unroll=unroll)


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize(
    "answer", [lambda x, s: x, lambda x, s: None, lambda x, s: (x, x), lambda x, s: (x, s, s)]
)
def test_a_step_answers_an_output_and_a_list_of_states(answer, unroll):
    with pytest.raises(ValueError, match="answers an output and the list of new states, met"):
        K.rnn(answer, K.placeholder((2, 3, 4)), [K.zeros((2, 4))], unroll=unroll)


def test_a_step_answers_as_many_states_as_it_was_given():
    with pytest.raises(ValueError, match="was given 1 states and answered 2"):
        K.rnn(lambda x, s: (x, [x, x]), K.placeholder((2, 3, 4)), [K.zeros((2, 4))])


def test_a_state_keeps_its_shape():
    x = K.placeholder((None, 2))
    with pytest.raises(ValueError, match=r"begins with shape \(3,\) and a step makes \(2,\)"):
        scan(lambda e, s: ([], [e[0]]), [x], [K.zeros((3,))])
    # Here the sizes are known only when it runs.
    h = K.placeholder((None, 2))
    last = scan(lambda e, s: ([], [e[0] + s[0]]), [K.placeholder((None, 4, 2))], [h])[1]
    with pytest.raises(ValueError, match=r"begins with shape \(1, 2\) and a step makes \(4, 2\)"):
        inputs = last[0].apply.inputs
        K.function([inputs[0], h], last)([np.zeros((3, 4, 2)), np.zeros((1, 2))])


def test_a_state_keeps_its_type():
    with pytest.raises(TypeError, match="begins as int32 and a step makes float64"):
        scan(lambda e, s: ([], [s[0] + e[0]]), [K.placeholder((3,))], [K.constant(1, "int32")])


def test_sequences_have_one_length():
    with pytest.raises(ValueError, match=r"different lengths, \[2, 3\]"):
        scan(lambda e, s: ([e[0]], []), [K.placeholder((2,)), K.placeholder((3,))])


def test_a_loop_needs_a_sequence():
    with pytest.raises(ValueError, match="needs a sequence"):
        scan(lambda e, s: ([], []), [])


def test_an_error_in_a_step_names_op_and_layer():
    x, table = K.placeholder((None, None), dtype="int32"), K.variable(draw(4, 2))
    with scope("words"):
        (outputs,), _ = scan(lambda e, s: ([K.gather(table, e[0])], []), [x], axis=1)
    with pytest.raises(IndexError, match=r"index 9 is out of range: there are 4 rows.*gather.*words"):
        K.function([x], [outputs])([[[0, 9]]])


def test_a_function_may_run_in_many_threads():
    from concurrent.futures import ThreadPoolExecutor

    x, h, _ = placeholders()
    last, _, _ = K.rnn(simple(*weights()), x, [h])
    f = Function([x, h], [last])
    batches = [[draw(B, T, D, seed=seed), draw(B, H, seed=seed)] for seed in range(8)]
    alone = [f(batch)[0] for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        for met, expected in zip(pool.map(lambda batch: f(batch)[0], batches), alone, strict=True):
            assert_array_equal(met, expected)
