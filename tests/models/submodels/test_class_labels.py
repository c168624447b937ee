"""Labels that are no class are told with the video, before a loss sees them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmaction.structures import ActionDataSample
from strange_input import QUICK

from mmaction_kd.models.checks import class_indices

K = 4


def samples(*labels):
    made = []
    for place, label in enumerate(labels):
        made.append(ActionDataSample(metainfo=dict(filename=f'{place}.mp4')))
        if label is not None:
            made[-1].set_gt_label(label)
    return made


@QUICK
@given(st.lists(st.integers(-3, K + 3), min_size=1, max_size=6))
def test_class_indices_are_the_labels_or_the_first_wrong_one_is_named(labels):
    """Also of one sample, and of as many samples as classes."""
    wrong = [place for place, label in enumerate(labels) if not 0 <= label < K]
    if not wrong:
        assert class_indices('MBD', samples(*labels), K).tolist() == labels
        return
    words = rf"MBD: the label .* 0\.\.3, got {labels[wrong[0]]} for '{wrong[0]}\.mp4'; .*num_class"
    with pytest.raises(ValueError, match=words):
        class_indices('MBD', samples(*labels), K)


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize('count', [1, 2, K])
def test_the_index_of_a_soft_label_is_its_largest_class(count, dtype):
    soft = torch.tensor([[0.1, 0.6, 0.3, 0.0]] * count, dtype=dtype)
    assert class_indices('MBD', samples(*soft), K).tolist() == [1] * count


def test_one_class_is_a_class():
    assert class_indices('MBD', samples(0, 0), 1).tolist() == [0, 0]
    assert class_indices('MBD', samples(torch.ones(1)), 1).tolist() == [0]


@pytest.mark.parametrize(
    ('labels', 'words'),
    [
        ((1, None), "one class index or a soft label of 4 numbers, got none for '1.mp4'"),
        ((1, torch.tensor(2.0).reshape(1)), r"got torch.float32 of shape \(1,\) for '1.mp4'"),
        ((torch.tensor([0, 2]),), r"got torch.int64 of shape \(2,\) for '0.mp4'"),
        ((torch.ones(K + 1) / (K + 1),), r"of shape \(5,\) for '0.mp4'; .*num_classes"),
        ((torch.tensor([1.0, 1.0, 0, 0]),), 'sums to 1, got a sum of 2, from 0 .*multi_class'),
        ((torch.tensor([1.5, -0.5, 0, 0]),), "got a sum of 1, from -0.5 for '0.mp4'"),
        ((torch.full((K,), torch.nan),), 'got a sum of nan'),
        ((1, torch.ones(K) / K), 'all class indices or all soft, got both'),
    ],
)
def test_what_is_no_label_is_refused(labels, words):
    with pytest.raises(ValueError, match=words):
        class_indices('MBD', samples(*labels), K)


def test_a_soft_label_is_refused_where_one_class_is_needed():
    words = "DTKD: each video must have one class for the teacher, got a soft label for '0.mp4'"
    with pytest.raises(ValueError, match=words):
        class_indices('DTKD', samples(torch.ones(K) / K), K, 'the teacher')


def test_a_batch_without_names_says_how_to_get_them():
    with pytest.raises(ValueError, match=r'got 9 for video 1 of the batch \(PackActionInputs with'):
        class_indices('MBD', [ActionDataSample().set_gt_label(y) for y in (0, 9)], K)
