"""Workers: batches in order, and an error wherever none comes."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import lamina
from lamina import backend as K
from lamina.devices import current_device
from lamina.engine.input_layer import Input
from lamina.engine.layer import Layer
from lamina.engine.model import Model
from lamina.engine.optimizer import Optimizer
from lamina.training import workers as workers_module
from lamina.training.callbacks import Callback
from lamina.training.feeds import Feed
from lamina.training.sequence import Sequence
from lamina.training.workers import LIMIT, WorkerError, Workers

PICTURES = '''
import os, random, signal, sys, threading, time
import numpy as np
from lamina.utils import Sequence

WAKE = threading.Event()

class Pictures(Sequence):
    """Batch i is the number i; batch 3 comes to grief where asked."""

    def __init__(self, length=6, grief=None):
        self.length, self.grief, self.epochs = length, grief, 0

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if index == 3 and self.grief:
            getattr(self, self.grief)()
        return np.full((2, 1), index, "float32"), np.zeros((2, 1), "float32")

    def on_epoch_end(self):
        self.epochs += 1

    def raises(self):
        raise KeyError("picture 3")

    def raises_its_own(self):
        class Own(Exception):
            pass

        raise Own("picture 3")

    def exits(self):
        sys.exit("no picture 3")

    def hangs(self):
        WAKE.wait(60)

    def spins(self):
        while True:
            pass

    def dies(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def leaves(self):
        os._exit(3)

class Draws(Pictures):
    def __getitem__(self, index):
        return index, np.random.rand(), random.random(), self.epochs

class Slow(Pictures):
    def __getitem__(self, index):
        time.sleep(0.02 if index % 3 == 0 else 0)
        return index

class Process(Pictures):
    def __getitem__(self, index):
        return os.getpid()

class Lines:
    """An iterator that can be pickled."""

    def __init__(self, count):
        self.count, self.at = count, 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.at == self.count:
            raise StopIteration
        self.at += 1
        return self.at
'''


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A module that other processes can import."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "pictures_for_workers.py").write_text(PICTURES)
    sys.path.insert(0, str(folder))
    try:
        import pictures_for_workers

        yield pictures_for_workers
    finally:
        sys.path.remove(str(folder))


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Neither a thread nor a worker process outlives what started it."""
    yield
    until = time.monotonic() + 2
    while workers_alive() and time.monotonic() < until:
        time.sleep(0.01)
    assert workers_alive() == []


def workers_alive():
    threads = [t.name for t in threading.enumerate() if t.name.startswith("lamina-worker")]
    return threads + multiprocessing.active_children()


kinds = pytest.mark.parametrize("processes", [False, True], ids=["threads", "processes"])


def taken(source, count, **how):
    with Feed(source, **{"workers": 2, **how}) as feed:
        return list(feed.take(count))


class Scale(Layer):
    def build(self, input_shape):
        self.w = self.add_weight(name="w", shape=(), initializer=lambda shape, dtype=None: K.ones(shape))
        super().build(input_shape)

    def call(self, inputs):
        return self.w * inputs


class Still(Optimizer):
    def get_updates(self, loss, params):
        return []


@pytest.fixture
def model():
    x = Input(shape=(1,))
    model = Model(x, Scale()(x))
    model.compile(Still(), lambda y_true, y_pred: K.mean(y_pred - y_true, axis=-1))
    return model


# ---- order


@kinds
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_come_in_order(pictures, processes, workers):
    how = {"workers": workers, "use_multiprocessing": processes}
    assert taken(pictures.Slow(), 13, **how) == [0, 1, 2, 3, 4, 5] * 2 + [0]


@kinds
def test_a_shuffled_sequence_gives_each_batch_once_an_epoch(pictures, processes):
    np.random.seed(0)
    found = taken(pictures.Slow(20), 40, shuffle=True, workers=3, use_multiprocessing=processes)
    assert sorted(found[:20]) == sorted(found[20:]) == list(range(20))
    assert found[:20] != found[20:] != list(range(20))


def test_an_order_is_drawn_when_an_epoch_begins(pictures):
    np.random.seed(0)
    wanted = [np.random.permutation(6).tolist(), np.random.rand(), np.random.permutation(6).tolist()]
    for workers in (0, 1, 3):
        np.random.seed(0)
        with Feed(pictures.Slow(), shuffle=True, workers=workers) as feed:
            assert [list(feed.take(6)), np.random.rand(), list(feed.take(6))] == wanted


