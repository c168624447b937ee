"""The report of a study: tables and figures of whatever is done by now.

Keys of a study file:

- ``title``; ``metric`` of the arms, ``metrics`` for more columns, ``baseline``, ``paper`` (of an
  arm the paper's figure, or several by the metrics' labels: ``dict(top1='95.14', top5='99.68')``;
  a study that names its method's paper.yml in ``_base_`` has them in ``_base_.published``) and
  ``paper_name`` (what these are): one table with a row for each arm.
- or ``tables``, a list of ``dict(title=..., rows=..., metric=..., baseline=..., metrics=[...],
  paper={...}, paper_name=...)``: ``rows`` is a list of arms, or a dict that names for each row
  ``dict(arm=..., metric=...)``, for an arm that measures several things.
- ``figures``, a list of ``dict(kind=..., title=...)`` and

  - 'bars': ``metrics``, and ``arms`` (default: all) or ``rows`` as in a table;
  - 'curves': ``metric`` of the validations of a training over its epochs, or of the training itself
    (as 'loss', the mean of what was logged in an epoch; a list of terms is added up), ``arms``;
  - 'scatter': ``metric`` against ``x``, a number of each arm, on an axis called ``x_label``;
  - 'surface': ``metric`` over the two options of the grid of ``arm``;
  - 'selectivity': ``arm``, histograms of the distance to each teacher over the test set
    (DTKD, Fig. 8) and over the videos of each subset, from dumped scores (``evaluate='test'``,
    ``predict_teachers``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mmaction_kd.options import check_choice
from mmaction_kd.report.figures import study_figures as figures
from mmaction_kd.report.figures.figure import png
from mmaction_kd.report.logged_scalars import read_scalars
from mmaction_kd.study.plan import Run, Study
from mmaction_kd.study.results import comparison, gather, is_accuracy, label, markdown, values_of
from mmaction_kd.study.selectivity import teacher_distances
from mmaction_kd.utils.atomic_file import write_atomically

TABLE_KEYS = ('rows', 'metric', 'baseline', 'metrics', 'paper', 'paper_name')
FIGURE_KINDS = ('bars', 'curves', 'scatter', 'surface', 'selectivity')


def write_report(study: Study, failed: Mapping[str, str] | None = None) -> Path:
    """Write ``report/`` in the study's work dir, replacing what is there.

    Args:
        study: with whatever is done by now.
        failed: reasons of unfinished runs, by name.

    Returns:
        The Markdown file; beside it are results.csv, a .csv of each table and a .png of each
        figure.

    Raises:
        ValueError: the study file asks for what is not there.
    """
    folder = study.work_dir / 'report'
    folder.mkdir(parents=True, exist_ok=True)
    results = gather(study.runs)
    write_atomically(folder / 'results.csv', results.to_csv(index=False))
    done = sum(run.result() is not None for run in study.runs)
    lines = [f'# {study.cfg.get("title", study.path.stem)}', '']
    lines += [f'{done} of {len(study.runs)} runs done: {_extent(study)}.', '']
    if failed:
        lines += ['Not done:', '', *(f'- `{name}`: {why}' for name, why in failed.items()), '']
    for index, table in enumerate(_tables(study), 1):
        compared = _compare(study, results, table)
        write_atomically(folder / f'table_{index}.csv', compared.to_csv(index_label='row'))
        if table.get('title'):
            lines += [f'## {table["title"]}', '']
        lines += [_markdown(compared, table), '']
    lines += [_legend(study), '']
    for index, figure in enumerate(study.cfg.get('figures') or (), 1):
        drawn = _draw(study, results, figure)
        name = f'figure_{index}_{figure["kind"]}.png'
        if drawn is None:
            lines += [f'{figure.get("title", name)}: no run of it is done.', '']
            continue
        write_atomically(folder / name, png(drawn))
        lines += [f'![{figure.get("title", name)}]({name})', '']
    lines += ['Each training has its own page, `../runs/*/**/train/distill_report.html`.', '']
    page = folder / 'report.md'
    write_atomically(page, '\n'.join(lines))
    return page


def tables(study: Study, results: pd.DataFrame) -> list[str]:
    """The tables of a study, of results that are given.

    Args:
        study: what its file says of tables; its work dir need not be there.
        results: see :func:`~mmaction_kd.study.results.gather`.

    Returns:
        Each table in Markdown.

    Raises:
        ValueError: the study file asks for what is not there.
    """
    return [_markdown(_compare(study, results, table), table) for table in _tables(study)]


def bars(study: Study, results: pd.DataFrame, number: int) -> Figure:
    """Draw one of a study's figures of kind 'bars', of results that are given.

    Args:
        study: what its file says of figures; its work dir need not be there.
        results: see :func:`~mmaction_kd.study.results.gather`.
        number: place among the study's figures, from 1.

    Returns:
        The figure.

    Raises:
        ValueError: there is no such figure, it is of another kind, or has no results.
    """
    specs = study.cfg.get('figures') or ()
    if not 1 <= number <= len(specs) or specs[number - 1].get('kind') != 'bars':
        kinds = [spec.get('kind') for spec in specs]
        raise ValueError(
            f"{study.path}: the number of a figure must be that of one of kind 'bars', got "
            f'{number} of {kinds}.'
        )
    drawn = _bars(study, results, specs[number - 1])
    if drawn is None:
        raise ValueError(f'{study.path}: figure {number} must have results, got none.')
    return drawn


def _compare(study: Study, results: pd.DataFrame, table: Mapping) -> pd.DataFrame:
    return comparison(
        results,
        table['rows'],
        table.get('baseline'),
        table.get('metrics', ()),
        table.get('paper'),
        len(study.folds),
    )


def _markdown(compared: pd.DataFrame, table: Mapping) -> str:
    return markdown(compared, table['metric'], table.get('baseline'), table.get('paper_name', ''))


def _extent(study: Study) -> str:
    folds = [fold for fold in study.folds if fold is not None]
    parts = [f'{len(study.arms)} arms', f'{len(study.seeds)} seeds']
    return ', '.join(parts + ([f'{len(folds)} folds'] if folds else []))


def _legend(study: Study) -> str:
    corrected = len(study.folds) > 1
    return (
        'Accuracies in percent, mean ± standard deviation over the runs. Differences are paired by '
        'fold and seed; the 95 % interval is that of '
        + (
            'the corrected resampled t-test (Nadeau and Bengio, 2003), as folds share videos'
            if corrected
            else "Student's t over seeds on the same videos"
        )
        + '. "none": 0 is inside it, the runs show no difference.'
    )


def _tables(study: Study) -> list[dict[str, Any]]:
    """The tables that the study file asks for, rows and metric filled in."""
    cfg = study.cfg
    tables = cfg.get('tables') or [
        {key: cfg[key] for key in TABLE_KEYS if cfg.get(key) is not None}
    ]
    found = []
    for table in tables:
        table = dict(table)
        unknown = set(table) - {*TABLE_KEYS, 'title'}
        if unknown:
            raise ValueError(
                f'{study.path}: a table may have {["title", *TABLE_KEYS]}, got {sorted(unknown)}.'
            )
        table['rows'] = _rows(study, table)
        table.setdefault('metric', _shared_name([row['metric'] for row in table['rows'].values()]))
        found.append(table)
    return found


def _shared_name(metrics: Sequence[str]) -> str:
    """Name a column with these metrics: 'acc/mean1' of acc/local_mean1, acc/svm_mean1."""
    if len(set(metrics)) == 1:
        return metrics[0]
    groups = {metric.rpartition('/')[0] for metric in metrics}
    kinds = {metric.rpartition('_')[2] for metric in metrics}
    if len(groups) > 1:
        return ''
    return '/'.join([*groups, *(kinds if len(kinds) == 1 else ())])


def _rows(study: Study, spec: Mapping) -> dict[str, dict[str, str]]:
    """The rows of a table or the bars of a figure: by name, arm and metric."""
    rows = spec.get('rows') or _compared(study)
    if isinstance(rows, Mapping):
        rows = {name: dict(row) for name, row in rows.items()}
    else:
        metric = spec.get('metric') or study.cfg.get('metric')
        if metric is None:
            raise ValueError(
                f'{study.path}: a table must have a metric, such as acc/top1, got none.'
            )
        rows = {name: dict(arm=name, metric=metric) for name in rows}
    for name, row in rows.items():
        if set(row) != {'arm', 'metric'}:
            raise ValueError(
                f'{study.path}: row {name!r} must be dict(arm=..., metric=...), got {row}.'
            )
        check_choice(str(study.path), 'the arm of a row', row['arm'], tuple(study.arms))
    return rows


def _draw(study: Study, results: pd.DataFrame, spec: Mapping) -> Figure | None:
    """One figure; None where no run of it is done."""
    check_choice(str(study.path), 'kind of a figure', spec.get('kind'), FIGURE_KINDS)
    draw = dict(
        bars=_bars, curves=_curves, scatter=_scatter, surface=_surface, selectivity=_selectivity
    )
    return draw[spec['kind']](study, results, spec)


def _bars(study: Study, results: pd.DataFrame, spec: Mapping) -> Figure | None:
    if spec.get('metrics'):
        kinds = {label(metric): metric for metric in spec['metrics']}
        arms = _arms(study, spec)
        groups = {
            arm: {
                kind: list(_scaled(values_of(results, arm, metric), metric))
                for kind, metric in kinds.items()
            }
            for arm in arms
        }
        name = 'accuracy, %' if all(map(is_accuracy, kinds.values())) else ''
    else:
        rows = _rows(study, spec)
        metric = next(iter(rows.values()))['metric']
        groups = {
            name: {'': list(_scaled(values_of(results, **row), row['metric']))}
            for name, row in rows.items()
        }
        name = 'accuracy, %' if is_accuracy(metric) else label(metric)
    if not any(values for group in groups.values() for values in group.values()):
        return None
    return figures.bars(groups, name, spec.get('title', ''))


def _curves(study: Study, results: pd.DataFrame, spec: Mapping) -> Figure | None:
    given = spec.get('metric') or study.cfg.get('metric')
    terms = [given] if isinstance(given, str) else list(given)
    metric = ' + '.join(terms)
    found: dict[str, list[pd.Series]] = {arm: [] for arm in _arms(study, spec)}
    for run in study.runs:
        if run.arm in found and run.result() is not None:
            logged = read_scalars(run.folder / 'train')
            points = [
                (line[time], sum(line[term] for term in terms))
                for lines, time in ((logged.val, 'step'), (logged.train, 'epoch'))
                for line in lines
                if all(term in line for term in terms)
            ]
            if points:
                series = pd.DataFrame(points, dtype=float).groupby(0)[1].mean()
                found[run.arm].append(_scaled(series, metric))
    if not any(found.values()):
        return None
    name = f'{label(metric)}, %' if is_accuracy(metric) else label(metric)
    return figures.curves(found, name, spec.get('title', ''))


def _scatter(study: Study, results: pd.DataFrame, spec: Mapping) -> Figure | None:
    metric = spec.get('metric') or study.cfg.get('metric')
    found = {
        arm: (spec['x'][arm], list(_scaled(values_of(results, arm, metric), metric)))
        for arm in _arms(study, dict(arms=list(spec['x'])))
    }
    if not any(values for _, values in found.values()):
        return None
    name = f'{label(metric)}, %' if is_accuracy(metric) else label(metric)
    return figures.scatter(found, spec.get('x_label', ''), name, spec.get('title', ''))


def _surface(study: Study, results: pd.DataFrame, spec: Mapping) -> Figure | None:
    grid = list(study.cfg.arms.get(spec['arm'], {}).get('grid') or {})
    if len(grid) != 2:
        raise ValueError(
            f'{study.path}: a surface needs an arm with a grid of two options, got '
            f'{grid or "none"} for {spec["arm"]!r}.'
        )
    metric = spec.get('metric') or study.cfg.get('metric')
    of_arm = results['arm'].str.startswith(f'{spec["arm"]},')
    chosen = results[of_arm & (results['metric'] == metric)]
    if not len(chosen):
        return None
    means = _scaled(chosen.pivot_table('value', grid[1], grid[0], 'mean'), metric)
    means.columns.name, means.index.name = (key.rsplit('.', 1)[-1] for key in grid)
    return figures.surface(means, f'{label(metric)}, %', spec.get('title', ''))


def _selectivity(study: Study, results: pd.DataFrame, spec: Mapping) -> Figure | None:
    panels: dict[str, dict[str, list[float]]] = {}
    for run in study.runs:
        if run.arm == spec['arm'] and run.scores_file.exists():
            for subset, kinds in teacher_distances(run.scores_file, _subsets(run)).items():
                for name in ('all videos', f'{subset} videos'):
                    panel = panels.setdefault(name, {})
                    for teacher, values in kinds.items():
                        panel.setdefault(f'{teacher} teacher', []).extend(values)
    if not panels:
        return None
    return figures.histograms(panels, 'KL(T‖S), nats', spec.get('title', ''))


def _subsets(run: Run) -> str:
    """The file of subsets that a distiller's config names."""
    return run.build_config().model.distill_loss.subsets


def _compared(study: Study) -> list[str]:
    """The arms that are models, one for each fold and seed; where there are none, all arms."""
    models = [
        name
        for name, arm in study.arms.items()
        if arm.get('command') is None and arm.get('once_per', 'seed') == 'seed'
    ]
    return models or list(study.arms)


def _arms(study: Study, spec: Mapping) -> Sequence[str]:
    arms = spec.get('arms') or _compared(study)
    for arm in arms:
        check_choice(str(study.path), 'an arm of a figure', arm, tuple(study.arms))
    return arms


def _scaled(values: Any, metric: str) -> Any:
    return 100 * values if is_accuracy(metric) else values
