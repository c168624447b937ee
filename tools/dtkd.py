"""DTKD from one config of the student: subsets, baseline, teachers, BSKD, DTKD, evaluation.

Usage: python tools/dtkd.py CONFIG [--devices N] [--work-dir DIR] [--threshold RULE]
           [--distill-options s_alpha=0.3 kd_weight=0.4] [--configs-only] [--cfg-options ...]

CONFIG is an ordinary MMAction2 config of a recognizer over all classes, of any backbone. The other
configs are made from it and left in DIR/configs, each a file that tools/train.py takes:

- static, dynamic (the teachers): its videos of one subset, its head as wide as that subset;
- bskd, dtkd: its model, taught by both.

Subsets are measured on its training videos, by their optical flow, unless CONFIG sets at its top
``subsets='ucf101'`` or ``'hmdb51'``: those of the paper.

All configs are checked before the first training: data sets read, models built, losses computed.
Each step is a command of tools/, which is printed; its files are in DIR/runs/MODEL. What is done is
not done again: killed and started with the same arguments, the run is resumed, also within a
training. If a training fails, those that do not need it continue. Results come to DIR/results.json.
One machine; for more, launch the steps or the configs of configs/dtkd yourself.
"""

import argparse
import copy
import functools
import inspect
import json
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

import mmaction_kd  # noqa: F401  (fixes the host)
from mmaction_kd.datasets.class_subsets import SHIPPED, ClassSubsets, load_subsets
from mmaction_kd.models.losses import HybridScore
from mmaction_kd.study.check_config import LOADERS
from mmaction_kd.study.launch import Launcher, print_failed, stale
from mmaction_kd.study.plan import Run
from mmaction_kd.utils.atomic_file import write_atomically
from mmaction_kd.utils.command_line import add_cfg_options
from mmaction_kd.utils.process_lock import only_process
from mmaction_kd.utils.stopped_tool import plain_ctrl_c

