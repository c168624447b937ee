"""The report of recorded runs: every figure against NumPy."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.image import imread
from recorded import read_study, record

from mmaction_kd.report.figures import study_figures as figures
from mmaction_kd.study.report import write_report
from mmaction_kd.study.results import comparison, gather, markdown
from mmaction_kd.study.selectivity import teacher_distances

STUDY = """
    title = 'A study'
    metric = 'acc/top1'
    metrics = ['acc/static_mean1']
    baseline = 'plain'
    paper = dict(plain=95.14, taught=96.06)
    paper_name = 'UCF101 top-1'
    folds = ['one', 'two', 'three']
    seeds = [0, 1, 2]
    arms = dict(plain=dict(command='x'), taught=dict(command='y'), worse=dict(command='z'))
    tables = [dict(title='Table', rows=['plain', 'taught', 'worse'], metric=metric,
                   metrics=metrics, baseline=baseline, paper=paper, paper_name=paper_name)]
    figures = [
        dict(kind='bars', title='Bars', arms=['plain', 'taught'],
             metrics=['acc/top1', 'acc/static_mean1']),
        dict(kind='curves', title='Curves', arms=['plain', 'taught'], metric='acc/top1'),
    ]
"""


@pytest.fixture
def study(tmp_path):
    """Nine runs of each arm; 'taught' differs by noise, 'worse' by much."""
    study = read_study(tmp_path, STUDY)
    random = np.random.default_rng(0)
    for run in study.runs:
        offset = dict(plain=0, taught=0.001, worse=-0.3)[run.arm]
        top1 = 0.6 + offset + random.normal(0, 0.02)
        curve = [(epoch, {'acc/top1': top1 * epoch / 9}) for epoch in (3, 6, 9)]
        record(run, {'acc/top1': top1, 'acc/static_mean1': top1 / 2}, curve)
    return study


def test_a_row_holds_mean_spread_and_paired_difference(study):
    results = gather(study.runs)
    rows = {arm: dict(arm=arm, metric='acc/top1') for arm in study.arms}
    table = comparison(results, rows, 'plain', ['acc/static_mean1'], study.cfg.paper, folds=3)

    def values(arm):
        return np.array([r.result()['metrics']['acc/top1'] for r in study.runs if r.arm == arm])

    for arm in study.arms:
        line = table.loc[arm]
        assert line['runs'] == 9
        assert line['mean'] == pytest.approx(values(arm).mean())
        assert line['std'] == pytest.approx(values(arm).std(ddof=1))
        assert line['acc/static_mean1'] == pytest.approx(values(arm).mean() / 2)
    difference = values('taught') - values('plain')
    assert table.loc['taught', 'difference'] == pytest.approx(difference.mean())
    reach = 2.306004135 * difference.std(ddof=1) * np.sqrt(1 / 9 + 1 / 2)
    assert table.loc['taught', 'high'] == pytest.approx(difference.mean() + reach)
    assert list(table['verdict']) == ['', 'none', 'worse']
    assert str(table.loc['taught', 'paper_difference']) == '0.92'


def test_the_papers_figures_keep_their_digits_in_columns_of_their_own(study):
    rows = {arm: dict(arm=arm, metric='acc/top1') for arm in study.arms}
    paper = dict(
        plain=dict(top1='77.10', static_mean1='90'),
        taught=dict(top1='79.40', other='1'),
        gone=dict(top1='1'),
    )
    table = comparison(gather(study.runs), rows, 'plain', ['acc/static_mean1', 'acc/top5'], paper)
    lines = [line.split(' | ')[-2:] for line in markdown(table, 'acc/top1', 'plain').splitlines()]
    assert lines[0] == ["the paper's", "the paper's static_mean1 |"]
    assert lines[2:] == [['77.10', '90 |'], ['79.40 (+2.30)', '- |'], ['-', '- |']]


def test_pairs_are_of_the_same_fold_and_seed_also_where_runs_are_missing(study):
    """One run of an arm is missing and the rest differ from the baseline by a constant."""
    for run in study.runs:
        top1 = 0.1 * run.seed + dict(one=0, two=0.2, three=0.5)[run.fold]
        record(run, {'acc/top1': top1 + (0.05 if run.arm == 'taught' else 0)})
    lost = next(r for r in study.runs if r.arm == 'plain' and r.seed == 1)
    lost.result_file.unlink()
    rows = {arm: dict(arm=arm, metric='acc/top1') for arm in study.arms}
    line = comparison(gather(study.runs), rows, 'plain').loc['taught']
    assert line['difference'] == pytest.approx(0.05)
    assert line['high'] - line['low'] == pytest.approx(0, abs=1e-12)


def test_the_report_has_tables_figures_and_what_failed(study):
    page = write_report(study, {'worse/one/seed0': 'exit 1'})
    text = page.read_text()
    mean = np.mean([r.result()['metrics']['acc/top1'] for r in study.runs if r.arm == 'plain'])
    assert f'| plain | 9 | {100 * mean:.1f} ± ' in text
    assert "the paper's (UCF101 top-1) |" in text
    assert '96.06 (+0.92) |' in text
    assert '`worse/one/seed0`: exit 1' in text
    assert 'corrected resampled t-test' in text
    for name in ('figure_1_bars.png', 'figure_2_curves.png'):
        assert f']({name})' in text
        assert imread(page.with_name(name)).std() > 0.01
    results = pd.read_csv(page.with_name('results.csv'))
    assert len(results) == 27 * 2
    assert set(results.columns) == {'arm', 'fold', 'seed', 'metric', 'value'}


def test_a_study_without_any_run_has_a_report_that_says_so(tmp_path):
    text = write_report(read_study(tmp_path, STUDY)).read_text()
    assert '0 of 27 runs done' in text
    assert '| plain | 0 | - |' in text
    assert 'Bars: no run of it is done.' in text


def test_one_arm_that_measures_several_things_gives_several_rows(tmp_path):
    study = read_study(
        tmp_path,
        """
        arms = dict(fuse=dict(command='x'))
        tables = [dict(baseline='average', rows=dict(
            average=dict(arm='fuse', metric='acc/average_top1'),
            svm=dict(arm='fuse', metric='acc/svm_top1')))]
        """,
    )
    record(study.runs[0], {'acc/average_top1': 0.5, 'acc/svm_top1': 0.625})
    assert '| svm | 1 | 62.5 | +12.5 | - |' in write_report(study).read_text()


def test_bars_are_as_high_as_the_means_and_every_run_is_a_dot():
    figure = figures.bars({'a': {'x': [1.0, 3.0]}, 'b': {'x': [5.0]}}, 'label', 'title')
    axes = figure.axes[0]
    assert [bar.get_height() for bar in axes.patches] == [2.0, 5.0]
    assert sorted(y for dots in axes.collections for _, y in dots.get_offsets())[-1] == 5.0
    assert axes.get_ylim()[0] == 0


def test_bars_have_their_means_and_where_all_are_alike_say_that_their_axis_is_cut():
    axes = figures.bars({'a': {'x': [90.0]}, 'b': {'x': [92.0, 93.0]}}, '', '').axes[0]
    assert axes.get_ylim()[0] > 0
    assert [text.get_text() for text in axes.texts] == ['90.0', '92.5', 'axis not from 0']


def test_curves_are_the_means_over_runs():
    runs = [pd.Series({1: 1.0, 2: 2.0}), pd.Series({1: 3.0, 2: 6.0})]
    line = figures.curves({'a': runs}, '', '').axes[0].lines[0]
    assert list(line.get_ydata()) == [2.0, 4.0]


def test_a_grid_becomes_a_surface(tmp_path):
    study = read_study(
        tmp_path,
        """
        grid = {'loss.kl_weight': [0.2, 0.6], 'loss.mse_weight': [0.1, 0.4]}
        metric = 'acc/top1'
        seeds = [0, 1]
        arms = dict(mbd=dict(command='x', grid=grid))
        figures = [dict(kind='surface', title='Weights', arm='mbd')]
        """,
    )
    for run in study.runs:
        top1 = run.grid['loss.kl_weight'] + run.grid['loss.mse_weight'] / 10 + 0.01 * run.seed
        record(run, {'acc/top1': top1})
    page = write_report(study)
    assert (page.parent / 'figure_1_surface.png').exists()
    results = gather(study.runs)
    means = results.pivot_table('value', 'loss.mse_weight', 'loss.kl_weight', 'mean')
    shown = figures.surface(100 * means, '', '').axes[1].texts
    assert [text.get_text() for text in shown] == ['21.5', '61.5', '24.5', '64.5']


def test_a_metric_of_the_training_is_drawn_by_epoch(tmp_path, monkeypatch):
    """The loss, which no validation has: the mean of what was logged in an epoch."""
    study = read_study(
        tmp_path,
        """
        arms = dict(a=dict(command='x'))
        metric = 'acc/top1'
        figures = [dict(kind='curves', metric=terms) for terms in ('loss', ['loss', 'more'])]
        """,
    )
    record(study.runs[0], {'acc/top1': 0.5}, [(1, {'acc/top1': 0.25}), (2, {'acc/top1': 0.5})])
    (log,) = study.runs[0].folder.glob('train/*/vis_data/scalars.json')
    lines = [
        dict(loss=loss, more=i, iter=i, epoch=1 + i // 3, step=i)
        for i, loss in ((1, 4), (2, 2), (3, 1))
    ]
    log.write_text('\n'.join(json.dumps(line) for line in lines))
    drawn = []
    curves = figures.curves
    monkeypatch.setattr(figures, 'curves', lambda *given: drawn.append(given) or curves(*given))
    write_report(study)
    (found, label, _), (added, sum_label, _) = drawn
    assert label == 'loss' and found['a'][0].to_dict() == {1: 3.0, 2: 1.0}
    assert sum_label == 'loss + more' and added['a'][0].to_dict() == {1: 4.5, 2: 4.0}


def test_a_scatter_has_each_arms_mean_over_its_number(tmp_path):
    study = read_study(
        tmp_path,
        """
        metric = 'acc/top1'
        seeds = [0, 1]
        arms = dict(small=dict(command='x'), large=dict(command='y'), later=dict(command='z'))
        figures = [dict(kind='scatter', x=dict(small=160.5, large=284, later=265), x_label='M')]
        """,
    )
    for run in study.runs:
        if run.arm != 'later':  # not done yet
            record(run, {'acc/top1': (0.8 if run.arm == 'large' else 0.7) + 0.02 * run.seed})
    page = write_report(study)
    assert (page.parent / 'figure_1_scatter.png').exists()
    (axes,) = figures.scatter({'a': (160.5, [70.0, 72.0]), 'b': (284, [])}, 'M', '', '').axes
    ((line, _, (whisker,)),) = axes.containers
    assert line.get_xydata().tolist() == [[160.5, 71.0]]
    low, high = whisker.get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((71 - 2**0.5, 71 + 2**0.5))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ['a']


def test_selectivity_is_the_distance_of_each_video_to_each_teacher(tmp_path):
    student = torch.tensor([0.5, 0.2, 0.2, 0.1])
    static, dynamic = torch.tensor([0.75, 0.25, 0, 0]), torch.tensor([0, 0, 0.5, 0.5])
    samples = [
        dict(
            gt_label=torch.tensor([y]),
            pred_score=student,
            static_score=static,
            dynamic_score=dynamic,
        )
        for y in (0, 3)
    ]
    path = tmp_path / 'scores.pkl'
    path.write_bytes(pickle.dumps(samples))
    found = teacher_distances(path, dict(static=[0, 1], dynamic=[2, 3]))
    to_static = 0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.2)
    to_dynamic = 0.5 * np.log(0.5 / 0.2) + 0.5 * np.log(0.5 / 0.1)
    for subset in ('static', 'dynamic'):
        assert found[subset]['static'] == pytest.approx([to_static])
        assert found[subset]['dynamic'] == pytest.approx([to_dynamic])


def test_accuracies_are_percent_and_other_metrics_as_they_are():
    table = pd.DataFrame.from_dict({'a': dict(runs=2, mean=3.25, std=0.5)}, orient='index')
    assert markdown(table, 'selectivity/static_sm', None).endswith('| a | 2 | 3.25 ± 0.5 |')


@pytest.mark.parametrize(
    ('more', 'message'),
    [
        ("figures = [dict(kind='pie')]", 'kind of a figure must be one of'),
        ("figures = [dict(kind='bars', arms=['b'], metrics=['m'])]", 'an arm of a figure'),
        ("figures = [dict(kind='surface', arm='a')]", 'a grid of two options, got none'),
        ("tables = [dict(rows=['b'])]", 'the arm of a row must be one of'),
        ("tables = [dict(row=['a'])]", r"a table may have .*got \['row'\]"),
        ("tables = [dict(rows=['a'], baseline='b')]", 'the baseline must be one of the rows'),
    ],
)
def test_a_bad_request_is_refused_in_words(tmp_path, more, message):
    text = f"metric = 'm'\narms = dict(a=dict(command='x'))\n{more}"
    with pytest.raises(ValueError, match=message):
        write_report(read_study(tmp_path, text))
