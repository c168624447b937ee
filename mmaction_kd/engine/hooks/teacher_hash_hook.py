"""Which teachers a student was trained with, in its checkpoint."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmaction_kd.registry import HOOKS


@HOOKS.register_module()
class TeacherHashHook(Hook):
    """Write the teachers' hashes into every checkpoint, and refuse to go on with other teachers.

    The checkpoint of a :class:`~mmaction_kd.models.distillers.DualTeacherDistiller` holds the
    student only. ``meta['teachers']`` maps each teacher's name to the SHA-256 of the weights that
    it had when training began.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Write them down.

        Args:
            runner: the run.
            checkpoint: what will be saved.
        """
        checkpoint['meta']['teachers'] = dict(_hashes(runner))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare, where a run is resumed.

        Args:
            runner: the run.
            checkpoint: what was loaded.

        Raises:
            ValueError: the checkpoint's teachers are others.
        """
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