TOOLS = Path(__file__).parent
PER_CLASS = ('class_weight', 'samples_per_cls')
"""Settings of losses with a number for each class."""
OF_HYBRID_SCORE = tuple(inspect.signature(HybridScore).parameters)
METRICS = ('acc/top1', 'acc/top5', 'acc/mean1')
"""That every step reports at validation."""
HOOKS = dict(
    distill_report='DistillReportHook',
    loaded_weights='LoadedWeightsHook',
    skipped_steps='SkippedStepsHook',
)
"""That a run of any config has, under the names of this package's own configs."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config of the student alone: the baseline')
    parser.add_argument('--devices', type=int, default=1, help='GPUs, or processes without a GPU')
    parser.add_argument('--work-dir', type=Path, help='default: work_dirs/dtkd_<config>')
    parser.add_argument(
        '--threshold',
        help='of optical_flow_subsets.py, default q1: measure the optical flow, also where the '
        "config names the paper's subsets of its data set",
    )
    parser.add_argument(
        '--subsets',
        type=Path,
        help="a file of subsets, or 'ucf101' or 'hmdb51', instead of measuring the optical flow",
    )
    parser.add_argument('--classes', type=Path, help='file with one class name a line')
    parser.add_argument(
        '--configs-only', action='store_true', help='measure the flow, make the configs, stop'
    )
    parser.add_argument(
        '--distill-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings of SubsetDistillLoss, and of HybridScore, which BSKD does not have',
    )
    add_cfg_options(parser)
    args = parser.parse_args()
    if args.devices < 1:
        parser.error(f'--devices must be 1 or more, got {args.devices}')
    if args.work_dir is None:
        args.work_dir = Path('work_dirs', f'dtkd_{Path(args.config).stem}')
    return args


def teacher_config(baseline: Config, name: str, subsets: ClassSubsets, path: Path) -> Config:
    """Make the config of a teacher: the baseline for the classes of one subset.

    Args:
        baseline: config of a recognizer over all classes.
        name: the subset.
        subsets: all of them.
        path: of their file.

    Returns:
        The config.
    """
    cfg = copy.deepcopy(baseline)
    classes = subsets.indices[name]
    for loader in LOADERS:
        if cfg.get(loader) is not None:
            cfg[loader].dataset = dict(
                type='mmaction_kd.OpticalFlowSubset',
                subset=name,
                subsets=str(path),
                dataset=cfg[loader].dataset,
            )
    head = cfg.model.cls_head
    if head.get('loss_cls') is not None:
        cut_per_class(head.loss_cls, head.num_classes, classes)
    head.num_classes = len(classes)
    if cfg.get('test_evaluator') is not None:
        cfg.test_evaluator = dict(type='AccMetric')
    if cfg.get('val_evaluator') is not None:
        cfg.val_evaluator = dict(type='AccMetric')
    return cfg


def cut_per_class(loss: Any, num_classes: int, classes: list[int], path: str = 'loss_cls') -> None:
    """Leave in a loss's config the settings of some of the classes.

    Args:
        loss: its config, or a part of it, which is changed.
        num_classes: K.
        classes: which of the K remain, in order.
        path: of this part, for the error.

    Raises:
        ValueError: a list of K numbers has a name that leaves open whether it is of the classes,
            or one that does has not K numbers.
    """
    if isinstance(loss, (list, tuple)):
        for place, part in enumerate(loss):
            cut_per_class(part, num_classes, classes, f'{path}.{place}')
    if not isinstance(loss, Mapping):
        return
    for key, value in loss.items():
        numbers = isinstance(value, (list, tuple)) and all(
            isinstance(x, int | float) for x in value
        )
        if numbers and key in PER_CLASS and len(value) == num_classes:
            loss[key] = [value[i] for i in classes]
        elif numbers and (len(value) == num_classes or (key in PER_CLASS and value)):
            raise ValueError(
                f"dtkd: the teachers' {path} must have the numbers of their own classes, got "
                f'{key} with {len(value)} numbers for {num_classes} classes; what is cut to those '
                f'of a teacher are lists of {num_classes} numbers named {" or ".join(PER_CLASS)}.'
            )
        else:
            cut_per_class(value, num_classes, classes, f'{path}.{key}')


def student_config(
    baseline: Config, loss: dict, subsets: Path, teachers: dict[str, tuple[Path, Path]]
) -> Config:
    """Make the config of a student with its teachers.

    Args:
        baseline: config of a recognizer over all classes.
        loss: config of the distillation loss.
        subsets: file of the subsets.
        teachers: of each teacher its config and its work dir.

    Returns:
        The config.
    """
    cfg = copy.deepcopy(baseline)
    cfg.model = dict(
        type='mmaction_kd.DualTeacherDistiller',
        student=cfg.model,
        teachers={
            name: dict(config=str(config), checkpoint=str(checkpoint))
            for name, (config, checkpoint) in sorted(teachers.items())
        },
        distill_loss=dict(loss, subsets=str(subsets)),
    )
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='mmaction_kd.TeacherHashHook')]
    return cfg


def evaluated_by_subset(cfg: Config, subsets: Path) -> Config:
    """Add accuracy over each subset, and for a distiller its selectivity."""
    cfg = copy.deepcopy(cfg)
    metrics = [dict(type='mmaction_kd.SubsetAccMetric', subsets=str(subsets))]
    if cfg.model.type == 'mmaction_kd.DualTeacherDistiller':
        cfg.model.predict_teachers = True
        metrics.append(dict(type='mmaction_kd.SelectivityMetric', subsets=str(subsets)))
    for key in ('val_evaluator', 'test_evaluator'):
        if cfg.get(key) is not None:
            cfg[key] = metrics
    return cfg


def check_monitored(cfg: Config) -> None:
    """Refuse to choose checkpoints or to stop by a metric that not all steps report.

    Args:
        cfg: of the baseline.
    """
    if cfg.get('val_evaluator') is None:
        return
    hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or ())]
    for hook in hooks:
        for key in ('save_best', 'monitor'):
            named = hook.get(key) if isinstance(hook, Mapping) else None
            unknown = {*([named] if isinstance(named, str) else named or ())} - {'auto', *METRICS}
            if unknown:
                sys.exit(
                    f'dtkd: {key} of {hook.type} must be of the metrics of all steps, '
                    f'{", ".join(METRICS)}, got {sorted(unknown)}.'
                )


class Procedure:
    """Flow, configs, trainings and tests.

    Args:
        args: the command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.work, self.args = args.work_dir, args
        self.configs = self.work / 'configs'
        options = ['--threshold', args.threshold or 'q1']
        if args.classes is not None:
            options += ['--classes', str(args.classes)]
        flow = Run(
            'flow',
            self.work,
            config=args.config,
            options=args.cfg_options,
            command='{python} {tools}/data/optical_flow_subsets.py {config} '
            f'--out {{folder}}/subsets.json {shlex.join(options)}',
        )
        self.baseline = flow.build_config()
        hooks = self.baseline.setdefault('default_hooks', {})
        for name, hook in HOOKS.items():
            hooks.setdefault(name, dict(type=f'mmaction_kd.{hook}'))
        if self.baseline.get('test_evaluator') is None:
            sys.exit(f'dtkd: {args.config} must have a test_dataloader, test_cfg, test_evaluator.')
        check_monitored(self.baseline)
        self.launcher = Launcher(
            TOOLS,
            devices=args.devices,
            log=functools.partial(print, flush=True),
            follow=sys.stdout.buffer,
        )
        named = self.baseline.get('subsets')
        self.flow: tuple[Run, ...] = ()  # none where the subsets are given
        if args.subsets is not None:
            self.subsets_file = args.subsets
        elif args.threshold is None and named in SHIPPED:
            self.subsets_file = Path(named)
        else:
            self.flow, self.subsets_file = (flow,), flow.folder / 'subsets.json'

    def run(self) -> None:
        """Do what is missing, in order."""
        for flow in self.flow:
            refuse_stale([flow])
            if not (self.args.configs_only or flow.result()):
                self.check_with_some_subsets()
            stop_if(self.launcher.do([flow]))
        subsets = load_subsets(self.subsets_file)
        taken = sorted({'baseline', 'bskd', 'dtkd', 'flow'} & set(subsets.names))
        if taken:
            sys.exit(
                f'dtkd: a subset must not be named as another run here, got {taken} in '
                f'{self.subsets_file}; rename it.'
            )
        for name, classes in subsets.names.items():
            print(f'{name}: {", ".join(classes)}', flush=True)
        configs = self.made_configs(self.subsets_file, subsets, self.configs)
        if self.args.configs_only:
            print(f'configs: {", ".join(str(self.configs / f"{name}.py") for name in configs)}')
            return
        runs: dict[str, Run] = {}
        for name in configs:
            taught = name in ('bskd', 'dtkd')
            needs = tuple(runs[teacher] for teacher in subsets.names) if taught else self.flow
            runs[name] = Run(name, self.work, config=str(self.configs / f'{name}.py'), needs=needs)
        refuse_stale(runs.values())
        self.check(configs)
        failed = self.launcher.do(list(runs.values()))
        found = {name: run.result()['metrics'] for name, run in runs.items() if run.result()}
        write_atomically(self.work / 'results.json', json.dumps(found, indent=1) + '\n')
        print(table(found, subsets.names))
        stop_if(failed)

    def check(self, configs: dict[str, Config], loaders: Iterable[str] = LOADERS) -> None:
        """Stop where one of the trainings would.

        Args:
            configs: of all models.
            loaders: those whose data sets are checked.
        """
        for name, config in configs.items():
            try:
                self.launcher.checks.check(config, loaders=loaders)
            except ValueError as error:
                sys.exit(f'dtkd: the config of {name} must build, got {error}')
        print(f'checked: {", ".join(configs)}', flush=True)

    def check_with_some_subsets(self) -> None:
        """Check what does not depend on the subsets first: measuring them may take hours."""
        names = tuple(str(i) for i in range(self.baseline.model.cls_head.num_classes))
        half = (len(names) + 1) // 2
        halves = dict(dynamic=names[:half], static=names[half:])
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, 'subsets.json')
            write_atomically(file, json.dumps(dict(classes=names, subsets=halves)))
            configs = self.made_configs(file, ClassSubsets(names, halves), Path(folder))
            self.check(dict(baseline=configs['baseline']))
            self.check(configs, loaders=())

    def made_configs(
        self, subsets_file: Path, subsets: ClassSubsets, folder: Path
    ) -> dict[str, Config]:
        """Write the configs of all models into a folder.

        Args:
            subsets_file: which classes are whose.
            subsets: its content.
            folder: where to; each is named as its model.

        Returns:
            The configs, in the order in which they are trained.
        """
        found = dict(baseline=evaluated_by_subset(self.baseline, subsets_file))
        teachers = {}
        for name in subsets.names:
            found[name] = teacher_config(self.baseline, name, subsets, subsets_file)
            teachers[name] = (folder / f'{name}.py', Run(name, self.work).train_folder)
        shared = dict(self.args.distill_options)
        score = {key: shared.pop(key) for key in OF_HYBRID_SCORE if key in shared}
        weightings = dict(
            bskd=dict(type='mmaction_kd.ResponsibleTeacher'),
            dtkd=dict(type='mmaction_kd.HybridScore', **score),
        )
        for name, weighting in weightings.items():
            loss = dict(type='mmaction_kd.SubsetDistillLoss', weighting=weighting, **shared)
            config = student_config(self.baseline, loss, subsets_file, teachers)
            found[name] = evaluated_by_subset(config, subsets_file)
        folder.mkdir(parents=True, exist_ok=True)
        for name, config in found.items():
            write_atomically(folder / f'{name}.py', config.pretty_text)
        return found


