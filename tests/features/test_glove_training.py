"""Training: the kernel against NumPy, gradients against differences, the same bits for any threads, resuming."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mailmill.draws import mix
from mailmill.errors import DataError
from mailmill.features import draws, glove_training
from mailmill.features.adagrad import loss_of_block, plain_epoch, update_block
from mailmill.features.cooccurrence import Counts, count_pairs, unit
from mailmill.features.glove_training import Training, mean_loss, run_epoch, train
from mailmill.features.pairs import PAIR, PairFile, Weighting, write_pairs
from mailmill.features.parameters import Layout

WORDS, DIMENSION = 90, 21
LAYOUT = Layout(WORDS, DIMENSION)


def some_counts(words: int = WORDS, tokens: int = 3000) -> list[Counts]:
    numbers = mix(5, np.arange(tokens, dtype=np.uint64)) % np.uint64(words * words)
    text = (words - 1 - np.sqrt(numbers.astype(np.float64))).astype(np.int32)  # low ranks are frequent
    parts = list(count_pairs(text, np.array([0, tokens]), 5, words))
    assert len(parts) == 1
    return parts


@pytest.fixture
def file(tmp_path: Path) -> PairFile:
    counts = some_counts()
    return write_pairs(tmp_path / "pairs", iter(counts), len(counts[0][0]), LAYOUT, Weighting(60, 5.0))


def test_the_file_holds_both_directions_of_every_pair(tmp_path: Path, file: PairFile) -> None:
    (i, j, x), places = some_counts()[0], LAYOUT.places()
    counted = zip(i.tolist(), j.tolist(), x.tolist(), strict=True)
    expected = {(a, b): n * (2 if a == b else 1) / 60 for a, b, n in counted}
    expected |= {(b, a): n for (a, b), n in expected.items()}
    word = {int(place): number for number, place in enumerate(places)}
    found = {(word[int(p["row"])], word[int(p["context"])]): p for p in file.pairs}
    assert found.keys() == expected.keys()
    assert len(file) == len(found)
    for pair, n in expected.items():
        assert found[pair]["log_count"] == pytest.approx(np.log(n), rel=1e-6, abs=1e-7)
        assert found[pair]["weight"] == pytest.approx(min((n / 5) ** 0.75, 1), rel=1e-6)


def test_the_file_does_not_depend_on_order_or_memory(tmp_path: Path, file: PairFile) -> None:
    i, j, x = some_counts()[0]
    order = draws.permutation(len(i), 3)
    parts = [(i[at], j[at], x[at]) for at in np.array_split(order, 7)]
    again = write_pairs(tmp_path / "again", iter(parts), len(i), LAYOUT, Weighting(60, 5.0), chunk=100)
    assert again.pairs.tobytes() == file.pairs.tobytes()
    np.testing.assert_array_equal(again.bounds, file.bounds)
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == ["bounds.json", "pairs.bin"]


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stopped could leave an index without its pairs, at which every later run ended."""
    events: list[str] = []
    fsync, replace = os.fsync, os.replace

    def flushed(number: int) -> None:
        events.append("disk")
        fsync(number)

    def renamed(old: Path | str, new: Path | str) -> None:
        if Path(new).parent == tmp_path:  # Numba keeps its own files so
            events.append(Path(new).name)
        replace(old, new)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    counts = some_counts()
    file = write_pairs(tmp_path, iter(counts), len(counts[0][0]), LAYOUT, Weighting(60, 5.0))
    assert events == ["disk", "pairs.bin", "disk", "bounds.json"]
    train(file, LAYOUT, Training(1, 0.05, 1), tmp_path, 1)
    assert events[4:] == ["disk", glove_training.CHECKPOINT]
    assert not list(tmp_path.glob(".*"))


def test_blocks_of_a_round_share_no_row(file: PairFile) -> None:
    strata = LAYOUT.strata
    assert strata > 4
    for number in range(strata):
        own = range(number * strata, (number + 1) * strata)
        blocks = [file.pairs[file.bounds[n] : file.bounds[n + 1]] for n in own]
        for side in ("row", "context"):
            rows = [row for block in blocks for row in np.unique(block[side]).tolist()]
            assert len(rows) == len(set(rows))


def test_an_epoch_is_the_reference_on_one_thread(file: PairFile) -> None:
    ours, plain = LAYOUT.initial(1), LAYOUT.initial(1)
    pairs = np.array(file.pairs)
    for eta in (0.05, 0.5):
        loss = update_block(pairs, 0, len(pairs), ours, LAYOUT.rows, LAYOUT.padded, np.float32(eta))
        expected = plain_epoch(pairs, plain, LAYOUT.rows, DIMENSION, LAYOUT.padded, eta)
        assert loss == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(ours, plain, rtol=2e-3, atol=2e-5)
    assert np.all(ours[:, DIMENSION : LAYOUT.padded] == 0)  # the padding takes no part


