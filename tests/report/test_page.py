"""The page: its content, what it needs, its size."""

import re
from html import unescape

import numpy as np
import pytest
from made_up_run import evaluation, mbd_lines, mbd_log, write_run

from mmaction_kd.evaluation import SelectivityMetric
from mmaction_kd.report import dtkd
from mmaction_kd.report.figures.run_figures import class_bars_figure, class_map_figure, thinned
from mmaction_kd.report.page import run_page
from mmaction_kd.report.run import load_run

HOSTILE = '<script>alert(1)</script>'
MEGABYTES = 5


def rows(html, heading):
    """Cells of the table that follows a heading."""
    table = re.search(f'<h3>{heading}</h3><table>(.*?)</table>', html, re.S)[1]
    cells = [re.findall(r'<td[^>]*>(.*?)</td>', row) for row in re.findall('<tr>(.*?)</tr>', table)]
    return [[unescape(cell) for cell in row] for row in cells if row]


def section(html, title):
    return re.split('<h2>|<details>', html.split(f'<h2>{title}</h2>')[1])[0]


@pytest.fixture(scope='module')
def largest(tmp_path_factory):
    """The page of 120 epochs with 400 classes, against another run."""
    folder = tmp_path_factory.mktemp('largest')
    names = [f'a class with a name of usual length {i}' for i in range(400)]
    lines = mbd_lines(120, 400)
    run = write_run(folder / 'run', lines, names, log=mbd_log(120, 10))
    baseline = write_run(folder / 'baseline', lines[:2], names)
    return run_page(load_run(run), load_run(baseline))


def test_the_largest_page_is_small_enough(largest):
    assert len(largest.encode()) < MEGABYTES * 1e6
    assert largest.count('<img ') >= 12


def test_the_page_needs_no_network(largest):
    """No address but those of the images' own data."""
    markup = re.sub(r'"data:image/[a-z+]+;base64,[^"]*"', '""', largest)
    assert len(markup) < len(largest) / 4
    for word in ('http', '//', 'url(', '@import', '<script', '<link', '<iframe'):
        assert word not in markup, word
    assert set(re.findall(r'<img src="(data:image/[^,]{3,20}),', largest)) <= {
        'data:image/svg+xml;base64', 'data:image/png;base64',
    }  # fmt: skip
    assert largest.count('<img src="data:') == largest.count('<img ')


def test_each_figure_says_how_to_read_it(largest):
    captions = re.findall(r'<figcaption>(.*?)</figcaption>', largest)
    assert len(captions) == largest.count('<figure>') == largest.count('<img ')
    assert all(len(caption) > 20 and caption.endswith('.') for caption in captions)


def test_names_are_text_whatever_they_hold(tmp_path):
    """In classes, in the name of the config, of the folder and of metrics, and of a baseline."""
    classes = [HOSTILE, '"><img src=x onerror=alert(1)>', '$\\frac{a', '_hidden & <b>']
    matrix = np.full((4, 4), 2)
    more = dict(weights={HOSTILE: dict(mean=[0.1] * 4, bins=[1] * 20)})
    log = [
        {
            'loss': 1.0,
            f'{HOSTILE}/loss_cls': 1.0,
            '$x_/top1_acc': 0.5,
            'loss_<b>': 1.0,
            'epoch': 1,
            'iter': 1,
        }
    ]
    lines = [
        *mbd_lines(2, 4),
        evaluation(matrix, metrics={HOSTILE: 1.0}, **more),
    ]
    folder = write_run(tmp_path / '<b>run', lines, classes, name=HOSTILE, log=log)
    other = write_run(
        tmp_path / 'other', [evaluation(matrix.T + np.eye(4, dtype=int))], name=HOSTILE
    )
    for baseline in (None, load_run(other)):
        html = run_page(load_run(folder), baseline, notes=[HOSTILE], written=HOSTILE)
        assert '<script' not in html and 'onerror=alert(1)>' not in html and '<b>' not in html
        assert html.count('&lt;script&gt;alert(1)&lt;/script&gt;') > 5


def test_the_gain_table_is_right(tmp_path):
    before = [[6, 4, 0], [0, 10, 0], [1, 2, 7]]
    now = [[9, 1, 0], [2, 7, 1], [1, 2, 7]]
    names = ['sit', 'run', 'jump']
    run, baseline = (
        load_run(write_run(tmp_path / n, [evaluation(m)], names, n))
        for n, m in (('now', now), ('before', before))
    )
    html = run_page(run, baseline)
    assert rows(html, 'Largest gains') == [['sit', '60.0 %', '90.0 %', '+30.0']]
    assert rows(html, 'Largest losses') == [['run', '100.0 %', '70.0 %', '-30.0']]
    assert rows(html, 'Pairs confused less') == [['sit', 'run', '4 → 1', '10']]
    assert rows(html, 'Pairs confused more') == [
        ['run', 'sit', '0 → 2', '10'],
        ['run', 'jump', '0 → 1', '10'],
    ]
    assert 'Against before, in the last test.' in html


def test_ten_rows_are_shown_of_each_table(tmp_path):
    rng = np.random.default_rng(0)
    run, baseline = (
        load_run(write_run(tmp_path / n, [evaluation(rng.integers(1, 50, (30, 30)))]))
        for n in ('now', 'before')
    )
    html = run_page(run, baseline)
    for heading in (
        'Largest gains',
        'Largest losses',
        'Pairs confused less',
        'Pairs confused more',
    ):
        assert len(rows(html, heading)) == 10
    gains = [float(row[-1]) for row in rows(html, 'Largest gains')]
    assert gains == sorted(gains, reverse=True)


