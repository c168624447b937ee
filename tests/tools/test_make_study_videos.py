"""The study videos are what their classes say, and the same for the same seed."""

import runpy
import sys

import numpy as np
import pytest
from tool_runs import ROOT, run_tool

sys.path.insert(0, str(ROOT / 'tools/data'))
study = runpy.run_path(str(ROOT / 'tools/data/make_study_videos.py'))
sys.path.pop(0)
CLASSES, FRAMES = study['CLASSES'], study['FRAMES']
SMALL = ['--train', 3, '--test', 2, '--sets', 2, '--distractors', 0.5]


def drawn(label, seed):
    """Shape and radius of the large polygon in each frame."""
    found = []

    def noted(shape, radius, *args):
        found.append((shape, radius))
        return polygon(shape, radius, *args)

    polygon = study['polygon']
    study['render'].__globals__['polygon'] = noted
    frames = study['render'](label, np.random.default_rng(seed), weak=0)
    study['render'].__globals__['polygon'] = polygon
    assert frames.shape == (FRAMES, 64, 64, 3) and frames.dtype == np.uint8
    shapes, radii = zip(*found[::2], strict=True)
    return shapes, np.array(radii)


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('label', range(4))
def test_a_still_class_is_the_order_of_its_shapes(label, seed):
    shapes, radii = drawn(label, seed)
    assert f'{shapes[0]}_{shapes[-1]}' == CLASSES[label]
    changes = [t for t in range(1, FRAMES) if shapes[t] != shapes[t - 1]]
    assert len(changes) == 1 and 0.3 <= changes[0] / FRAMES <= 0.75
    assert radii.max() / radii.min() < 1.06 / 0.94


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('label, period', [(4, 4), (5, 8), (6, 4), (7, 8)])
def test_a_moving_class_is_the_period_of_its_size_and_its_pair(label, period, seed):
    shapes, radii = drawn(label, seed)
    pairs = dict(round={'disc', 'square'}, spiky={'triangle', 'star'})
    assert set(shapes) == pairs[CLASSES[label].split('_')[1]]
    np.testing.assert_allclose(radii[period:], radii[:-period])
    assert not np.allclose(radii[period // 2 :], radii[: -period // 2], rtol=0.1)


def test_training_sets_are_apart_and_only_they_have_distractors(tmp_path):
    run_tool('tools/data/make_study_videos.py', tmp_path, *SMALL)
    lists = {}
    for name in ('train_0', 'train_1', 'test'):
        rows = [line.rsplit(' ', 1) for line in (tmp_path / f'{name}.txt').read_text().splitlines()]
        lists[name] = {path: CLASSES[int(label)] for path, label in rows}
        assert all((tmp_path / 'videos' / path).exists() for path in lists[name])
    assert not lists['train_0'].keys() & lists['train_1'].keys()
    wrong = {
        name: np.mean([label not in path for path, label in rows.items()])
        for name, rows in lists.items()
    }
    assert wrong['test'] == 0 and 0.2 < wrong['train_0'] < 0.8

    victim, other = (tmp_path / 'videos' / path for path in list(lists['test'])[:2])
    before, stamp = victim.read_bytes(), other.stat().st_mtime_ns
    victim.unlink()
    run_tool('tools/data/make_study_videos.py', tmp_path, *SMALL)
    assert victim.read_bytes() == before and other.stat().st_mtime_ns == stamp
    assert other.read_bytes() != before
    said = run_tool('tools/data/make_study_videos.py', tmp_path, '--seed', 1, code=1)
    assert 'take another folder' in said and 'Traceback' not in said
