"""Stack and normalise a batch for a student and for each of its teachers."""

from __future__ import annotations

from collections.abc import Mapping

from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn

from mmaction_kd.options import checked_options
from mmaction_kd.registry import MODELS


@MODELS.register_module()
class DistillDataPreprocessor(BaseDataPreprocessor):
    """Preprocess the clips of the student and of each teacher by their own preprocessors.

    A pipeline packs one clip for all, or one for each (:class:`PathwayPipelines` with a pipeline
    ``student`` and one for each teacher). Teachers without a preprocessor use the student's. None
    may blend videos (Mixup, CutMix): the one class of a video decides which teacher is responsible.

    Args:
        student: a built preprocessor (which may be shared with the student).
        teachers: for each teacher a built preprocessor, or None for the student's.
        teachers_in_test: whether the teachers run at test, too.
        teachers_in_training: False if their logits are stored.

    Raises:
        ValueError: a preprocessor blends, or a batch lacks the student's or a teacher's clips.
    """

    @checked_options
    def __init__(
        self,
        student: BaseDataPreprocessor,
        teachers: Mapping[str, BaseDataPreprocessor | None],
        teachers_in_test: bool = False,
        teachers_in_training: bool = True,
    ) -> None:
        super().__init__()
        if not isinstance(student, BaseDataPreprocessor):
            raise TypeError(
                f'DistillDataPreprocessor: student must be a built preprocessor, got {student!r}.'
            )
        self.student = student
        self.teachers = tuple(teachers)
        self.teachers_in_test = teachers_in_test
        self.teachers_in_training = teachers_in_training
        self.own = nn.ModuleDict({name: own for name, own in teachers.items() if own is not None})
        for name, preprocessor in (('the student', student), *self.own.items()):
            if getattr(preprocessor, 'blending', None) is not None:
                raise ValueError(
                    f'DistillDataPreprocessor: {name} must not blend, got '
                    f'{type(preprocessor.blending).__name__}; a blended video has no one class '
                    'whose teacher is responsible, so set data_preprocessor=dict(blending=None).'
                )

    def forward(self, data: dict, training: bool = False) -> dict:
        """Turn a collated batch into the model's input.

        Args:
            data: ``inputs``, the N clips as the pipeline packs them, or a dict of such with the
                keys ``student`` and the names of the teachers; ``data_samples``, the N samples.
            training: whether the batch is for training.

        Returns:
            The same keys. ``inputs`` is one tensor with a leading N that all share, or a dict of
            such with the keys ``student`` and the names of the teachers.

        Raises:
            ValueError: clips are missing.
        """
        data = self.cast_data(data)
        they_see = self.teachers_in_training if training else self.teachers_in_test
        teachers = self.teachers if they_see else ()
        clips = data['inputs']
        if not isinstance(clips, Mapping):
            if not self.own.keys() & set(teachers):
                return self.student(data, training)
            clips = dict.fromkeys(('student', *teachers), clips)
        missing = {'student', *teachers} - clips.keys()
        if missing:
            raise ValueError(
                f'DistillDataPreprocessor: inputs must hold {["student", *teachers]}, got '
                f'{sorted(clips)}; name the pipelines of PathwayPipelines so.'
            )
        student = self.student({**data, 'inputs': clips['student']}, training)
        inputs: dict[str, Tensor] = dict(student=student['inputs'])
        for name in teachers:
            if name not in self.own and clips[name] is clips['student']:
                inputs[name] = inputs['student']
            else:
                mine = name in self.own  # a ModuleDict has no get()
                own = self.own[name] if mine else self.student
                inputs[name] = own({**data, 'inputs': clips[name]}, training)['inputs']
        return {**student, 'inputs': inputs}
