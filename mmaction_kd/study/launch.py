"""Do the missing runs, of a study or of DTKD, several at a time, through the ordinary launcher.

A run is one or more commands of tools/, each in its own process; what they print goes to the run's
``log.txt``. A run that fails does not stop the others. Killed, at any time, and started again,
they are resumed: a training from its last checkpoint, the rest from the last finished command.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from mmengine.config import Config

from mmaction_kd.host_fixes.last_checkpoint import last_of_ended
from mmaction_kd.options import check_range
from mmaction_kd.report.logged_scalars import read_scalars
from mmaction_kd.study.check_config import ConfigCheck
from mmaction_kd.study.plan import PLACEHOLDER, Run
from mmaction_kd.utils.atomic_file import named_write_errors, write_atomically
from mmaction_kd.utils.child_command import end_command, start_command
from mmaction_kd.utils.forked_script import ForkedScript

Log = Callable[[str], None]
ERROR = re.compile(r'(\[rank\d+\]: )?[\w.]*(Error|Exception|Interrupt|Exit)\b.*:')
NO_METRICS = ('step', 'after_iter', 'time', 'data_time')


class RunFailed(Exception):
    """A run can't be finished; the message has the reason."""


class Launcher:
    """Runs whatever is missing.

    Args:
        tools: the folder with dist_train.sh and dist_test.sh.
        here: the folder of the study file, for commands.
        devices: GPUs of one run, or processes without a GPU.
        jobs: runs at a time.
        gpus: what ``CUDA_VISIBLE_DEVICES`` may name, shared out among the jobs; empty where there
            are none.
        log: called with each line of progress.
        fork: fork each run from this process instead of starting it anew through dist_train.sh,
            which takes seconds; of one device only.
        follow: where to show what the runs print, also in their logs; None: nowhere.
    """

    def __init__(
        self,
        tools: Path,
        here: Path = Path(),
        devices: int = 1,
        jobs: int = 1,
        gpus: tuple[str, ...] = (),
        log: Log = print,
        fork: bool = False,
        follow: IO[bytes] | None = None,
    ) -> None:
        check_range('study', 'devices', devices, 1)
        check_range('study', 'jobs', jobs, 1)
        if fork and devices > 1:
            raise ValueError(
                f'study: forked runs must have one device, got {devices}; leave out --fork.'
            )
        if jobs > 1 and gpus and len(gpus) < jobs * devices:
            raise ValueError(
                f'study: {jobs} jobs on {devices} devices each need {jobs * devices} GPUs, got '
                f'{len(gpus)}; lower --jobs or --devices.'
            )
        self.tools, self.here = tools, here
        self.devices, self.jobs, self.gpus, self.log = devices, jobs, gpus, log
        self.checks = ConfigCheck()
        self.fork, self.follow = fork, follow

    def do(self, runs: Sequence[Run]) -> dict[str, str]:
        """Do the unfinished runs, after those that they depend on.

        Args:
            runs: in order; only one process at a time may work in their folders.

        Returns:
            Why each of the runs that are not done is not, by name.
        """
        failed: dict[str, str] = {}
        missing = []
        for run in runs:
            reason = stale(run)
            if reason:
                failed[run.name] = reason
                self.log(f'{run.name}: {reason}')
            elif run.result() is None and (fault := self._fault(run)):
                failed[run.name] = fault
                self.log(f'{run.name}: FAILED before it began, {fault}')
            elif run.result() is None:
                missing.append(run)
        done_before = len(runs) - len(missing) - len(failed)
        total, active = len(missing), dict[int, _Active]()
        self.log(f'{len(runs)} runs, {done_before} done before, {total} to do')
        finished = 0
        try:
            while missing or active:
                for slot in range(self.jobs):
                    if slot not in active and (ready := _next(missing, failed)):
                        missing.remove(ready)
                        active[slot] = _Active(self, ready, slot)
                if not active:  # what is left needs a run that failed
                    for run in missing:
                        bad = next(n for n in run.needs if n.name in failed or n in missing)
                        failed[run.name] = f'needs {bad.name}'
                    break
                for slot, current in list(active.items()):
                    outcome = current.advance()
                    if outcome is None:
                        continue
                    del active[slot]
                    finished += 1
                    head = f'[{finished}/{total}] {current.run.name}'
                    if outcome:
                        failed[current.run.name] = outcome
                        self.log(f'{head}: FAILED, {outcome}\n{current.reason()}')
                    else:
                        self.log(f'{head}: {_headline(current.run)}, {current.seconds():.0f} s')
                time.sleep(0.1)
        finally:
            for current in active.values():
                current.stop()
        return failed

    def _fault(self, run: Run) -> str | None:
        """Return the error in the config of a training or test, without what runs will make."""
        trained = run.test_of or run
        pending = [str(need.folder) for need in (*run.needs, *trained.needs) if not need.result()]
        if run.command is not None or trained.config is None:
            return None
        if any(place in trained.config for place in pending):
            return None
        try:
            self.checks.check(run.build_config(), pending)
        except Exception as error:
            return f'{type(error).__name__}: {error}'
        return None

    def _steps(self, run: Run) -> Iterator[list[str]]:
        """The commands of a run, one after the other; ends with its result written."""
        begun = time.time()
        run.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(
            run.folder / 'study_run.json', json.dumps(dict(fingerprint=run.fingerprint())) + '\n'
        )
        if run.config is not None or run.test_of is not None:
            cfg = run.build_config()
            saves_apart(cfg, f'{run.root.name}/{run.name}')
            # Without a seed a resumed run would differ.
            cfg.randomness = {'seed': 0, **cfg.get('randomness', {})}
            if run.seed is not None:
                cfg.randomness.seed = run.seed
            write_atomically(run.config_file, cfg.pretty_text)
        if run.command is not None:
            places = dict(tools=self.tools, python=sys.executable, here=self.here)
            places |= dict(folder=run.folder, config=run.config_file)
            yield [
                PLACEHOLDER.sub(lambda match: str(places.get(match[1], match[0])), word)
                for word in shlex.split(run.command)
            ]
            found = run.folder / 'metrics.json'
            metrics = json.loads(found.read_text()) if found.exists() else {}
        else:
            if run.test_of is None:
                yield from self._train(run)
                metrics = last_validation(run.train_folder)
            if run.evaluate == 'test' or run.test_of is not None:
                yield self._test(run)
                metrics = newest_test(run.folder / 'test')
            elif not metrics:
                raise RunFailed("evaluate='val', and the training validated nothing")
        result = dict(metrics=metrics, grid=dict(run.grid), seconds=round(time.time() - begun, 1))
        write_atomically(run.result_file, json.dumps(result, indent=1) + '\n')

    def _train(self, run: Run) -> Iterator[list[str]]:
        work = run.train_folder
        if last_of_ended(work) is None:
            yield self._launch('train', [run.config_file], ['--work-dir', work, '--resume'])
        found = last_of_ended(work)
        last = Path(found or work / 'no checkpoint')
        if not last.exists():
            raise RunFailed(
                f'the training must leave a checkpoint on this machine, got none of {work}'
            )
        run.checkpoint_file.unlink(missing_ok=True)
        here = last.parent.resolve() == work.resolve()  # so the study may be moved
        run.checkpoint_file.symlink_to(Path(work.name, last.name) if here else last.resolve())

    def _test(self, run: Run) -> list[str]:
        checkpoint = (run.test_of or run).checkpoint_file
        options = ['--work-dir', run.folder / 'test', '--dump', run.scores_file]
        return self._launch('test', [run.config_file, checkpoint], options)

    def _launch(self, tool: str, what: list, options: list) -> list[str]:
        """The command of tools/train.py or tools/test.py."""
        if self.fork:
            words = [sys.executable, self.tools / f'{tool}.py', *what, *options]
        else:
            words = [self.tools / f'dist_{tool}.sh', *what, self.devices, *options]
        return [str(word) for word in words]

    def _environment(self, slot: int) -> dict[str, str]:
        """What keeps runs at the same time apart: ports, GPUs, threads."""
        environment = dict(os.environ, PYTHON=sys.executable, PORT=str(_free_port()))
        if self.jobs > 1 and self.gpus:
            mine = self.gpus[slot * self.devices : (slot + 1) * self.devices]
            environment['CUDA_VISIBLE_DEVICES'] = ','.join(mine)
        threads = max(1, (os.cpu_count() or 1) // (self.jobs * self.devices))
        environment.setdefault('OMP_NUM_THREADS', str(threads))
        return environment


class _Active:
    """A run in progress.

    Args:
        launcher: that does it.
        run: which.
        slot: its place among the jobs.
    """

    def __init__(self, launcher: Launcher, run: Run, slot: int) -> None:
        self.run, self.fork, self.follow = run, launcher.fork, launcher.follow
        self.steps, self.environment = launcher._steps(run), launcher._environment(slot)
        self.log = run.folder / 'log.txt'
        self.shown = self.log.stat().st_size if self.log.exists() else 0
        self.process: subprocess.Popen | ForkedScript | None = None
        self.begun = time.time()

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.time() - self.begun

    def advance(self) -> str | None:
        """Start the next command: None while one runs, '' when all are done, else what failed."""
        if self.process is not None:
            code = self.process.poll()
            if self.follow is not None:
                with self.log.open('rb') as log:
                    log.seek(self.shown)
                    self.shown += self.follow.write(log.read())
                self.follow.flush()
            if code is None:
                return None
            if code:
                return f'exit {code}; see {self.log}'
        try:
            words = next(self.steps)
        except StopIteration:
            return ''
        except Exception as error:  # a bad config: this run's failure, not the study's
            return f'{type(error).__name__}: {error}'
        with named_write_errors(self.log), self.log.open('a') as log:
            log.write(f'$ {shlex.join(words)}\n')
            log.flush()
            try:
                if self.fork and words[0] == sys.executable:
                    self.process = ForkedScript(words[1:], self.environment, log)
                else:
                    self.process = start_command(words, self.environment, log)
            except OSError as error:
                return f'{type(error).__name__}: {error}'
        return None

    def reason(self) -> str:
        """Return the last error line in the log of a failed run, else its last lines.

        The launcher's own error, that a child process failed, is skipped.
        """
        lines = self.log.read_text(errors='replace').splitlines() if self.log.exists() else []
        errors = [line for line in lines if ERROR.match(line) and 'ChildFailedError' not in line]
        return '\n'.join(f'    {line[:300]}' for line in errors[-1:] or lines[-12:])

    def stop(self) -> None:
        """End its processes."""
        if self.process is not None:
            end_command(self.process)


def print_failed(failed: Mapping[str, str]) -> None:
    """Print why runs are not done; those that only wait for one that failed are counted."""
    blocked = [reason for reason in failed.values() if reason.startswith('needs ')]
    for name, reason in failed.items():
        if reason not in blocked:
            print(f'not done: {name}: {reason}')
    if blocked:
        print(f'not done: {len(blocked)} more runs, which need those')


def stale(run: Run) -> str | None:
    """Return why a run's folder can't be resumed; None where it can."""
    path = run.folder / 'study_run.json'
    if not path.exists():
        return None
    if any(need.result() is None and need.config is None for need in run.needs):
        return None
    try:
        now = run.fingerprint()
    except Exception as error:
        return f'{type(error).__name__}: {error}'
    if json.loads(path.read_text())['fingerprint'] == now:
        return None
    return (
        f'was begun with other settings; remove {run.folder}, undo the change, or take another '
        '--work-dir'
    )


def saves_apart(cfg: Config, name: str) -> None:
    """Give a run a place of its own where its config has checkpoints saved outside of its folder.

    There MMEngine appends the last part of the work dir alone, which runs have in common.

    Args:
        cfg: of the run; ``out_dir`` of its CheckpointHook is changed.
        name: of the run.
    """
    hook = (cfg.get('default_hooks') or {}).get('checkpoint')
    if hook is not None and hook.get('out_dir') is not None:
        hook.out_dir = f'{str(hook.out_dir).rstrip("/")}/{name}'


def last_validation(work: Path) -> dict[str, float]:
    """Return the metrics of the last validation; empty where there was none."""
    found = read_scalars(work).val
    return _metrics(found[-1]) if found else {}


def newest_test(work: Path) -> dict[str, float]:
    """Return the metrics of the last test in a work dir."""
    newest = max(work.glob('*/*.json'), key=lambda path: path.parent.name)
    return _metrics(json.loads(newest.read_text()))


def _metrics(values: Mapping[str, float]) -> dict[str, float]:
    return {key: value for key, value in values.items() if key not in NO_METRICS}


def _next(missing: list[Run], failed: Mapping[str, str]) -> Run | None:
    """The first run whose needs are done."""
    for run in missing:
        if all(need.result() is not None and need.name not in failed for need in run.needs):
            return run
    return None


def _headline(run: Run) -> str:
    metrics: dict[str, Any] = (run.result() or {}).get('metrics', {})
    shown = [f'{k} {v:.4f}' for k, v in metrics.items() if isinstance(v, float) and 'mean1' in k]
    return ', '.join(shown[:3]) or 'done'


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]
