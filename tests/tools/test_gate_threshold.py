"""From dumps to a gate that keeps what it promises, in the tool's files and in the model."""

import csv
import importlib
import json
import sys

import numpy as np
import pytest
import tiny_mbd
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from test_fuse_scores import dumped, write
from tool_runs import ROOT, TINY

sys.path.insert(0, str(ROOT / 'tools/analysis_tools'))
gate_threshold = importlib.import_module('gate_threshold')


@pytest.fixture
def run(monkeypatch, capsys):
    """The tool by its command line; what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['gate_threshold.py', *map(str, arguments)])
        with DefaultScope.overwrite_default_scope('mmaction'):
            gate_threshold.main()
        return capsys.readouterr().out

    return run


def sure_or_wrong(seed, videos=40, classes=4):
    """Where the local pathway is sure, in half of the videos, it is right; else the global is."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=videos)
    sure = np.arange(videos) % 2 == 0
    rows = np.arange(videos)

    def scores(best, mass):
        found = np.repeat((1 - mass)[:, None] / classes, classes, 1)
        found[rows, best] += mass
        return found

    noise = rng.uniform(0, 0.05, videos)
    local = scores(np.where(sure, labels, (labels + 1) % classes), np.where(sure, 0.8, 0.1) + noise)
    dump = dumped(labels, local, scores(labels, 0.5 + noise))
    dump.scores['pred'] = (dump.scores['local'] + dump.scores['global']) / 2
    return dump


def test_the_gate_of_half_the_global_compute_is_found_and_told_of_a_test(run, tmp_path):
    validation = [write(tmp_path / f'{seed}.pkl', sure_or_wrong(seed)) for seed in (0, 1)]
    test = write(tmp_path / 'test.pkl', sure_or_wrong(2, videos=30))
    out = run(*validation, '--gmacs', 2, 10, '--apply', test, '--out', tmp_path / 'new/out')
    found = json.loads((tmp_path / 'new/out/gate.json').read_text())
    gate = found['validation']['within 0']['gate']
    assert f'model.fusion_head.gate={gate!r}' in out
    for which in ('validation', 'test'):
        rows = found[which]
        kept = {k: v for k, v in rows['none passes'].items() if k != 'mean1'}
        assert kept == pytest.approx(dict(gate=0, global_share=0, gmacs=2, top1=0.5))
        assert rows['all pass'] == pytest.approx(
            dict(gate=1, global_share=1, gmacs=12, top1=1, mean1=1)
        )
        expected = dict(gate=gate, global_share=0.5, gmacs=7, top1=1, mean1=1)
        assert rows['within 0'] == pytest.approx(expected)
    with open(tmp_path / 'new/out/gate_curve.csv', newline='') as file:
        curve = list(csv.DictReader(file))
    assert len(curve) == 81 and float(curve[40]['gate']) == gate
    assert (tmp_path / 'new/out/gate_curve.png').read_bytes().startswith(b'\x89PNG')


def test_a_tolerance_buys_a_smaller_share(run, tmp_path):
    validation = write(tmp_path / 'v.pkl', sure_or_wrong(0))
    options = ('--gmacs', 1, 1, '--metric', 'mean1', '--out', tmp_path)
    run(validation, *options, '--tolerance', 0.2)
    rows = json.loads((tmp_path / 'gate.json').read_text())['validation']
    best, cheaper = rows['within 0'], rows['within 0.2']
    assert best['mean1'] - 0.2 <= cheaper['mean1'] < best['mean1']
    assert cheaper['global_share'] < best['global_share'] == 0.5


