"""A row of a store: what comes back of a teacher's logits, and that no wrong row is believed."""

import numpy as np
import pytest

from mmaction_kd.stored_teachers.logit_rows import (
    decode_row,
    encode_rows,
    row_check,
    row_dtype,
    unusable_row,
)

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(3, 6, (20, 101)).astype(np.float32)
LABELS = RNG.integers(-1, 101, 20)
CLIPS = np.arange(20)


def softmax(z):
    powers = np.exp(z.astype(np.float64) - z.max())
    return powers / powers.sum()


def log_sum(z):
    return z.max() + np.log(np.exp(z.astype(np.float64) - z.max()).sum())


def test_a_view_takes_less_than_a_quarter_of_a_kilobyte():
    assert row_dtype(101).itemsize == 2 * 101 + 12 <= 250
    assert row_dtype(101, 10).itemsize == 4 * 10 + 20
    assert row_dtype(26, 25) == row_dtype(26) == row_dtype(26, 100)


def test_logits_come_back_with_an_error_of_their_gap_over_2048():
    for row, logits, clip in zip(encode_rows(LOGITS, LABELS, CLIPS), LOGITS, CLIPS, strict=True):
        back = decode_row(row, 101)
        assert back.dtype == np.float32 and back.max() == logits.max()
        assert (np.abs(back - logits) <= (logits.max() - logits) / 2048 + 1e-6).all()
        assert np.abs(softmax(back) - softmax(logits)).max() < 2e-4
        assert row['clip'] == clip


def test_a_logit_far_below_stays_finite():
    back = decode_row(encode_rows(np.array([[0, -1e9]]), [0], [0])[0], 2)
    assert back[0] == 0 and back[1] < -6e4 and np.isfinite(back).all()


@pytest.mark.parametrize('k', [1, 5, 99])
def test_top_k_keeps_the_largest_and_the_label_and_all_of_the_mass(k):
    rows = encode_rows(LOGITS, LABELS, CLIPS, k)
    for row, logits, label in zip(rows, LOGITS, LABELS, strict=True):
        back, order = decode_row(row, 101), np.argsort(-logits)
        kept = set(row['columns'].tolist())
        assert len(kept) == k + 1 and kept >= set(order[:k].tolist())
        assert label < 0 or label in kept
        columns = sorted(kept)
        assert np.abs(back - logits)[columns].max() <= (logits.max() - logits).max() / 2048
        assert log_sum(back) == pytest.approx(log_sum(logits), abs=2e-3)
        assert len(set(np.delete(back, columns))) == 1  # shared evenly


def test_no_byte_and_no_place_but_the_right_one_has_the_right_check():
    (row,) = encode_rows(LOGITS[:1], LABELS[:1], CLIPS[:1], 3)
    right = row_check(row, 'store static 3 1')
    assert row_check(row, 'store static 1 3') != right
    for position in range(row_dtype(101, 3).itemsize - 4):
        content = bytearray(row.tobytes())
        content[position] ^= 1
        altered = np.frombuffer(bytes(content), row.dtype)[0]
        assert row_check(altered, 'store static 3 1') != right


def test_what_was_never_written_has_no_right_check():
    empty = np.zeros(1, row_dtype(5))[0]
    assert all(row_check(empty, str(place)) != empty['check'] for place in range(1000))


def test_a_view_that_could_not_be_made_has_no_largest_logit():
    assert np.isnan(unusable_row(5, 2)[0]['largest'])
