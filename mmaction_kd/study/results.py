"""What the runs of a study found, as tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

from mmaction_kd.study.plan import Run
from mmaction_kd.study.statistics import paired_difference, spread

SHARED = ('fold', 'seed')


def gather(runs: Sequence[Run]) -> pd.DataFrame:
    """Collect all metrics of the finished runs.

    Args:
        runs: of a study.

    Returns:
        Columns arm, fold, seed, metric, value, and one for each option of the grid; a fold or seed
        that the study does not vary is '' or 0.
    """
    rows = []
    for run in runs:
        result = run.result()
        for metric, value in (result or {}).get('metrics', {}).items():
            if isinstance(value, (int, float)):
                where = dict(arm=run.arm, fold=run.fold or '', seed=run.seed or 0)
                rows.append({**where, **run.grid, 'metric': metric, 'value': float(value)})
    return pd.DataFrame(rows, columns=_columns(runs))


def _columns(runs: Sequence[Run]) -> list[str]:
    grid = dict.fromkeys(key for run in runs for key in run.grid)
    return ['arm', *SHARED, *grid, 'metric', 'value']


def values_of(results: pd.DataFrame, arm: str, metric: str) -> pd.Series:
    """Return one metric of one arm, by fold and seed."""
    chosen = results[(results['arm'] == arm) & (results['metric'] == metric)]
    return chosen.set_index(list(SHARED))['value']


def comparison(
    results: pd.DataFrame,
    rows: Mapping[str, Mapping[str, str]],
    baseline: str | None,
    metrics: Sequence[str] = (),
    paper: Mapping[str, Any] | None = None,
    folds: int = 1,
) -> pd.DataFrame:
    """Compute the rows of a table, each against the baseline.

    Args:
        results: see :func:`gather`.
        rows: by name, ``dict(arm=..., metric=...)``.
        baseline: name of one of them; None for no comparison.
        metrics: more of the arm's metrics, for columns of their own.
        paper: of a row, the paper's own figure of its metric, or several by the metrics' labels
            (such as ``dict(top1='95.14', top5='99.68')``); a string keeps the paper's digits.
        folds: of the study, also where not all are done.

    Returns:
        Index: the rows' names. Columns runs, mean, std; difference, low, high (95 % confidence, see
        :func:`~mmaction_kd.study.statistics.paired_difference`), verdict; of each metric its mean
        and std; the paper's figures in ``paper``, with ``paper_difference``, and ``paper_LABEL`` of
        the other metrics. Where nothing is there yet: NaN.

    Raises:
        ValueError: the baseline is no row.
    """
    if baseline is not None and baseline not in rows:
        raise ValueError(
            f'study: the baseline must be one of the rows {list(rows)}, got {baseline!r}.'
        )
    base = None if baseline is None else values_of(results, **rows[baseline])
    printed = {
        name: dict(of) if isinstance(of, Mapping) else {label(rows[name]['metric']): of}
        for name, of in (paper or {}).items()
        if name in rows
    }
    main: dict[str | None, Any] = {
        name: printed.get(name, {}).get(label(row['metric'])) for name, row in rows.items()
    }
    lines = {}
    for name, row in rows.items():
        values = values_of(results, **row)
        line: dict[str, Any] = dict(runs=len(values), mean=values.mean(), std=spread(values))
        if base is not None:
            differences = (values - base).dropna()
            found = paired_difference(differences, folds)
            if name == baseline:
                found = found._replace(mean=math.nan, low=math.nan, high=math.nan)
            line |= dict(difference=found.mean, low=found.low, high=found.high)
            line |= dict(verdict=found.verdict)
        for metric in metrics:
            more = values_of(results, row['arm'], metric)
            line |= {metric: more.mean(), f'{metric}_std': spread(more)}
        if printed:
            line['paper'] = math.nan if main[name] is None else main[name]
            compared = None if baseline in (None, name) else main[baseline]
            if compared is not None and main[name] is not None:
                line['paper_difference'] = Decimal(str(main[name])) - Decimal(str(compared))
            for metric in metrics:
                if any(label(metric) in of for of in printed.values()):
                    of_metric = printed.get(name, {}).get(label(metric), math.nan)
                    line[f'paper_{label(metric)}'] = of_metric
        lines[name] = line
    return pd.DataFrame.from_dict(lines, orient='index')


def markdown(table: pd.DataFrame, metric: str, baseline: str | None, paper_name: str = '') -> str:
    """Format a comparison as a Markdown table; accuracies in percent.

    Args:
        table: see :func:`comparison`.
        metric: the metric of the rows, or a heading.
        baseline: its row.
        paper_name: what the paper's figures are, such as 'Kinetics-400 top-1'.
    """
    more = [column for column in table if f'{column}_std' in table]
    headings = ['', 'runs', label(metric)]
    if baseline is not None:
        headings += [f'difference to {baseline} [95 %]', 'verdict']
    headings += [label(column) for column in more]
    more_papers = [c for c in table if c.startswith('paper_') and c != 'paper_difference']
    if 'paper' in table:
        headings.append(f"the paper's ({paper_name})" if paper_name else "the paper's")
        headings += [f"the paper's {column.removeprefix('paper_')}" for column in more_papers]
    lines = [' | '.join(headings), ' | '.join(['---'] * len(headings))]
    for name, line in table.iterrows():
        cells = [str(name), str(int(line['runs'])), _mean_std(metric, line['mean'], line['std'])]
        if baseline is not None:
            cells += [_interval(metric, line), line['verdict'] or '-']
        cells += [_mean_std(column, line[column], line[f'{column}_std']) for column in more]
        if 'paper' in table:
            cells.append(_papers(line))
            cells += [_printed(line[column]) for column in more_papers]
        lines.append(' | '.join(cells))
    return '\n'.join(f'| {line} |' for line in lines)


def is_accuracy(metric: str) -> bool:
    """Whether a metric is a ratio that is shown in percent."""
    return metric.startswith('acc/')


def label(metric: str) -> str:
    """Return the heading of a metric."""
    return metric.removeprefix('acc/')


def _shown(metric: str) -> Callable[[float, str], str]:
    """Format a metric; accuracies in percent."""
    if is_accuracy(metric):
        return lambda value, sign: f'{100 * value:{sign}.1f}'
    return lambda value, sign: f'{value:{sign}.3g}'


def _mean_std(metric: str, mean: float, std: float) -> str:
    if math.isnan(mean):
        return '-'
    shown = _shown(metric)
    return shown(mean, '') + ('' if math.isnan(std) else f' ± {shown(std, "")}')


def _interval(metric: str, line: Mapping) -> str:
    if math.isnan(line['difference']):
        return '-'
    shown = _shown(metric)
    text = shown(line['difference'], '+')
    if not math.isnan(line['low']):
        text += f' [{shown(line["low"], "+")}, {shown(line["high"], "+")}]'
    return text


def _papers(line: Mapping) -> str:
    difference = line.get('paper_difference', math.nan)
    text = _printed(line['paper'])
    return text if math.isnan(difference) else f'{text} ({difference:+})'


def _printed(figure: str | float) -> str:
    """A figure of the paper, with its own digits."""
    return '-' if figure != figure else str(figure)