def test_gmacs_and_dominance_are_those_of_the_config(run, tmp_path):
    """Of all views: 30 times those of one, as get_flops reports them."""
    cfg = Config.fromfile(ROOT / TINY)
    cfg.model.fusion_head.dominance = dict(metric='sqeuclidean')
    cfg.dump(tmp_path / 'cfg.py')
    dump = write(tmp_path / 'v.pkl', sure_or_wrong(0))
    run(dump, '--config', tmp_path / 'cfg.py', '--out', tmp_path)
    rows = json.loads((tmp_path / 'gate.json').read_text())['validation']
    with DefaultScope.overwrite_default_scope('mmaction'):
        inputs = gate_threshold.one_view(cfg.train_dataloader.dataset.pipeline)
        model = gate_threshold.MODELS.build(cfg.model).to('meta')
        one = {
            name: gate_threshold.count(pathway, inputs[f'{name}_pathway'])[1]
            for name, pathway in model.pathways.items()
        }
    assert rows['none passes']['gmacs'] == pytest.approx(30 * one['local'], rel=1e-6)
    assert rows['all pass']['gmacs'] == pytest.approx(30 * sum(one.values()), rel=1e-6)
    # sqeuclidean: P = softmax(2 f), so D is above what the Euclidean distance allows of 4 classes
    assert rows['within 0']['gate'] > np.exp(2**0.5) / (np.exp(2**0.5) + 3) * 0.5


def test_the_model_does_what_the_tool_foretold(run, tmp_path):
    """The same share of the videos, and the same accuracy, by the gate that the tool prints."""
    model = tiny_mbd.build().eval()
    inputs, samples = tiny_mbd.batch(24)
    with torch.no_grad():
        predictions = [s.to_dict() for s in model.predict(inputs, samples)]
    for i, sample in enumerate(predictions):  # a global pathway that is always right
        label = int(sample['local_score'].argmax()) if i % 3 else i % tiny_mbd.CLASSES
        sample['gt_label'] = torch.tensor([label])
    scores = {
        h: np.stack([s[f'{h}_score'].numpy() for s in predictions])
        for h in ('local', 'global', 'pred')
    }
    dump = dumped([int(s['gt_label']) for s in predictions], scores['local'], scores['global'])
    dump.scores['pred'] = scores['pred'].astype(float)
    run(write(tmp_path / 'v.pkl', dump), '--gmacs', 1, 1, '--out', tmp_path)
    with open(tmp_path / 'gate_curve.csv', newline='') as file:
        curve = list(csv.DictReader(file))
    for entry in curve[::6]:
        model.fusion_head.gate = float(entry['gate'])
        inputs, samples = tiny_mbd.batch(24)
        with torch.no_grad():
            gated = model.predict(inputs, samples)
        share = np.mean(['global_score' in sample for sample in gated])
        right = [int(s.pred_label) == y for s, y in zip(gated, dump.labels, strict=True)]
        assert share == pytest.approx(float(entry['global_share']))
        assert np.mean(right) == pytest.approx(float(entry['top1']))


def test_what_can_not_be_told_is_refused(run, tmp_path):
    dump = sure_or_wrong(0)
    del dump.scores['global']
    alone = write(tmp_path / 'alone.pkl', dump)
    with pytest.raises(ValueError, match=r"'local' and 'global' for every video, got .*gate=None"):
        run(alone, '--gmacs', 1, 1, '--out', tmp_path)
    four, fewer = (write(tmp_path / f'{k}.pkl', sure_or_wrong(0, classes=k)) for k in (4, 3))
    with pytest.raises(ValueError, match='must be of the same classes'):
        run(four, fewer, '--gmacs', 1, 1, '--out', tmp_path)
    for change, words in (
        (dict(type='mmaction_kd.FeatureFusionHead'), 'got mmaction_kd.FeatureFusionHead'),
        (dict(dominance=dict(labels='centers')), "got labels='centers'"),
    ):
        cfg = Config.fromfile(ROOT / TINY)
        cfg.model.fusion_head.update(change)
        cfg.dump(tmp_path / 'cfg.py')
        with pytest.raises(ValueError, match=words):
            run(four, '--config', tmp_path / 'cfg.py', '--out', tmp_path)


@pytest.mark.parametrize(
    'given, words',
    [
        (('--gmacs', 1, 1, '--tolerance', 'nan'), '--tolerance must be at least 0, got nan'),
        (('--gmacs', 'nan', 1), '--gmacs must be two numbers above 0, got [nan, 1.0]'),
        (('--gmacs', 1, 0), '--gmacs must be two numbers above 0, got [1.0, 0.0]'),
    ],
)
def test_numbers_out_of_range_are_told(run, capsys, tmp_path, given, words):
    with pytest.raises(SystemExit):
        run('a.pkl', '--out', tmp_path, *given)
    assert words in capsys.readouterr().err
