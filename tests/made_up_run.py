"""Work dirs as runs leave them, with numbers that a test chooses."""

import json

import numpy as np

from mmaction_kd.report.run_record import RECORD_FILE


def evaluation(confusion, kind='test', **more):
    """A line of the record from a matrix (label, predicted)."""
    confusion = np.array(confusion)
    off = confusion - np.diag(confusion.diagonal())
    wrong = [[int(y), int(p), int(off[y, p])] for y, p in np.argwhere(off)]
    counts = dict(
        num_classes=len(confusion),
        count=confusion.sum(1).tolist(),
        hits=confusion.diagonal().tolist(),
        wrong=wrong,
        weights={},
        hits_of={},
    )
    return (
        dict(kind=kind, **counts)
        | dict(dict(metrics={}, when='1') if kind == 'test' else {})
        | more
    )


def write_run(folder, lines=(), classes=(), name='a_run', log=None, **header):
    """A work dir with a record and a log.

    Args:
        folder: where.
        lines: of the record.
        classes: names.
        name: of the config.
        log: lines of scalars.json; None for two of a model without distillation, () for no log.
        header: more of the record's first line.

    Returns:
        The folder.
    """
    if log is None:
        log = [dict(loss=1 / i, loss_cls=1 / i, top1_acc=0.5, epoch=i, iter=i) for i in (1, 2)]
    vis_data = folder / '20260101_000000' / 'vis_data'
    vis_data.mkdir(parents=True)
    if log:
        (vis_data / 'scalars.json').write_text('\n'.join(map(json.dumps, log)) + '\n')
    head = dict(kind='run', config=name, classes=list(classes), by_epoch=True, max_time=2)
    text = '\n'.join(map(json.dumps, [head | header, *lines]))
    (folder / RECORD_FILE).write_text(text + '\n')
    return folder


def mbd_lines(epochs, num_classes, videos=20):
    """Lines of a training with dominance and fusion weights, from random numbers."""
    rng = np.random.default_rng(0)
    lines = []
    for epoch in range(1, epochs + 1):
        count = rng.integers(100, 900, num_classes)
        local = rng.binomial(count, rng.random(num_classes))
        sums = {'local': local.tolist(), 'global': (count - local).tolist()}
        sources = dict(dominance=dict(count=count.tolist(), sums=sums))
        lines.append(dict(kind='train', epoch=epoch, iter=epoch, sources=sources))
        confusion = np.diag(rng.integers(0, videos, num_classes))
        for label, hits in enumerate(confusion.diagonal()):
            places = rng.integers(0, num_classes - 1, videos - hits)
            np.add.at(confusion, (label, places + (places >= label)), 1)
        weights = {
            name: dict(mean=rng.uniform(0.3, 0.7, num_classes).round(5).tolist(), bins=[5] * 20)
            for name in ('local', 'global')
        }
        lines.append(evaluation(confusion, 'val', epoch=epoch, iter=epoch, weights=weights))
    return lines


def mbd_log(epochs, lines_an_epoch):
    """Lines of scalars.json of such a training."""
    rng = np.random.default_rng(0)
    terms = ('loss_cls', 'loss_final', 'loss_intermediate', 'top1_acc', 'dominance_share',
             'teacher_wrong_share')  # fmt: skip
    keys = [
        'loss',
        'fused/top1_acc',
        *(f'{h}/{term}' for h in ('local', 'global') for term in terms),
    ]
    log = []
    for iteration in range(epochs * lines_an_epoch):
        values = dict(zip(keys, rng.random(len(keys)).tolist(), strict=True))
        log.append(values | dict(epoch=iteration // lines_an_epoch + 1, iter=iteration + 1))
        if (iteration + 1) % lines_an_epoch == 0:
            names = (f'acc/{h}_{m}1' for h in ('fused', 'local', 'global') for m in ('top', 'mean'))
            log.append({name: rng.random() for name in names} | dict(step=log[-1]['epoch']))
    return log