def test_epochs_of_fewer_steps_go_on_where_they_stopped(pictures):
    with Feed(pictures.Slow(), workers=2) as feed:
        assert [list(feed.take(4)) for _ in range(3)] == [[0, 1, 2, 3], [4, 5, 0, 1], [2, 3, 4, 5]]
    assert feed.source.epochs == 2


def test_a_generator_is_read_as_far_as_asked_and_no_further():
    numbers = iter(range(100))
    assert taken(numbers, 5, workers=3, max_queue_size=50) == [0, 1, 2, 3, 4]
    assert next(numbers) == 5


def test_no_more_is_made_ahead_than_allowed(pictures):
    made = []

    class Counted(Sequence):
        def __len__(self):
            return 100

        def __getitem__(self, index):
            made.append(index)
            return index

    with Feed(Counted(), workers=3, max_queue_size=4) as feed:
        items = feed.take(100)
        next(items)
        time.sleep(0.1)
        assert len(made) == 4
        items.close()


@kinds
def test_an_iterator_ends_for_whoever_takes(pictures, processes):
    assert taken(pictures.Lines(3), 5, use_multiprocessing=processes) == [1, 2, 3]
    assert taken(pictures.Lines(3), 2, use_multiprocessing=processes) == [1, 2]


def test_threads_share_the_work_and_workers_0_has_none(pictures):
    class Named(Sequence):
        def __len__(self):
            return 8

        def __getitem__(self, index):
            time.sleep(0.01)
            return threading.current_thread().name

    assert set(taken(Named(), 8, workers=0)) == {threading.main_thread().name}
    assert set(taken(Named(), 8, workers=2)) == {"lamina-worker-0", "lamina-worker-1"}
    pids = set(taken(pictures.Process(8), 8, workers=2, use_multiprocessing=True))
    assert pids and os.getpid() not in pids


def test_threads_work_on_the_device_of_whoever_takes(pictures):
    class Devices(Sequence):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return current_device().name

    with lamina.device("cpu"):
        assert taken(Devices(), 1) == ["cpu"]


# ---- what batches draw


def test_draws_of_processes_repeat_whoever_makes_the_batch(pictures):
    def drawn(workers):
        np.random.seed(1)
        return taken(pictures.Draws(), 12, workers=workers, use_multiprocessing=True)

    found = drawn(1)
    assert found == drawn(3)
    assert len({draws[1] for draws in found}) == len({draws[2] for draws in found}) == 12


def test_draws_of_one_thread_repeat(pictures):
    def drawn(workers):
        np.random.seed(1)
        return [(index, draw) for index, draw, *_ in taken(pictures.Draws(), 12, workers=workers)]

    assert drawn(1) == drawn(0)


def test_processes_have_the_sequence_as_on_epoch_end_left_it(pictures):
    epochs = [draws[-1] for draws in taken(pictures.Draws(), 18, use_multiprocessing=True)]
    assert epochs == [0] * 6 + [1] * 6 + [2] * 6


# ---- what goes wrong


@kinds
def test_an_error_comes_with_the_traceback_of_the_worker(pictures, processes):
    with pytest.raises(KeyError, match="picture 3") as caught:
        taken(pictures.Pictures(grief="raises"), 6, use_multiprocessing=processes)
    told = "".join(caught.value.__notes__) if processes else str(caught.traceback[-1].path)
    assert "pictures_for_workers.py" in told


def test_an_error_that_cannot_travel_is_told(pictures):
    with pytest.raises(WorkerError, match="pictures_for_workers.py(.|\n)*Own: picture 3"):
        taken(pictures.Pictures(grief="raises_its_own"), 6, use_multiprocessing=True)


@kinds
def test_an_exit_does_not_end_the_worker_in_silence(pictures, processes):
    with pytest.raises(SystemExit, match="no picture 3"):
        taken(pictures.Pictures(grief="exits"), 6, use_multiprocessing=processes)


@pytest.mark.parametrize(
    ("grief", "says"), [("dies", "was killed by SIGKILL"), ("leaves", "ended by itself with status 3")]
)
def test_a_process_that_dies_is_an_error_at_once(pictures, grief, says):
    started = time.monotonic()
    with pytest.raises(WorkerError, match=says):
        taken(pictures.Pictures(grief=grief), 6, use_multiprocessing=True)
    assert time.monotonic() - started < 8


def test_a_process_that_dies_while_idle_is_an_error(pictures):
    with Feed(pictures.Pictures(), workers=1, use_multiprocessing=True) as feed:
        list(feed.take(6))
        (process,) = multiprocessing.active_children()
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        with pytest.raises(WorkerError, match="SIGKILL"):
            list(feed.take(6))


