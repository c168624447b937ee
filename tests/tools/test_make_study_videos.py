"""The study videos are what their classes say, and the same for the same seed."""

import runpy
import sys

import cv2
import numpy as np
import pytest
from tool_runs import ROOT, run_tool

sys.path.insert(0, str(ROOT / 'tools/data'))
study = runpy.run_path(str(ROOT / 'tools/data/make_study_videos.py'))
sys.path.pop(0)
CLASSES, FRAMES = study['CLASSES'], study['FRAMES']
HUES = dict(red=0, yellow=30, cyan=90, blue=120)
SMALL = ['--train', 3, '--test', 2, '--sets', 2, '--distractors', 0.5]


def drawn(label, seed):
    """Radius and colour, as a name, of the disc in each frame."""
    radii, names = [], []

    def noted(frame, centre, radius, colour):
        radii.append(radius)
        hsv = cv2.cvtColor(np.uint8([[colour]]), cv2.COLOR_BGR2HSV)[0, 0].astype(int)
        names.append(min(HUES, key=lambda name: abs((hsv[0] - HUES[name] + 90) % 180 - 90)))
        disc(frame, centre, radius, colour)

    disc, std = study['disc'], study['HUE_STD']
    study['render'].__globals__.update(disc=noted, HUE_STD=0)
    frames = study['render'](label, np.random.default_rng(seed), weak=0)
    study['render'].__globals__.update(disc=disc, HUE_STD=std)
    assert frames.shape == (FRAMES, 32, 32, 3) and frames.dtype == np.uint8
    return np.array(radii), names


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('label', range(4))
def test_a_still_class_is_the_order_of_its_colours(label, seed):
    radii, colours = drawn(label, seed)
    assert f'{colours[0]}_{colours[-1]}' == CLASSES[label]
    changes = [t for t in range(1, FRAMES) if colours[t] != colours[t - 1]]
    assert len(changes) == 1 and 0.3 <= changes[0] / FRAMES <= 0.75
    assert radii.max() / radii.min() < 1.06 / 0.94


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('label, period', [(4, 4), (5, 8), (6, 4), (7, 8)])
def test_a_moving_class_is_the_period_of_its_size_and_its_pair(label, period, seed):
    radii, colours = drawn(label, seed)
    pairs = dict(warm={'red', 'yellow'}, cold={'cyan', 'blue'})
    assert set(colours) == pairs[CLASSES[label].split('_')[1]]
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