def test_steps_follow_the_gradient() -> None:
    """The first step on one pair is eta times the finite difference of its loss; 1 times that for biases."""
    pair = np.array([(3, 5, 1.7, 0.6)], PAIR)
    bias, eta = 2 * LAYOUT.padded, np.float32(0.01)
    start = LAYOUT.initial(4) * np.float32(20)
    start[:, LAYOUT.padded : bias] = 1
    start[:, bias + 1] = 1
    after = start.copy()
    update_block(pair, 0, 1, after, LAYOUT.rows, LAYOUT.padded, eta)

    def loss(parameters: NDArray[np.float64]) -> float:
        one, two = parameters[3], parameters[5 + LAYOUT.rows]
        diff = one[:DIMENSION] @ two[:DIMENSION] + one[bias] + two[bias] - float(pair["log_count"][0])
        return 0.5 * float(pair["weight"][0]) * diff * diff

    assert loss_of_block(pair, 0, 1, start, LAYOUT.rows, LAYOUT.padded) == pytest.approx(loss(start.astype(float)))
    for row in (3, 5 + LAYOUT.rows):
        for column in (0, 7, DIMENSION - 1, bias):
            up, down = start.astype(float), start.astype(float)
            up[row, column] += 1e-5
            down[row, column] -= 1e-5
            gradient = (loss(up) - loss(down)) / 2e-5
            rate = 1.0 if column == bias else float(eta)
            assert start[row, column] - after[row, column] == pytest.approx(rate * gradient, rel=1e-2, abs=1e-6)
    untouched = np.setdiff1d(np.arange(2 * LAYOUT.rows), [3, 5 + LAYOUT.rows])
    np.testing.assert_array_equal(after[untouched], start[untouched])


def test_gradients_are_clipped() -> None:
    pair = np.array([(0, 0, -1e6, 1.0)], PAIR)
    ours, plain = LAYOUT.initial(1), LAYOUT.initial(1)
    update_block(pair, 0, 1, ours, LAYOUT.rows, LAYOUT.padded, np.float32(0.05))
    plain_epoch(pair, plain, LAYOUT.rows, DIMENSION, LAYOUT.padded, 0.05)
    np.testing.assert_allclose(ours, plain, rtol=1e-5)
    assert np.abs(ours[0, :DIMENSION]).max() <= 100 * 0.05 + 0.05


def test_any_number_of_threads_gives_the_same_bits(file: PairFile, tmp_path: Path) -> None:
    results = []
    for threads in (1, 2, 5):
        (tmp_path / str(threads)).mkdir()
        results.append(train(file, LAYOUT, Training(3, 0.05, 1), tmp_path / str(threads), threads))
    for other in results[1:]:
        assert other.parameters.tobytes() == results[0].parameters.tobytes()
        assert other.losses == results[0].losses
    (tmp_path / "seed").mkdir()
    assert train(file, LAYOUT, Training(3, 0.05, 2), tmp_path / "seed", 1).losses != results[0].losses


def test_the_loss_falls(file: PairFile, tmp_path: Path) -> None:
    seen: list[int] = []
    trained = train(file, LAYOUT, Training(12, 0.05, 1), tmp_path, 1, lambda pairs, loss: seen.append(pairs))
    assert sum(seen) == 12 * len(file)
    assert all(a > b for a, b in zip(trained.losses, trained.losses[1:], strict=False))
    assert mean_loss(file, trained.parameters, LAYOUT) < 0.5 * mean_loss(file, LAYOUT.initial(1), LAYOUT)