@kinds
def test_a_worker_that_hangs_is_an_error_that_says_where(pictures, processes, monkeypatch):
    data = pictures.Pictures(grief="hangs")
    data.worker_timeout = 0.3
    started = time.monotonic()
    with pytest.raises(WorkerError, match='for 0.3 s(.|\n)*pictures_for_workers.py"(.|\n)*in hangs'):
        taken(data, 6, use_multiprocessing=processes)
    assert time.monotonic() - started < 5
    pictures.WAKE.set()  # no thread can be ended while it waits
    time.sleep(0.1)
    pictures.WAKE.clear()


def test_a_thread_that_spins_is_stopped(pictures):
    data = pictures.Pictures(grief="spins")
    data.worker_timeout = 0.3
    with pytest.raises(WorkerError, match="in spins"):
        taken(data, 6)


def test_hanging_is_noticed_within_ten_seconds(monkeypatch):
    assert LIMIT + 2 * workers_module._LOOK + 1 <= 10
    monkeypatch.setenv("LAMINA_WORKER_TIMEOUT", "60")
    assert workers_module.limit_for(iter([])) == 60
    monkeypatch.setenv("LAMINA_WORKER_TIMEOUT", "soon")
    with pytest.raises(ValueError, match="'soon'"):
        workers_module.limit_for(iter([]))


def test_an_old_failure_is_told_before_the_batches_in_front_of_it_are_used_up(pictures, monkeypatch):
    monkeypatch.setattr(workers_module, "_OLD", 0.1)
    items = []
    with (
        pytest.raises(KeyError, match="picture 3"),
        Feed(pictures.Pictures(grief="raises"), workers=1) as feed,
    ):
        for item in feed.take(6):
            items.append(item)
            time.sleep(0.2)
    assert len(items) == 1


def test_what_cannot_be_sent_to_a_process_is_made_by_threads():
    class Here(Sequence):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return threading.current_thread().name[:13]

    with pytest.warns(UserWarning, match="Here cannot be sent to a worker process"):
        assert taken(Here(), 2, use_multiprocessing=True) == ["lamina-worker"] * 2
    with pytest.warns(UserWarning, match="this generator cannot be sent"):
        assert taken((n for n in range(3)), 3, use_multiprocessing=True) == [0, 1, 2]


def test_a_sequence_that_becomes_empty_is_refused(pictures):
    data = pictures.Pictures(2)
    with Feed(data, workers=1) as feed:
        list(feed.take(2))
        data.length = 0
        with pytest.raises(ValueError, match="no batches"):
            list(feed.take(2))


# ---- training


@kinds
def test_training_evaluation_and_prediction_use_workers(model, pictures, processes):
    how = {"workers": 2, "use_multiprocessing": processes, "max_queue_size": 3}
    data, judged = pictures.Pictures(), pictures.Pictures(4)
    history = model.fit_generator(data, epochs=2, verbose=0, validation_data=judged, **how)
    assert history.history == {"val_loss": [1.5, 1.5], "loss": [2.5, 2.5]}
    assert (data.epochs, judged.epochs) == (2, 2)
    assert model.evaluate_generator(judged, **how) == 1.5
    assert_array_equal(model.predict_generator(judged, **how), np.repeat(np.arange(4.0), 2)[:, None])


def test_validation_may_be_a_generator_with_workers(model, pictures):
    def forever():
        while True:
            yield pictures.Pictures()[1]

    history = model.fit_generator(
        forever(), 2, workers=2, epochs=2, verbose=0, validation_data=forever(), validation_steps=3
    )
    assert history.history["val_loss"] == [1.0, 1.0]


@kinds
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_nobody_works_on_after_an_error_in_training(model, pictures, processes, error):
    class Fails(Callback):
        def on_batch_end(self, batch, logs=None):
            raise error

    with pytest.raises(error):
        model.fit_generator(
            pictures.Pictures(100), callbacks=[Fails()], verbose=0, workers=2, use_multiprocessing=processes
        )


def test_training_that_is_stopped_leaves_no_worker(model, pictures):
    class Stops(Callback):
        def on_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    history = model.fit_generator(pictures.Pictures(50), epochs=3, verbose=0, callbacks=[Stops()], workers=3)
    assert history.epoch == [0]


