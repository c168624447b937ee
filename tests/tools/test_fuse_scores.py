"""Fusions of dumped scores whose right answer is known."""

import json
import os
import pickle
import runpy
import sys

import mbd_oracle
import numpy as np
import pytest
import torch
from tool_runs import ROOT

from mmaction_kd.evaluation.dumped_scores import DumpedScores

fuse_scores = runpy.run_path(str(ROOT / 'tools/analysis_tools/fuse_scores.py'))
evaluate, strategies = fuse_scores['evaluate'], list(fuse_scores['STRATEGIES'])


@pytest.fixture
def run(monkeypatch, capsys):
    """The tool by its command line; what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['fuse_scores.py', *map(str, arguments)])
        fuse_scores['main']()
        return capsys.readouterr().out

    return run


def dumped(labels, local, global_):
    scores = {'pred': local, 'local': local, 'global': global_}
    return DumpedScores(np.array(labels), {h: np.array(s, float) for h, s in scores.items()})


def pairs(seed, videos=40):
    """The local pathway knows classes 0 and 1, the global one 2 and 3; else each is wrong."""
    rng = np.random.default_rng(seed)
    labels = np.arange(videos) % 4
    unsure = {'local': 0, 'global': 3}  # its scores of the other's classes
    scores = {}
    for name, known in (('local', (0, 1)), ('global', (2, 3))):
        likes = np.where(np.isin(labels, known), labels, unsure[name])
        mass = np.where(np.isin(labels, known), 0.9, 0.04) + rng.uniform(0, 0.02, videos)
        rows = np.repeat((1 - mass)[:, None] / 4, 4, 1)
        rows[np.arange(videos), likes] += mass
        scores[name] = rows
    return dumped(labels, scores['local'], scores['global'])


def write(path, dump):
    """As MMEngine's DumpResults does."""
    samples = [
        {
            'gt_label': torch.tensor([label]),
            **{f'{h}_score': torch.tensor(s[i]).float() for h, s in dump.scores.items()},
        }
        for i, label in enumerate(dump.labels.tolist())
    ]
    path.write_bytes(pickle.dumps(samples, 2))
    return path


def test_each_pathway_knows_a_pair_and_every_fusion_all(run, tmp_path):
    """From file to file, twice: the figures are the same to the last digit."""
    files = [write(tmp_path / f'{seed}.pkl', pairs(seed)) for seed in (0, 1)]
    out = run(*files, '--out', tmp_path / 'new/first.json')
    run(*files, '--out', tmp_path / 'second.json')
    text = (tmp_path / 'new/first.json').read_text()
    assert text == (tmp_path / 'second.json').read_text()
    alone = ('local', 'global', 'model')
    expected = {s: 0.5 if s in alone else 1.0 for s in strategies}
    assert json.loads(text) == {
        f'acc/{s}_{kind}': value for s, value in expected.items() for kind in ('top1', 'mean1')
    }
    for name, value in expected.items():
        assert f'| {name} | {value:.4f} | {value:.4f} |' in out
    assert '40 training videos, 40 test videos' in out


def test_what_is_not_fitted_equals_the_oracle():
    rng = np.random.default_rng(6)
    scores = {
        h: np.array([mbd_oracle.softmax(z) for z in rng.normal(size=(300, 5)) * scale])
        for h, scale in (('local', 1.0), ('global', 1.7))
    }
    labels = rng.integers(0, 5, 300)
    labels[:100] = 0  # uneven classes: the two accuracies differ
    dump = dumped(labels, scores['local'], scores['global'])
    by_hand = {
        'local': scores['local'],
        'global': scores['global'],
        'average': scores['local'] + scores['global'],
        'max': np.maximum(scores['local'], scores['global']),
        'adaptive': mbd_oracle.eq14_15(scores)[0],
    }
    found = evaluate(dump, dump, list(by_hand))
    for name, fused in by_hand.items():
        right = fused.argmax(1) == labels
        assert found[f'acc/{name}_top1'] == pytest.approx(right.mean())
        by_class = np.mean([right[labels == k].mean() for k in range(5)])
        assert found[f'acc/{name}_mean1'] == pytest.approx(by_class)
    assert len({found[f'acc/{name}_top1'] for name in by_hand}) == len(by_hand)


def test_the_weight_is_chosen_on_the_training_scores():
    """There the local pathway is right and the other surely wrong, on the test the reverse."""
    labels = np.arange(20) % 2
    right, wrong = np.eye(2)[labels], np.eye(2)[1 - labels] * 0.9 + 0.05
    train, test = dumped(labels, right, wrong), dumped(labels, wrong, right)
    assert fuse_scores['choose_weights'](train) == (1, 0)
    assert evaluate(train, train, ['weighted'])['acc/weighted_top1'] == 1
    assert evaluate(train, test, ['weighted'])['acc/weighted_top1'] == 0
    assert fuse_scores['choose_weights'](dumped(labels, right, right)) == (0.5, 0.5)


def test_products_know_what_no_sum_does():
    """The class is whether the pathways agree: no linear function of their scores separates it."""
    rng = np.random.default_rng(0)
    votes = rng.integers(0, 2, (2, 200))
    votes[:, :4] = [[0, 0, 1, 1], [0, 1, 0, 1]]
    local, global_ = (np.eye(2)[side] * 0.8 + 0.1 for side in votes)
    dump = dumped((votes[0] != votes[1]).astype(int), local, global_)
    found = evaluate(dump, dump, ['concat', 'svm_linear', 'bilinear', 'svm_rbf'])
    assert found['acc/bilinear_top1'] == found['acc/svm_rbf_top1'] == 1
    assert max(found['acc/concat_top1'], found['acc/svm_linear_top1']) <= 0.8


class Runs:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return os.system, self.call


def test_a_file_that_runs_code_is_refused(run, tmp_path):
    good, evil = write(tmp_path / 'good.pkl', pairs(0)), tmp_path / 'evil.pkl'
    evil.write_bytes(pickle.dumps([Runs(f'touch {tmp_path}/ran')]))
    with pytest.raises(pickle.UnpicklingError, match=r'got posix\.system in .*, which was not run'):
        run(good, evil)
    assert not (tmp_path / 'ran').exists()


def test_other_scores_are_refused():
    dump = pairs(0)
    alone = DumpedScores(dump.labels, {'pred': dump.scores['pred']})
    with pytest.raises(ValueError, match=r"test scores must be .*got \['pred'\]"):
        evaluate(dump, alone, ['local'])
    five = dumped([0], [[1, 0, 0, 0, 0]], [[1, 0, 0, 0, 0]])
    with pytest.raises(ValueError, match=r"same classes, got \{'training': 5, 'test': 4\}"):
        evaluate(five, dump, ['local'])
    many = np.full((5400, 400), 1 / 400)
    with pytest.raises(ValueError, match='got 5400 x 400²; leave it out by --strategies'):
        fuse_scores['products']({'local': many, 'global': many})
