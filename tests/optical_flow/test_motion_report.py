"""The report holds the subsets and what led to them; the figures can be read."""

import json

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mmaction_kd.datasets.class_subsets import check_partition
from mmaction_kd.optical_flow.motion_report import motion_report, statistics_table
from mmaction_kd.optical_flow.video_motion import MotionSettings
from mmaction_kd.report.figures.motion_figures import histogram_figure, mean_std_figure

CLASSES = ['walk', 'sit', 'run', 'lie']
LABELS = [
    ('w0', (0,)), ('w1', (0,)), ('s0', (1,)), ('r0', (2,)), ('l0', (3,)), ('l1', (3,)),
    ('bad', (3,)), ('both', (1, 3)),
]  # fmt: skip
MOTIONS = dict(w0=2.0, w1=4.0, s0=0.5, r0=5.0, l0=0.25, l1=0.5, both=0.0)
SKIPPED = dict(bad='the file is empty')


def report(rule='q2'):
    return motion_report(CLASSES, LABELS, MOTIONS, SKIPPED, MotionSettings(), rule)


def random_report(num_classes, rule='q1', scale=1.0):
    rng = np.random.default_rng(num_classes)
    names = [f'class {label}' for label in range(num_classes)]
    labels = [(f'{label}-{i}', (label,)) for label in range(num_classes) for i in range(3)]
    means = scale * rng.gamma(2, 0.5, num_classes)
    motions = {video: means[own[0]] * rng.uniform(0.5, 1.5) for video, own in labels}
    return motion_report(names, labels, motions, {}, MotionSettings(), rule)


def test_report():
    found = report()
    assert found['classes'] == CLASSES
    assert found['subsets'] == dict(dynamic=['walk', 'run'], static=['sit', 'lie'])
    motion = found['motion']
    assert motion['unit'] == 'pixels per frame at short side 128'
    assert motion['class_means'] == dict(walk=3, sit=0.25, run=5, lie=0.25)
    assert motion['class_stds'] == pytest.approx(dict(walk=1, sit=0.25, run=0, lie=0.5 / 6**0.5))
    assert motion['threshold'] == dict(rule='q2', value=1.625)
    assert motion['statistics']['overall'] == pytest.approx(
        dict(q1=0.25, mean=2.125, std=np.std([3, 0.25, 5, 0.25]), iqr=3.25)
    )
    assert motion['statistics']['dynamic'] == dict(q1=3.5, mean=4, std=1, iqr=1)
    assert motion['statistics']['static'] == dict(q1=0.25, mean=0.25, std=0, iqr=0)
    assert motion['videos'] == MOTIONS and motion['skipped'] == SKIPPED


def test_report_is_a_partition_and_json():
    for rule in ('q1', 'q3', 'otsu', 'rank:50', '0.5'):
        found = random_report(101, rule)
        index = {name: i for i, name in enumerate(found['classes'])}
        rows = {subset: [index[n] for n in own] for subset, own in found['subsets'].items()}
        check_partition('test', 'subsets', rows, 101)
        assert all(own == sorted(own) for own in rows.values())
        assert json.loads(json.dumps(found)) == found


def test_the_order_in_which_videos_were_finished_leaves_no_trace():
    turned = dict(reversed(MOTIONS.items()))
    other = motion_report(CLASSES, LABELS, turned, SKIPPED, MotionSettings(), 'q2')
    assert json.dumps(other) == json.dumps(report())


def test_a_class_without_a_usable_video_is_named():
    motions = {name: motion for name, motion in MOTIONS.items() if name[0] not in 'lb'}
    skipped = SKIPPED | dict(w9='not of this class')
    words = r"got none for \['lie'\] and the unusable \{'bad': 'the file is empty'\}"
    with pytest.raises(ValueError, match=words):
        motion_report(CLASSES, [*LABELS, ('w9', (0,))], motions, skipped, MotionSettings())


def test_table():
    lines = statistics_table(report()).splitlines()
    assert 'pixels per frame at short side 128' in lines[0]
    assert lines[2:] == [
        'classes | number | Q1 | mean | STD | IQR',
        '--- | --- | --- | --- | --- | ---',
        'overall | 4 | 0.250 | 2.125 | 2.004 | 3.250',
        'dynamic | 2 | 3.500 | 4.000 | 1.000 | 1.000',
        'static | 2 | 0.250 | 0.250 | 0.000 | 0.000',
    ]


# --- Figures ------------------------------------------------------------------------------------


@pytest.mark.parametrize('figure_of', [histogram_figure, mean_std_figure])
@pytest.mark.parametrize('data', [
    report(), random_report(8), random_report(101, 'otsu'), random_report(51, scale=1000.0),
], ids=['4 classes', '8 classes', '101 classes', 'large motions'])  # fmt: skip
def test_no_word_is_cut_off(figure_of, data):
    """The outermost pixels are white."""
    canvas = FigureCanvasAgg(figure_of(data))
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())  # (H, W, 4)
    assert image.min() == 0
    for edge in (image[0], image[-1], image[:, 0], image[:, -1]):
        assert edge.min() == 255


def test_the_histogram_counts_every_class_on_its_side_of_the_line():
    data = random_report(101)  # a class lies at Q1 itself
    (axes,) = histogram_figure(data).axes
    assert axes.get_xlabel().endswith('[pixels per frame at short side 128]')
    assert axes.get_ylabel() == 'number of classes'
    threshold = data['motion']['threshold']['value']
    static, dynamic = axes.containers
    assert sum(bar.get_height() for bar in static) == 26
    assert sum(bar.get_height() for bar in dynamic) == 75
    for bars, left in ((static, True), (dynamic, False)):
        for bar in bars:
            if bar.get_height():
                assert (bar.get_x() + bar.get_width() / 2 < threshold) == left
    (line,) = axes.lines
    assert line.get_xdata()[0] == threshold and line.get_label() == f'Q1 = {threshold:.3f}'


def test_the_histogram_shows_q1_beside_another_threshold():
    (axes,) = histogram_figure(random_report(51, 'q3')).axes
    q1, threshold = (line.get_label() for line in axes.lines)
    assert q1.startswith('Q1 = ') and threshold.startswith('threshold (q3) = ')


def test_the_regression_line():
    data = random_report(51)
    motion = data['motion']
    (axes,) = mean_std_figure(data).axes
    (line,) = axes.lines
    x, y = (np.array(list(motion[key].values())) for key in ('class_means', 'class_stds'))
    slope = np.cov(x, y, ddof=0)[0, 1] / x.var()
    expected = y.mean() + slope * (line.get_xdata() - x.mean())
    np.testing.assert_allclose(line.get_ydata(), expected)
    assert line.get_xdata().tolist() == [x.min(), x.max()]
    points = np.concatenate([part.get_offsets() for part in axes.collections])
    assert sorted(map(tuple, points.tolist())) == sorted(zip(x, y, strict=True))
    assert not axes.texts  # of 51 classes the names would hide the points


def test_few_classes_are_named():
    (axes,) = mean_std_figure(report()).axes
    assert sorted(text.get_text() for text in axes.texts) == sorted(CLASSES)
