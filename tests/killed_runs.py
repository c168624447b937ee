"""Runs of tiny models that are killed at one operation on their files, and resumed.

``python tests/killed_runs.py KIND FOLDER [OPERATION ...]`` kills runs by SIGKILL, each before
another of the operations that a whole run does in its work dir (all of them, or those that are
named), resumes each to its end and prints as JSON what is not as in the run that was not killed.
Where a file is opened to be written anew, a run is also killed when it is empty.
"""

import functools
import json
import os
import signal
import sys
import time
from pathlib import Path

import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from mmengine.runner import CheckpointLoader
from short_runs import make_run

from mmaction_kd.engine.hooks.distill_report_hook import DistillReportHook
from mmaction_kd.host_fixes.last_checkpoint import noted_validation
from mmaction_kd.report.logged_scalars import read_scalars
from mmaction_kd.report.run_record import RunRecord

EPOCHS, ITERATIONS = 3, 2  # iterations an epoch
RULE = 'less'  # by which the first epoch is better than the second, and the third the best
CHANGES = ('os.rename', 'os.remove', 'os.rmdir', 'os.mkdir', 'os.link', 'os.truncate')


@METRICS.register_module(force=True)
class MeanScore(BaseMetric):
    """Of the first class: another one after each step."""

    def process(self, data_batch, data_samples):
        self.results += [float(sample['pred_score'][0]) for sample in data_samples]

    def compute_metrics(self, results):
        return dict(score=sum(results) / len(results))


def make(kind, work_dir):
    """A Runner with an average of its weights, which validates, and keeps the last and the best.

    Args:
        kind: 'mbd' or 'dtkd', or 'dtkd_iterations', which has no epochs.
        work_dir: with what a killed run left.
    """
    method, _, without_epochs = kind.partition('_')
    pathways = ('local_pathway', 'global_pathway') if method == 'mbd' else ()
    loader = dict(
        dataset=dict(type='mmengine.PatternVideos', pathways=pathways), batch_size=4, num_workers=0
    )
    checkpoint = dict(
        type='mmaction_kd.SafeCheckpointHook',
        interval=1,
        max_keep_ckpts=1,
        save_best='auto',
        rule=RULE,
    )
    changes = {}
    if without_epochs:
        checkpoint |= dict(by_epoch=False, interval=ITERATIONS)
        changes = dict(
            train_cfg=dict(
                type='IterBasedTrainLoop', max_iters=EPOCHS * ITERATIONS, val_interval=ITERATIONS
            ),
            train_dataloader=dict(loader, sampler=dict(type='InfiniteSampler', shuffle=True)),
            log_processor=dict(by_epoch=False),
        )
    return make_run(
        method, work_dir, [dict(type='EMAHook', momentum=0.5)], EPOCHS, 'conv',
        val_dataloader=dict(loader, sampler=dict(type='DefaultSampler', shuffle=False)),
        val_cfg=dict(),
        val_evaluator=dict(type='mmengine.MeanScore'),
        param_scheduler=dict(type='MultiStepLR', milestones=[2], gamma=-2.0),  # down, then up
        default_hooks=dict(
            checkpoint=checkpoint,
            logger=dict(type='LoggerHook', interval=1),
            epoch_seed=dict(type='mmaction_kd.EpochSeedHook'),
            distill_report=dict(type='mmaction_kd.DistillReportHook', max_share=0.0),
        ),
        resume=True,
        **changes,
    )  # fmt: skip


class Operations:
    """Audit hook that counts what changes files in a folder, and kills before one of it.

    Args:
        folder: with the files.
        kill_at: which operation is not done any more; None for none.
        when_empty: do it as far as to empty the file.
    """

    def __init__(self, folder, kill_at=None, when_empty=False):
        self.folder, self.kill_at, self.when_empty = str(folder), kill_at, when_empty
        self.seen = []

    def __call__(self, event, arguments):
        if event != 'open' and event not in CHANGES:
            return
        path = os.fspath(arguments[0]) if isinstance(arguments[0], str | os.PathLike) else ''
        if not path.startswith(self.folder) or (event == 'open' and not _writes(arguments[2])):
            return
        truncates = event == 'open' and bool(arguments[2] & os.O_TRUNC)
        name = Path(path).name
        if len(self.seen) == self.kill_at:
            self.kill_at = None  # to open a file is an operation, too
            if self.when_empty:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK))
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen.append((f'{event} {name}', truncates))