def test_top_confusions_without_a_baseline(tmp_path):
    run = load_run(write_run(tmp_path, [evaluation([[6, 3, 1], [5, 5, 0], [0, 0, 10]])]))
    text = section(run_page(run), 'Confusions')
    found = [re.findall(r'<td[^>]*>(.*?)</td>', row) for row in re.findall('<tr>(.*?)</tr>', text)]
    assert found[1:] == [
        ['class 1', 'class 0', '5 of 10'],
        ['class 0', 'class 1', '3 of 10'],
        ['class 0', 'class 2', '1 of 10'],
    ]


def test_a_run_without_distillation_says_nothing_of_it(tmp_path):
    html = run_page(load_run(write_run(tmp_path)))
    assert 'no distillation' in html and 'not validated' in html
    assert not re.search('<h2>(Dominance|Fusion|Teachers|Selectivity|Gain|Confusions)', html)


def test_weights_of_the_responsible_teachers(tmp_path):
    """Classes 0 and 2 are the static teacher's; it has 3 videos of class 0 and 1 of class 2."""
    sums = dict(static=[1.5, 0, 0.9, 0], dynamic=[0, 1.6, 0, 0])
    seen = dict(count=[3, 2, 1, 0], sums=sums)
    line = dict(kind='train', epoch=1, iter=1, sources=dict(teacher_weights=seen))
    lines = [line, evaluation(np.eye(4, dtype=int), 'val', epoch=1, iter=1)]
    html = run_page(load_run(write_run(tmp_path, lines)))
    table = html.split('All 4 classes in numbers')[1]
    found = [re.findall(r'<td[^>]*>(.*?)</td>', row) for row in re.findall('<tr>(.*?)</tr>', table)]
    assert [row[-2:] for row in found[1:]] == [
        ['50.0 %', '0.0 %'], ['0.0 %', '80.0 %'], ['90.0 %', '0.0 %'], ['–', '–'],
    ]  # fmt: skip


def test_the_responsible_teacher_is_the_recorded_one(tmp_path):
    """Of both classes the dynamic teacher weighs more, yet class 0 is the static one's."""
    seen = dict(
        teacher_weights=dict(count=[2, 2], sums=dict(static=[0.2, 0.1], dynamic=[1.5, 1.8])),
        responsible=dict(count=[2, 2], sums=dict(static=[2, 0], dynamic=[0, 2])),
    )
    hits_of = dict(static=[3, 0], dynamic=[1, 2])
    lines = [
        dict(kind='train', epoch=1, iter=1, sources=seen),
        evaluation([[4, 0], [1, 3]], 'val', epoch=1, iter=1, hits_of=hits_of),
    ]
    found = dtkd.teachers_in_validation(load_run(write_run(tmp_path, lines)))
    assert {name: y.tolist() for name, (_, y) in found.items()} == {
        'static teacher': [3 / 4], 'dynamic teacher': [2 / 4],
    }  # fmt: skip


def test_what_the_metric_of_selectivity_writes_has_a_section(tmp_path):
    metric = SelectivityMetric(dict(static=[0], dynamic=[1]))
    results = [
        dict(subset='static', static=0.1, dynamic=0.4), dict(subset='dynamic', static=2, dynamic=1)
    ]  # fmt: skip
    found = metric.compute_metrics(results)
    values = {f'{metric.prefix}/{key}': value for key, value in found.items()}
    html = run_page(load_run(write_run(tmp_path, log=[dict(values, step=1)])))
    text = section(html, 'Selectivity: who is imitated')
    assert 'Selectivity margin (SM)' in text and 'Selectivity ratio (SIR)' in text
    assert html.count('what distillation did') == 1


def test_a_work_dir_of_a_test_is_a_page(tmp_path):
    lines = [evaluation([[3, 1], [0, 4]], metrics={'acc/top1': 0.875})]
    html = run_page(load_run(write_run(tmp_path, lines, log=())))
    assert 'this is a test alone' in html and '0.8750' in html


def test_thinned_curves_keep_their_mean():
    x, y = np.arange(1000.0), np.random.default_rng(0).random(1000)
    few_x, few_y = thinned(x, y, 100)
    assert len(few_x) == 100 and few_y.mean() == pytest.approx(y.mean())
    assert few_x[0] == 4.5 and few_y[0] == pytest.approx(y[:10].mean())
    assert thinned(x, y, 1000)[1] is y


def test_class_map_is_sorted_by_its_last_column():
    values = np.array([[0.1, 0.2, np.nan], [0.3, 0.9, np.nan]])
    axes = class_map_figure(np.array([1.0, 2.0]), values, ['a', 'b', 'c'], 'epoch', 'x').axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ['b', 'a', 'c']
    shown = np.ma.filled(axes.images[0].get_array().astype(float), np.nan)
    np.testing.assert_array_equal(shown, [[0.2, 0.9], [0.1, 0.3], [np.nan, np.nan]])


def test_bars_of_many_classes_are_the_extremes():
    values = np.linspace(0, 1, 100)
    values[50] = np.nan
    axes = class_bars_figure(values, [str(i) for i in range(100)], 'x').axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [str(i) for i in [*range(99, 87, -1), *range(11, -1, -1)]]
    assert any('75 classes between' in text.get_text() for text in axes.texts)