def refuse_stale(runs: Iterable[Run]) -> None:
    """Stop before anything is done with other settings than a run was begun with."""
    for run in runs:
        if reason := stale(run):
            sys.exit(f'dtkd: {run.name} {reason}.')


def stop_if(failed: dict[str, str]) -> None:
    """Stop if something failed."""
    if failed:
        print_failed(failed)
        sys.exit('dtkd: not all is done; the same command resumes there.')


def table(results: dict[str, dict[str, float]], subsets: Iterable[str]) -> str:
    """Format the results as a Markdown table.

    Args:
        results: metrics of each model.
        subsets: their names.

    Returns:
        A row for each model; accuracies are ratios, on a teacher's own classes for a teacher.
    """
    columns = ['top1', 'mean1', *(f'{name}_mean1' for name in subsets)]
    lines = [' | '.join(['model', *columns]), ' | '.join(['---'] * (len(columns) + 1))]
    for name, metrics in results.items():
        cells = [metrics.get(f'acc/{column}') for column in columns]
        lines.append(' | '.join([name, *('' if c is None else f'{c:.4f}' for c in cells)]))
    return '\n'.join(lines)


def main() -> None:
    args = parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with only_process(args.work_dir / '.lock', 'dtkd', args.work_dir, 'take another --work-dir'):
        Procedure(args).run()


if __name__ == '__main__':
    try:
        with plain_ctrl_c('dtkd'):
            main()
    except (ValueError, RuntimeError) as error:
        sys.exit(str(error))
