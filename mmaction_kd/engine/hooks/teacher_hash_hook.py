"""Hashes of a student's teachers, in its checkpoint."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmaction_kd.registry import HOOKS


@HOOKS.register_module()
class TeacherHashHook(Hook):
    """Write the teachers' hashes into every checkpoint, and refuse to resume with other teachers.

    The checkpoint of a :class:`~mmaction_kd.models.distillers.DualTeacherDistiller` holds the
    student only. ``meta['teachers']`` maps each teacher's name to the SHA-256 of its weights when
    training began.

    Raises:
        ValueError: a run is resumed with other teachers than those of the checkpoint.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint['meta']['teachers'] = dict(_hashes(runner))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if not runner._resume:
            return
        theirs, ours = checkpoint['meta'].get('teachers', {}), _hashes(runner)
        if theirs != ours:
            other = sorted(n for n in theirs.keys() | ours.keys() if theirs.get(n) != ours.get(n))
            raise ValueError(
                'TeacherHashHook: a run must be resumed with the teachers it was started with, got '
                f'others for {other}: {_short(theirs)} in the checkpoint, {_short(ours)} now; give '
                "the teachers' old checkpoints, or start anew from this one with load_from."
            )


def _hashes(runner: Runner) -> dict[str, str]:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    if not hasattr(model, 'teacher_hashes'):
        raise ValueError(
            'TeacherHashHook: the model must be a DualTeacherDistiller, got '
            f'{type(model).__name__}; remove the hook from custom_hooks.'
        )
    return model.teacher_hashes


def _short(hashes: dict[str, str]) -> dict[str, str]:
    return {name: value[:8] for name, value in sorted(hashes.items())}
