"""A run as one HTML page, which needs no other file and no network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from mmaction_kd.report import common, dtkd, mbd
from mmaction_kd.report.figures.figure import data_uri
from mmaction_kd.report.run import Run
from mmaction_kd.report.run_comparison import compare
from mmaction_kd.report.section import Table, number

METHODS = (mbd.METHOD, dtkd.METHOD, common.NO_METHOD)


def run_page(
    run: Run, baseline: Run | None = None, notes: Sequence[str] = (), written: str = ''
) -> str:
    """Render the page of a run.

    Args:
        run: the run.
        baseline: one to compare the classes with.
        notes: what a reader should know besides.
        written: when, for the reader.

    Returns:
        HTML.

    Raises:
        ValueError: the runs can't be compared, see
            :func:`~mmaction_kd.report.run_comparison.compare`.
    """
    comparison = None if baseline is None else compare(run, baseline)
    method = next(method for method in METHODS if method.detect(run))
    distilled = method is not common.NO_METHOD
    facts = [('method', method.name), *_facts(run)]
    if baseline is not None:
        facts.append(('baseline', f'{baseline.name} ({baseline.folder})'))
    if written:
        facts.append(('written', written))
    sections = [
        common.losses(run, method),
        common.accuracies(run, method),
        *method.sections(run),
        common.class_accuracy(run),
        common.confusions(run)
        if baseline is None or comparison is None
        else common.gains(run, baseline, comparison),
    ]
    return _template().render(
        title=run.name,
        heading='what distillation did' if distilled else 'a run without distillation',
        facts=Table((), facts, text_columns=2),
        notes=notes,
        metrics=_final_metrics(run),
        sections=[section for section in sections if section.plots or section.tables],
        classes=common.all_classes(run, method, comparison),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # names of classes, metrics and folders are anything
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters['data_uri'] = data_uri
    return environment.get_template('page.html')


def _facts(run: Run) -> list[tuple[str, str]]:
    times = [x[-1] for x, _ in run.train.values()] + [run.time(line) for line in run.epochs]
    done = max(times, default=0)
    trained = f'{done:.0f}' if done == round(done) else f'{done:.1f}'
    if run.max_time:
        trained += f' of {run.max_time}'
    return [
        ('trained', f'{trained} {run.unit}s' if done else 'not here: this is a test alone'),
        ('classes', str(run.num_classes or 'not recorded')),
        ('folder', str(run.folder)),
    ]


def _final_metrics(run: Run) -> Table:
    """Of the last test, else of the last validation, else of the training."""
    if run.test.get('metrics'):
        where, found = 'last test', run.test['metrics']
    elif run.val:
        where, found = 'last validation', {key: y[-1] for key, (_, y) in run.val.items()}
    else:
        where = 'last lines of the training log (no validation, no test)'
        found = {k: y[-1] for k, (_, y) in run.train.items() if 'acc' in k or k == 'loss'}
    rows = [
        (key, number(float(value)))
        for key, value in found.items()
        if isinstance(value, int | float)
        and key not in ('data_time', 'time', 'memory')
        and dtkd.SELECTIVITY not in key  # has a section of its own
    ]
    return Table(['metric', 'value'], rows, f'Reached in the {where}')
