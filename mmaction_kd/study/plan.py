"""What a study consists of: its file, read into runs.

A study file is a Python config (MMEngine's, so ``_base_`` works) with

- ``arms``: what is compared, by name. An arm is one of

  - ``dict(config=..., options={...})``: a config, trained with these settings changed, and tested;
  - ``dict(test_of='arm', options={...})``: another arm's checkpoint, tested with other settings;
  - ``dict(command='...')``: anything else, such as a tool whose files other arms need; what it
    writes to ``{folder}/metrics.json`` are its metrics.

  With ``grid={option: [values], ...}`` an arm is repeated for each combination of values.

- ``folds`` and ``seeds``: each arm is run for each pair of them (an arm with ``once_per='fold'``
  for each fold, with ``once_per='study'`` once);
- ``evaluate``: 'test' (tools/dist_test.sh on the last checkpoint, with the scores dumped) or 'val'
  (the last validation of the training itself); an arm may have its own;
- ``title``, ``metric``, ``baseline``, ``paper`` ...: see :mod:`mmaction_kd.study.report`.

In every string ``{name}`` is replaced: ``{fold}``, ``{seed}``, ``{folder}`` (the run's own),
``{config}`` (its config as it is run), ``{tools}``, ``{python}``, ``{here}`` (the folder of the
study file; these three in commands only), any other string or number at the top level of the study
file, and ``{arm.what}`` for what a run of another arm (of the same fold and
seed) left, which is run first: ``what`` is ``folder``, ``config``, ``checkpoint`` or ``scores``.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mmengine.config import Config

from mmaction_kd.options import check_choice, check_options, is_of_type

PLACEHOLDER = re.compile(r'\{([A-Za-z_]\w*)(?:\.(\w+))?\}')
LEFT_BY_A_RUN = ('folder', 'config', 'checkpoint', 'scores')
OWN = ('fold', 'seed', 'folder', 'config', 'tools', 'python', 'here')
PLACES = ('tools', 'python', 'here')  # of this machine: filled in when the command is run
ARM_KEYS = dict(
    config=str | None,
    options=Mapping | None,
    grid=Mapping[str, Sequence] | None,
    test_of=str | None,
    command=str | None,
    once_per=Literal['seed', 'fold', 'study'],
    evaluate=Literal['test', 'val'],
)
LONGEST_NAME = 200  # bytes of a folder's name; file systems take 255


@dataclass(frozen=True)
class Run:
    """One arm on one fold with one seed: of a study file, or as tools/dtkd.py makes them."""

    arm: str
    root: Path
    """The work dir of the study, or of the tool."""
    fold: str | None = None
    seed: int | None = None
    """None: the config's, or 0."""
    config: str | None = None
    """Path of the config to train, or None."""
    command: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    evaluate: str = 'test'
    test_of: Run | None = None
    """The run whose checkpoint is tested instead of training one."""
    needs: tuple[Run, ...] = ()
    """What must be done first."""
    grid: Mapping[str, Any] = field(default_factory=dict)
    """Its point of the arm's grid."""

    @property
    def name(self) -> str:
        """Arm, fold and seed, as the folder is named."""
        seed = None if self.seed is None else f'seed{self.seed}'
        return '/'.join(part for part in (self.arm, self.fold, seed) if part is not None)

    @property
    def folder(self) -> Path:
        """Folder of all files of the run."""
        return self.root / 'runs' / self.name

    @property
    def config_file(self) -> Path:
        """The config as it is run, options and all."""
        return self.folder / 'config.py'

    @property
    def train_folder(self) -> Path:
        """Work dir of the training."""
        return self.folder / 'train'

    @property
    def checkpoint_file(self) -> Path:
        """The last checkpoint: a link to it."""
        return self.folder / 'checkpoint.pth'

    @property
    def scores_file(self) -> Path:
        """Scores dumped by the test."""
        return self.folder / 'scores.pkl'

    @property
    def result_file(self) -> Path:
        """Metrics; exists if and only if the run is done."""
        return self.folder / 'result.json'

    def result(self) -> dict[str, Any] | None:
        """Return the metrics of a finished run; None before."""
        return json.loads(self.result_file.read_text()) if self.result_file.exists() else None

    def build_config(self) -> Config:
        """Build the config with the run's options; the runs it depends on must be done."""
        trained = self.test_of or self
        assert trained.config is not None
        cfg = Config.fromfile(trained.config)
        for run in (trained, self) if self.test_of is not None else (self,):
            cfg.merge_from_dict(copy.deepcopy(dict(run.options)))  # merging takes _delete_ out
        return cfg

    def fingerprint(self) -> str:
        """Hash everything the result depends on; the hash is the same in any folder.

        A config that another run makes is known by that run's fingerprint.
        """
        trained = self.test_of or self
        made = trained.config is None or any(
            str(need.folder) in trained.config for need in trained.needs
        )
        settings = dict(
            config=trained.config if made else self.build_config().to_dict(),
            options={**trained.options, **self.options} if made else {},
            command=self.command,
            evaluate=self.evaluate,
            seed=self.seed,
            needs=[need.fingerprint() for need in self.needs],
        )
        text = json.dumps(settings, sort_keys=True, default=repr)
        text = text.replace(str(self.root), '{work_dir}')
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Study:
    """A study file, read.

    Args:
        path: of the file.
        work_dir: where its runs and its report go.
        options: settings of the file itself that are overridden, by dotted key.

    Raises:
        ValueError: the file lacks something, or names something that is not there.
    """

    def __init__(
        self,
        path: str | Path,
        work_dir: Path,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        self.work_dir = work_dir
        self.cfg = Config.fromfile(path)
        self.cfg.merge_from_dict(dict(options or {}))
        self.values = {
            key: value for key, value in self.cfg.items() if isinstance(value, (str, int, float))
        } | {place: f'{{{place}}}' for place in PLACES}
        taken = sorted(set(OWN) & set(self.cfg.keys()))
        if taken:
            raise ValueError(
                f"{self.path}: {list(OWN)} are each run's own, got a setting {taken[0]!r}; "
                'rename it.'
            )
        arms, folds = self.cfg.get('arms'), self.cfg.get('folds') or ()
        seeds = self.cfg.get('seeds') or [0]
        if not isinstance(arms, Mapping) or not arms:
            raise ValueError(f'{self.path}: a study must have arms, a dict, got {arms or "none"}.')
        if not is_of_type(folds, Sequence[str]):
            raise ValueError(f'{self.path}: folds must be a list of strings, got {folds!r}.')
        if not is_of_type(seeds, Sequence[int]) or min(seeds) < 0:
            raise ValueError(
                f'{self.path}: seeds must be a list of integers, each at least 0, got {seeds!r}.'
            )
        for fold in folds:
            _check_folder(f'{self.path}: fold {fold!r}', fold)
        self.folds: list[str | None] = list(folds) or [None]
        self.seeds: list[int] = list(seeds)
        self.arms: dict[str, dict] = {}
        self.points: dict[str, dict[str, Any]] = {}
        for name, arm in self.cfg.arms.items():
            self._check(name, arm)
        for name, arm, point in _expanded(self.cfg.arms.to_dict()):
            _check_folder(f'{self.path}: arm {name!r}', name)
            self.arms[name], self.points[name] = arm, point
        self._made: dict[tuple, Run] = {}
        self.runs: list[Run] = []
        # Seeds outermost: what is there when a study is stopped compares all arms.
        for seed, fold, name in itertools.product(self.seeds, self.folds, self.arms):
            self._add(self._run(name, fold, seed, ()))

    def wanted(self, arms: Iterable[str] | None = None) -> list[Run]:
        """Return the runs of some arms and those that they depend on, in order.

        Args:
            arms: names; None for all.

        Raises:
            ValueError: there is no such arm.
        """
        if arms is None:
            return self.runs
        for name in arms:
            check_choice(str(self.path), 'an arm', name, tuple(self.arms))
        found: set[str] = set()
        for run in reversed(self.runs):
            if run.arm in arms or run.name in found:
                found |= {run.name, *(need.name for need in run.needs)}
        return [run for run in self.runs if run.name in found]

    def _check(self, name: str, arm: Mapping) -> None:
        me = f'{self.path}: arm {name!r}'
        if not isinstance(arm, Mapping):
            raise ValueError(f'{me} must be a dict, got {arm!r}.')
        unknown = set(arm) - set(ARM_KEYS)
        if unknown:
            raise ValueError(f'{me} may have {list(ARM_KEYS)}, got {sorted(unknown)}.')
        try:
            check_options(me, arm, ARM_KEYS)
        except TypeError as error:
            raise ValueError(str(error)) from error
        kinds = [key for key in ('config', 'test_of', 'command') if arm.get(key) is not None]
        if not kinds or ('test_of' in kinds and len(kinds) > 1):
            raise ValueError(
                f'{me} must have a config, a command (with a config, if it is for {{config}}) or '
                f'test_of, got {kinds}.'
            )

    def _add(self, run: Run) -> None:
        """List a run behind those that it needs."""
        for need in run.needs:
            self._add(need)
        if run not in self.runs:
            self.runs.append(run)

    def _run(self, arm: str, fold: str | None, seed: int, above: tuple[str, ...]) -> Run:
        if arm not in self.arms:
            raise ValueError(
                f'{self.path}: arm {above[-1]!r} needs the arm {arm!r}, which is not among '
                f'{sorted(self.arms)}.'
            )
        if arm in above:
            raise ValueError(
                f'{self.path}: arms must not need each other in a circle, got '
                f'{" -> ".join((*above, arm))}.'
            )
        spec = self.arms[arm]
        once_per = spec.get('once_per', 'seed')
        of_fold = None if once_per == 'study' else fold
        of_seed = seed if once_per == 'seed' else None
        key = (arm, of_fold, of_seed)
        if key in self._made:
            return self._made[key]
        bare = Run(arm, self.work_dir, of_fold, of_seed)
        needs: dict[str, Run] = {}

        def needed(name: str) -> Run:
            needs[name] = self._run(name, fold, seed, (*above, arm))
            return needs[name]

        own = dict(
            fold=of_fold, seed=of_seed, folder=str(bare.folder), config=str(bare.config_file)
        )
        filled = {
            what: _filled(spec.get(what), {**self.values, **own}, needed, self.path)
            for what in ('config', 'command', 'options')
        }
        test_of = needed(spec['test_of']) if spec.get('test_of') else None
        run = dataclasses.replace(
            bare,
            config=self._found(arm, filled['config']),
            command=filled['command'],
            options=filled['options'] or {},
            evaluate=spec.get('evaluate', self.cfg.get('evaluate', 'test')),
            test_of=test_of,
            needs=tuple(needs.values()),
            grid=self.points[arm],
        )
        self._made[key] = run
        return run

    def _found(self, arm: str, config: str | None) -> str | None:
        """A config's path, beside the study file or from here."""
        if config is None or '::' in config or config.startswith(str(self.work_dir)):
            return config  # one of a package, or one that another run makes
        for path in (self.path.parent / config, Path(config)):
            if path.is_file():
                return str(path)
        raise ValueError(
            f'{self.path}: arm {arm!r} must name a config, beside the study file or from the '
            f'working directory, got {config!r}, which is not there.'
        )


def _check_folder(me: str, name: str) -> None:
    """Refuse what would leave the work dir, or could not be a folder."""
    if not re.fullmatch(r'\w[\w=.,+-]*', name) or len(name.encode()) > LONGEST_NAME:
        raise ValueError(
            f'{me} names a folder: letters, digits and _=.,+- are allowed, up to {LONGEST_NAME} '
            'bytes, the first a letter, digit or _; rename it.'
        )


def _expanded(arms: Mapping[str, Mapping]) -> Iterator[tuple[str, dict, dict]]:
    """Each arm, for each point of its grid: name, specification, point."""
    for name, arm in arms.items():
        grid = arm.get('grid') or {}
        for values in itertools.product(*grid.values()):
            point = dict(zip(grid, values, strict=True))
            labels = [f'{key.rsplit(".", 1)[-1]}={value}' for key, value in point.items()]
            options = {**arm.get('options', {}), **point}
            yield ','.join([name, *labels]), {**arm, 'options': options}, point


def _filled(value: Any, values: Mapping, needed: Any, path: Path) -> Any:
    """A setting with its placeholders replaced, in nested dicts and lists, too."""
    if isinstance(value, Mapping):
        return {key: _filled(item, values, needed, path) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_filled(item, values, needed, path) for item in value)
    if not isinstance(value, str):
        return value

    def replaced(match: re.Match) -> Any:
        name, what = match.groups()
        if what is None:
            if name not in values:
                raise ValueError(
                    f'{path}: {{{name}}} must be a known placeholder, got no such name in '
                    f'{sorted(values)}.'
                )
            found = values[name]
            if name in OWN or not isinstance(found, str):
                return found
            return _filled(found, values, needed, path)
        check_choice(str(path), f'what is taken of {{{name}...}}', what, LEFT_BY_A_RUN)
        run = needed(name)
        left = dict(
            folder=run.folder,
            config=run.config_file,
            checkpoint=(run.test_of or run).checkpoint_file,
            scores=run.scores_file,
        )
        return str(left[what])

    single = PLACEHOLDER.fullmatch(value)
    if single:
        return replaced(single)
    return PLACEHOLDER.sub(lambda match: str(replaced(match)), value)