def test_training_that_was_cut_off_ends_with_the_same_bits(
    file: PairFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = train(file, LAYOUT, Training(5, 0.05, 1), tmp_path / "whole", 2)

    def fails(*arguments: object) -> float:
        if arguments[4] == 3:
            raise KeyboardInterrupt
        return run_epoch(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(glove_training, "run_epoch", fails)
        with pytest.raises(KeyboardInterrupt):
            train(file, LAYOUT, Training(5, 0.05, 1), tmp_path / "cut", 2)
    seen: list[int] = []
    resumed = train(file, LAYOUT, Training(5, 0.05, 1), tmp_path / "cut", 1, lambda pairs, loss: seen.append(pairs))
    assert sum(seen) == 2 * len(file)
    assert resumed.parameters.tobytes() == whole.parameters.tobytes()
    assert resumed.losses == whole.losses


def test_epochs_take_rounds_in_another_order(file: PairFile) -> None:
    orders = [draws.permutation(LAYOUT.strata, 1, epoch).tolist() for epoch in range(3)]
    assert all(sorted(order) == list(range(LAYOUT.strata)) for order in orders)
    assert orders[0] != orders[1] != orders[2]


def test_a_loss_that_is_not_finite_is_refused(file: PairFile, tmp_path: Path) -> None:
    file.pairs = np.array(file.pairs)
    file.pairs["log_count"][0] = np.inf
    with pytest.raises(DataError, match=r"loss of epoch 1 is (inf|nan)"):
        train(file, LAYOUT, Training(1, 0.05, 1), tmp_path, 1)


def test_a_training_that_diverges_is_refused(file: PairFile, tmp_path: Path) -> None:
    """Clipped float32 never becomes infinite: losses of millions were published."""
    with pytest.raises(DataError, match="training diverged: the loss of epoch 1 is") as error:
        train(file, LAYOUT, Training(3, 2.0, 1), tmp_path, 1)
    assert error.value.hint == "lower glove.eta"
    assert glove_training.epochs_done(tmp_path) == 0
    steep = train(file, LAYOUT, Training(3, 0.25, 1), tmp_path, 1)
    assert max(steep.losses) < mean_loss(file, LAYOUT.initial(1), LAYOUT)


def test_a_training_that_diverged_before_it_was_cut_off_is_refused(file: PairFile, tmp_path: Path) -> None:
    parameters = LAYOUT.initial(1)
    for losses in ([391_250.0], [0.2, 4001.0, 0.3]):
        glove_training._save(tmp_path / glove_training.CHECKPOINT, parameters, losses)
        with pytest.raises(DataError, match="training diverged"):
            train(file, LAYOUT, Training(len(losses), 0.05, 1), tmp_path, 1, lambda *_: pytest.fail("an epoch was run"))


@pytest.mark.parametrize("dimension", [2, 21])
def test_pairs_that_occur_once_are_trained_on(dimension: int, tmp_path: Path) -> None:
    """log 1 = 0: parameters that are all zero would have no loss at all."""
    tokens, layout = np.arange(WORDS, dtype=np.int32), Layout(WORDS, dimension)
    (counts,) = count_pairs(tokens, np.array([0, WORDS]), 1, WORDS)
    file = write_pairs(tmp_path, iter([counts]), len(counts[0]), layout, Weighting(1, 10.0, 0.5))
    assert not file.pairs["log_count"].any()
    assert len(train(file, layout, Training(3, 0.05, 1), tmp_path, 1).losses) == 3


def test_no_pairs_are_refused(tmp_path: Path) -> None:
    empty = write_pairs(tmp_path / "none", iter([]), 0, LAYOUT, Weighting(60))
    with pytest.raises(DataError, match="no two known words"):
        train(empty, LAYOUT, Training(1, 0.05, 1), tmp_path, 1)


def test_draws_are_uniform_and_functions_of_their_numbers() -> None:
    drawn = draws.uniform(np.arange(40000, dtype=np.uint64), 1, 0)
    assert -0.5 <= drawn.min() < -0.49
    assert 0.49 < drawn.max() < 0.5
    assert abs(drawn.mean()) < 0.01
    np.testing.assert_array_equal(draws.uniform(np.arange(100, 200, dtype=np.uint64), 1, 0), drawn[100:200])
    initial = Layout(50, 7).initial(1)
    assert initial.ctypes.data % 64 == 0
    assert np.abs(initial[:, :7]).max() <= 0.5 / 8
    assert len(np.unique(initial[:50, :7])) > 300


def test_planted_clusters_become_neighbours(tmp_path: Path) -> None:
    """Half of a text's words are of its own cluster of four, half of any: vectors tell the clusters apart."""
    clusters, size, texts = 4, 12, 1000
    vocabulary = clusters * size
    drawn = mix(9, np.arange(texts * 30, dtype=np.uint64)).reshape(texts, 30)
    anything = ((drawn >> np.uint64(20)) % np.uint64(vocabulary)).astype(np.int32)
    own = (np.arange(texts) % clusters * size)[:, None] + anything % size
    words = np.where(drawn % np.uint64(2) == 0, own, anything).astype(np.int32)
    counts = list(count_pairs(words.ravel(), np.arange(0, texts * 30 + 1, 30), 5, vocabulary))
    layout = Layout(vocabulary, 16)
    file = write_pairs(tmp_path / "pairs", iter(counts), len(counts[0][0]), layout, Weighting(unit(5), 10.0))
    trained = train(file, layout, Training(40, 0.05, 1), tmp_path, 1)
    vectors = layout.vectors(trained.parameters, 0, vocabulary)
    vectors -= vectors.mean(axis=0)
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near = np.argsort(-(directions @ directions.T), axis=1)[:, 1:6]
    assert np.mean(near // size == np.arange(vocabulary)[:, None] // size) > 0.95


def test_one_epoch_by_rounds_visits_every_pair_once(file: PairFile) -> None:
    parameters = LAYOUT.initial(1)
    with ThreadPoolExecutor(2) as pool:
        seen: list[int] = []
        total = run_epoch(file, parameters, LAYOUT, Training(1, 0.05, 1), 0, pool, 2, lambda n, _: seen.append(n))
    assert sum(seen) == len(file)
    assert total > 0