def _writes(flags):
    return bool(flags & (os.O_WRONLY | os.O_RDWR))


def forked(function):
    """Call it in a process of its own.

    Returns:
        What it returned, by way of JSON, and how the process ended.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        code = 1
        try:
            with os.fdopen(write_end, 'w') as pipe:
                json.dump(function(), pipe)
            code = 0
        finally:
            os._exit(code)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        text = pipe.read()
    return json.loads(text) if text else None, os.waitpid(child, 0)[1]


def run(kind, work_dir, kill_at=None, when_empty=False):
    """Train to the end, or to an operation; returns the operations."""
    operations = Operations(work_dir, kill_at, when_empty)
    sys.addaudithook(operations)
    make(kind, work_dir).train()
    return operations.seen


def outcome(work_dir):
    """What a run leaves: names of files, contents of checkpoints, what was validated and counted.

    Less times, and the folder's own name.
    """
    found = {'files': sorted(p.name for p in work_dir.iterdir() if not p.name.startswith('2'))}
    for path in sorted(work_dir.glob('*.pth')):
        checkpoint = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
        meta, hub = checkpoint['meta'], checkpoint['message_hub']['runtime_info']
        weights = {k: v for k, v in checkpoint.items() if k not in ('meta', 'message_hub')}
        found[path.name] = dict(
            weights,
            done=(meta['epoch'], meta['iter']),
            kept=hub['keep_ckpt_ids'],
            best=(hub.get('best_score'), Path(hub.get('best_ckpt', '')).name),
        )
    found['last'] = Path((work_dir / 'last_checkpoint').read_text()).name
    found['validated'] = noted_validation(work_dir)
    scalars = read_scalars(work_dir)
    for kind, lines in scalars._asdict().items():
        found[kind] = [{k: v for k, v in li.items() if 'time' not in k} for li in lines]
    record = RunRecord(work_dir).read()
    found['record'] = [{k: v for k, v in li.items() if k != 'config'} for li in record]
    return found


def differences(ours, theirs, where=''):
    """Where nested containers differ, tensors in a bit."""
    if isinstance(theirs, torch.Tensor):
        same = isinstance(ours, torch.Tensor) and torch.equal(ours, theirs)
    elif isinstance(theirs, dict) and isinstance(ours, dict) and ours.keys() == theirs.keys():
        return [d for key in theirs for d in differences(ours[key], theirs[key], f'{where}.{key}')]
    elif isinstance(theirs, list | tuple) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [d for i, pair in pairs for d in differences(*pair, f'{where}[{i}]')]
    else:
        same = ours == theirs
    return [] if same else [f'{where}: {str(ours)[:300]} is not {str(theirs)[:300]}']


def next_second():
    """A Runner names the folder of its log by the second."""
    time.sleep(1 - time.time() % 1)


def main(kind, folder, *wanted):
    folder, faults = Path(folder), {}
    torch.set_num_threads(1)
    torch.backends.mkldnn.enabled = False  # its last bits depend on where memory lies
    DistillReportHook._page = lambda self, folder: ''  # it is drawn from what is compared here
    operations, status = forked(functools.partial(run, kind, folder / 'whole'))
    assert status == 0
    expected = outcome(folder / 'whole')
    chosen = [
        (at, when_empty)
        for at, (name, truncates) in enumerate(operations)
        for when_empty in (False, True)[: 1 + truncates]
        if not wanted or name in wanted
    ]
    for at, when_empty in chosen:
        name = f'{at} {operations[at][0]}{" when empty" * when_empty}'
        work_dir = folder / f'{at}_{when_empty}'
        _, status = forked(functools.partial(run, kind, work_dir, at, when_empty))
        next_second()
        if status != signal.SIGKILL:
            faults[name] = f'ended with {status}, not by the kill'
            continue
        _, status = forked(functools.partial(run, kind, work_dir))
        if status:
            faults[name] = f'resumed, it ended with {status}'
            continue
        different = differences(outcome(work_dir), expected)
        if different:
            faults[name] = different[:5]
    report = dict(operations=[name for name, _ in operations], killed=len(chosen), faults=faults)
    print('\n' + json.dumps(report))


if __name__ == '__main__':
    main(*sys.argv[1:])
