"""Scores of a dumped test, and files that would run code."""

import collections
import os
import pickle
import re
import subprocess

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.evaluator import DumpResults

from mmaction_kd.evaluation.dumped_scores import load_scores
from mmaction_kd.host_fixes.plain_pickle import load_plain_pickle


def write(path, content, protocol=2):
    path.write_bytes(pickle.dumps(content, protocol))
    return str(path)


def sample(label, **scores):
    return dict(gt_label=label, **{f'{name}_score': value for name, value in scores.items()})


def test_reads_what_mmengine_dumps(tmp_path):
    """Data samples with metadata, through DumpResults, as tools/test.py --dump does."""
    path = str(tmp_path / 'scores.pkl')
    metric = DumpResults(path)
    torch.manual_seed(0)
    expected = {name: torch.rand(5, 3) for name in ('pred', 'local', 'global')}
    for i in range(5):
        one = ActionDataSample(metainfo=dict(img_shape=(8, 8), stride=np.float32(2)))
        one.set_gt_label(i % 3)
        for name, values in expected.items():
            one.set_field(values[i], f'{name}_score')
        one.set_field(torch.tensor(0.5, dtype=torch.float64), 'local_weight')
        metric.process({}, [one.to_dict()])
    metric.evaluate(5)
    labels, scores = load_scores(path)
    np.testing.assert_array_equal(labels, [0, 1, 2, 0, 1])
    assert sorted(scores) == ['global', 'local', 'pred']
    for name, values in expected.items():
        np.testing.assert_array_equal(scores[name], values.double().numpy())


@pytest.mark.parametrize('protocol', [2, 4])
@pytest.mark.parametrize('dtype', [torch.float64, torch.float16, torch.bfloat16])
def test_any_precision_soft_labels_and_lists(dtype, protocol, tmp_path):
    values = torch.tensor([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]], dtype=dtype)
    samples = [
        sample(torch.tensor([0.1, 0.7, 0.2]), pred=values[0]),
        sample(np.array([2]) if protocol == 2 else 2, pred=values[1].tolist()),
    ]
    labels, scores = load_scores(write(tmp_path / 'x.pkl', samples, protocol))
    assert labels.tolist() == [1, 2]
    assert scores['pred'].tolist() == [[0.5, 0.25, 0.25], [0, 0, 1]]


class Runs:
    """A stranger's object: unpickling it calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    'function', [os.system, subprocess.check_call, eval, getattr, __import__, torch.load, exec]
)
def test_a_pickle_that_runs_code_is_refused(function, tmp_path):
    """Bare, within a sample, and as a pickle within the bytes of a tensor."""
    marker = tmp_path / 'ran'
    call = Runs(function, f'touch {marker}')
    for content in (call, [dict(gt_label=0, pred_score=call)]):
        with pytest.raises(pickle.UnpicklingError, match='only tensors, NumPy arrays and plain'):
            load_scores(write(tmp_path / 'evil.pkl', content))
    assert not marker.exists()


def test_a_pickle_in_the_bytes_of_a_tensor_is_not_run(tmp_path):
    """Torch's own way of unpickling a tensor would unpickle these bytes without any list."""
    marker = tmp_path / 'ran'
    inner = tmp_path / 'inner.pth'
    for new in (True, False):
        torch.save(Runs(os.system, f'touch {marker}'), inner, _use_new_zipfile_serialization=new)
        evil = Runs(torch.storage._load_from_bytes, inner.read_bytes())
        with pytest.raises(pickle.UnpicklingError, match='a pickle in the memory of a tensor'):
            load_plain_pickle(write(tmp_path / 'evil.pkl', [evil]))
    assert not marker.exists()


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (np.array([print], object), rf'got {re.escape(type(np.dtype(object)).__name__)} in'),
        (collections.defaultdict(list), r'got collections\.defaultdict in .*, which was not run'),
        (Runs(torch._utils._rebuild_tensor_v2), 'got "_rebuild_tensor_v2.. missing'),
    ],
)
def test_what_is_not_plain_is_named(content, words, tmp_path):
    with pytest.raises(pickle.UnpicklingError, match=words):
        load_plain_pickle(write(tmp_path / 'x.pkl', content))


def test_a_file_cut_short_is_refused(tmp_path):
    path = tmp_path / 'x.pkl'
    path.write_bytes(pickle.dumps([sample(0, pred=[0.0, 1.0])])[:-5])
    with pytest.raises(pickle.UnpicklingError, match='complete pickle'):
        load_scores(path)
    with pytest.raises(FileNotFoundError):
        load_scores(tmp_path / 'none.pkl')


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (dict(a=1), 'must be a list with a dict for each video, got dict of 1'),
        ([], 'got list of 0'),
        (
            [dict(pred_score=[0.0, 1.0])],
            r"must have 'gt_label', .*got \['pred_score'\] for video 0",
        ),
        ([sample(0, local=[0.0, 1.0])], r"'pred_score'.*got \['gt_label', 'local_score'\]"),
        ([sample(0, pred=[0.0, 1.0]), sample(1, pred=[0.0, 1.0], local=[0.0])], 'for video 1'),
        ([sample(0, pred=[0.0, 1.0]), sample(1, pred=[1.0])], r'got shapes \[\(1,\), \(2,\)\]'),
        ([sample(0, pred=[[0.0, 1.0]])], r'got shapes \[\(1, 2\)\]'),
        ([sample(0, pred=dict(a=1))], "'pred_score' must be"),
        ([sample(0, pred=[0.0, float('nan')])], 'finite numbers'),
        ([sample(0, pred=[0.0, 1.0], local=[1.0])], 'over the same classes'),
        ([sample(2, pred=[0.0, 1.0])], r'labels must be in \[0, 1\].*got 2 to 2'),
        ([sample(torch.tensor([0, 1]), pred=[0.0, 1.0])], 'a label must be one class index'),
    ],
)
def test_what_is_no_dump_of_scores_is_refused(content, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        load_scores(write(tmp_path / 'x.pkl', content))