def test_ctrl_c_may_come_at_any_line():
    def taken(interrupted_at):
        """How many lines it took to take two batches from workers, one of which was interrupted, if it got so far."""
        lines = 0

        def trace(frame, event, argument):
            nonlocal lines
            if frame.f_code.co_name == "close":
                return None  # a second Ctrl-C, while the first ends things, is another matter
            if event == "line":
                lines += 1
                if lines == interrupted_at:
                    raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        with Workers([abs, abs], ahead=2, limit=5) as team:
            answers = team.map([-1, -2, -3])
            assert next(answers) == 1  # the threads have started
            sys.settrace(trace)
            try:
                assert list(answers) == [2, 3]
            finally:
                sys.settrace(before)
        return lines

    total = taken(None)
    for line in range(1, total + 1):
        try:
            taken(line)
        except KeyboardInterrupt:
            assert workers_alive() == []


# ---- whole programs

PROGRAM = """
import os, sys, time
import numpy as np
from lamina.training.feeds import Feed
import pictures_for_workers as pictures

class Endless(pictures.Pictures):
    def __getitem__(self, index):
        os.write(1, b"pid %d\\n" % os.getpid())
        time.sleep(0.2)
        return index

def main():
    processes = sys.argv[1] == "processes"
    with Feed(Endless(1000), workers=2, use_multiprocessing=processes) as feed:
        for item in feed.take(1000):
            pass

if __name__ == "__main__":
    main()
"""


def program(pictures, tmp_path, text, *arguments):
    path = tmp_path / "program.py"
    path.write_text(text)
    folder = os.path.dirname(pictures.__file__)
    return subprocess.Popen(
        [sys.executable, "-u", str(path), *arguments],
        env={**os.environ, "PYTHONPATH": folder},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def gone(pid):
    """Whether a process has ended."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


@kinds
@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="looks at /proc")
def test_ctrl_c_ends_a_program_cleanly(pictures, tmp_path, processes):
    running = program(pictures, tmp_path, PROGRAM, "processes" if processes else "threads")
    pids = {int(running.stdout.readline().split()[1]) for _ in range(4)}
    os.killpg(running.pid, signal.SIGINT)  # to all of them, as a terminal does
    started = time.monotonic()
    _, told = running.communicate(timeout=10)
    assert time.monotonic() - started < 5
    assert running.returncode == -signal.SIGINT
    assert told.rstrip().endswith("KeyboardInterrupt") and told.count("Traceback") == 1
    assert all(gone(pid) for pid in pids)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="looks at /proc")
def test_processes_end_with_a_parent_that_is_killed(pictures, tmp_path):
    running = program(pictures, tmp_path, PROGRAM, "processes")
    pids = {int(running.stdout.readline().split()[1]) for _ in range(4)}
    running.kill()
    running.wait(5)
    assert all(gone(pid) for pid in pids)
    running.stdout.close()
    running.stderr.close()


UNGUARDED = """
from lamina.training.feeds import Feed
import pictures_for_workers as pictures
with Feed(pictures.Process(4), workers=2, use_multiprocessing=True) as feed:
    print(len(list(feed.take(4))))

class Here(pictures.Process):
    pass

with Feed(Here(4), workers=2, use_multiprocessing=True) as feed:
    print(len(set(feed.take(4))))
"""


def test_a_program_without_a_guard_is_not_run_again_by_its_workers(pictures, tmp_path):
    running = program(pictures, tmp_path, UNGUARDED)
    printed, told = running.communicate(timeout=30)
    assert printed.split() == ["4", "1"], told
    assert "main file" in told and running.returncode == 0


BLAS = """
import threading
import numpy as np
import pictures_for_workers as pictures
from lamina.training.feeds import Feed

def multiply(stop):
    a = np.ones((400, 400))
    while not stop.is_set():
        a @ a

if __name__ == "__main__":
    stop = threading.Event()
    thread = threading.Thread(target=multiply, args=(stop,))
    thread.start()
    for _ in range(3):
        with Feed(pictures.Slow(), workers=2, use_multiprocessing=True) as feed:
            print(list(feed.take(6)))
    stop.set()
    thread.join()
"""


def test_workers_start_while_a_thread_is_in_a_matrix_product(pictures, tmp_path):
    running = program(pictures, tmp_path, BLAS)
    printed, told = running.communicate(timeout=60)
    assert printed.splitlines() == ["[0, 1, 2, 3, 4, 5]"] * 3, told


@pytest.mark.slow
@kinds
def test_workers_start_and_stop_two_hundred_times(pictures, processes):
    for _ in range(200):
        assert taken(pictures.Slow(3), 3, use_multiprocessing=processes) == [0, 1, 2]
