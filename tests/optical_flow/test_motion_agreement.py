"""Agreement is of the order alone, and each figure counts what it says."""

import numpy as np
import pytest

from mmaction_kd.optical_flow.motion_agreement import motion_agreement


def spearman(a, b):
    """Pearson's correlation of the ranks; no two values are equal."""
    a, b = (np.argsort(np.argsort(values)) for values in (a, b))
    return np.corrcoef(a, b)[0, 1]


@pytest.fixture
def motions():
    """Of 8 classes 3 to 10 videos each."""
    rng = np.random.default_rng(0)
    return [rng.gamma(2, speed, rng.integers(3, 11)) for speed in rng.uniform(0.1, 1, 8)]


def test_half_the_motion_everywhere_agrees_in_full(motions):
    found = motion_agreement([own / 2 for own in motions], motions)
    assert found == pytest.approx(dict.fromkeys(found, 1))
    assert list(found) == ['class_rank', 'video_rank', 'same_q1', 'same_q2', 'same_q3']


def test_ranks_are_spearmans(motions):
    rng = np.random.default_rng(1)
    ours = [own * rng.uniform(0.5, 1.5, len(own)) for own in motions]
    found = motion_agreement(ours, motions)
    means = [[own.mean() for own in every] for every in (ours, motions)]
    assert found['class_rank'] == pytest.approx(spearman(*means))
    videos = np.concatenate(ours), np.concatenate(motions)
    assert found['video_rank'] == pytest.approx(spearman(*videos))
    assert found['class_rank'] != found['video_rank'] < 1


def test_two_neighbours_that_change_places():
    """Of 8 classes: 0.976, and the subsets differ where the two stand on either side."""
    reference = [[float(k)] for k in range(8)]
    for lower, rule in ((1, 'same_q1'), (3, 'same_q2'), (5, 'same_q3')):
        ours = list(reference)
        ours[lower], ours[lower + 1] = ours[lower + 1], ours[lower]
        found = motion_agreement(ours, reference)
        assert found['class_rank'] == found['video_rank'] == pytest.approx(1 - 12 / (8**3 - 8))
        same = {key: value for key, value in found.items() if key.startswith('same')}
        assert same == dict.fromkeys(same, 1) | {rule: 6 / 8}
