"""A student learns from the teacher that is responsible for each sample (DTKD).

Source: Park and Cho, "Subset-Aware Dual-Teacher Knowledge Distillation with Hybrid Scoring for
Human Activity Recognition", Electronics 2025, 14(20), 4130.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor

from mmaction_kd.datasets.random_numbers import random_state_kept
from mmaction_kd.models.checks import check_losses, check_scores, check_single_label, class_indices
from mmaction_kd.models.data_preprocessors import DistillDataPreprocessor
from mmaction_kd.models.distillers.student_keys import name_weights_as_the_students
from mmaction_kd.models.distillers.teachers import (
    OWNER,
    Inputs,
    LiveTeachers,
    StoredTeachers,
    clips_of,
)
from mmaction_kd.models.reductions import at_least_float32
from mmaction_kd.models.submodels.outputs import extracts_features, record_output, video_features
from mmaction_kd.models.submodels.recognizer_config import (
    RecognizerConfig,
    build_recognizer,
    load_recognizer,
    split_recognizer_config,
)
from mmaction_kd.options import NotNegative, checked_options
from mmaction_kd.registry import MODELS
from mmaction_kd.stored_teachers.store_header import TeacherIdentity


@MODELS.register_module()
class DualTeacherDistiller(BaseModel):
    """Train a student over all classes with one teacher for each subset of them.

    In training, over a batch::

        L_total = α T² L_KD + (1 − α) L_CE                                 (13)

    where L_CE is the loss of the student's own head, and the other term is ``distill_loss``. A
    teacher runs only on the samples whose logits the loss needs. At test the student is alone.

    Outside of training this is the student. Its weights have the student's names, so that a
    checkpoint loads with the student's own config in stock MMAction2. Frozen teachers are no part
    of it (see :class:`~mmaction_kd.models.distillers.teachers.FrozenTeachers`);
    :class:`~mmaction_kd.engine.TeacherHashHook` records which they were.

    Each video has one class, whose teacher is responsible. Soft labels are refused: a blending
    preprocessor (Mixup, CutMix) at construction, other soft labels with the first batch.

    Source: DTKD, section 3.2, equation (13).

    Args:
        student: an MMAction2 recognizer (its config, or a config's path; see
            :func:`~mmaction_kd.models.submodels.recognizer_config.split_recognizer_config`);
            ``checkpoint`` holds its initial weights.
        teachers: recognizers by the name of their subset, two in the paper; ``checkpoint`` holds
            their weights. One without ``data_preprocessor`` uses the student's.
        distill_loss: config of a :class:`~mmaction_kd.models.losses.SubsetDistillLoss`; gets
            ``num_classes`` from the student.
        frozen_teachers: the paper's FT. False: teachers are trained along, kept in the checkpoint
            (as ``trained_teachers.*``) and run on their own samples in train mode. A teacher of LT,
            locked while it was trained on its subset, is its checkpoint with the unlocked config.
        unfrozen_objective: what trained teachers learn from, which the paper does not state:
            'ce', the cross-entropy of their samples; or 'bn_only', only their batch statistics
            are updated. No gradient of L_KD reaches a teacher.
        teacher_loss_weight: weight of the teachers' cross-entropy, at least 0.
        predict_teachers: at test, also write each teacher t's scores as ``t_score``, for
            SelectivityMetric.
        stored_teachers: folder of stored logits of the frozen teachers for each training view (see
            ``tools/store_teachers.py``). The samples bring them along
            (:class:`~mmaction_kd.stored_teachers.StoredTeacherViews`): in training no teacher runs
            or moves to the device. When training starts, the teachers are loaded once on the CPU to
            verify that the store is of them. One without ``checkpoint``, or whose file is gone, is
            trusted with a warning.

    Raises:
        ValueError: the teachers are not those of the loss, or one has a head of another width or
            for several classes a video.
    """

    @checked_options
    def __init__(
        self,
        student: RecognizerConfig,
        teachers: Mapping[str, RecognizerConfig],
        distill_loss: Mapping,
        frozen_teachers: bool = True,
        unfrozen_objective: Literal['ce', 'bn_only'] = 'ce',
        teacher_loss_weight: NotNegative = 1.0,
        predict_teachers: bool = False,
        stored_teachers: str | None = None,
    ) -> None:
        if stored_teachers is not None and not frozen_teachers:
            raise ValueError(
                f'{OWNER}: stored_teachers needs frozen_teachers=True, got False; the stored '
                'logits of a teacher are not those that it has after more training.'
            )
        built_student, student_checkpoint = build_recognizer(student)
        check_single_label(OWNER, 'student', built_student)
        loss = MODELS.build(dict(distill_loss, num_classes=built_student.cls_head.num_classes))
        preprocessor = split_recognizer_config(student)[0].get('data_preprocessor')
        learn = not frozen_teachers and unfrozen_objective == 'ce'
        # Neither what the student starts from nor its videos and dropout depend on the teachers.
        with random_state_kept():
            live = LiveTeachers(teachers, preprocessor, loss, frozen_teachers, learn)
        super().__init__(
            DistillDataPreprocessor(
                built_student.data_preprocessor,
                live.preprocessors(),
                teachers_in_test=predict_teachers,
                teachers_in_training=stored_teachers is None,
            )
        )
        self.student = built_student
        self._student_checkpoint = student_checkpoint
        self.trained_teachers = live.trained
        self.distill_loss = loss
        self.trains_teachers = learn
        self.teacher_loss_weight = teacher_loss_weight
        self.predict_teachers = predict_teachers
        self._live = live
        self._source = live if stored_teachers is None else StoredTeachers(stored_teachers, live)
        name_weights_as_the_students(self)

    @property
    def teachers(self) -> dict[str, BaseModel]:
        """The recognizers by name."""
        return self._live.models

    @property
    def teacher_hashes(self) -> dict[str, str]:
        """SHA-256 of the weights that each teacher was loaded with."""
        return self._source.hashes

    def parts(self) -> dict[str, tuple[str | None, BaseModel]]:
        """Return the recognizers that see the inputs at test, by name.

        Returns:
            'student': the key of its clips, where the inputs are a dict, and the recognizer.
        """
        return {'student': ('student', self.student)}

    def init_weights(self) -> None:
        """Initialise as the student alone would be; load its checkpoint, and the teachers'."""
        self.student.init_weights()
        if self._student_checkpoint is not None:
            load_recognizer(self.student, self._student_checkpoint, 'student')
        self._source.prepare()

    def load_teachers(self) -> None:
        """Load the teachers that are not loaded yet, even those whose logits are stored."""
        self._live.prepare()

    def teacher_identities(self) -> dict[str, TeacherIdentity]:
        """Return what identifies the teachers, which must be loaded, in a store."""
        return self._live.identities(self._live.hashes)

    def _apply(self, fn: Callable, recurse: bool = True) -> BaseModel:
        # .to(device) and the like reach submodules only, which frozen teachers are not.
        if self._source is self._live or self.predict_teachers:
            for teacher in self._live.frozen.values():
                teacher._apply(fn)
        return super()._apply(fn, recurse)

    def forward(
        self,
        inputs: Inputs,
        data_samples: list[ActionDataSample] | None = None,
        mode: str = 'tensor',
        **kwargs: object,
    ) -> object:
        """Run the model in one of MMEngine's modes.

        Args:
            inputs: (N, V, C, T, H, W), or (N, V·T, C, H, W) for a Recognizer2D; or a dict of such
                with the keys ``student`` and the names of the teachers.
            data_samples: one a video.
            mode: 'loss', 'predict' or 'tensor'.
            kwargs: of the student's 'tensor' mode, such as ``stage``.

        Returns:
            In mode 'tensor' the output of the student.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples or [])
        if mode == 'predict':
            return self.predict(inputs, data_samples or [])
        if mode == 'tensor':
            return self.student(clips_of(inputs, 'student'), data_samples, mode='tensor', **kwargs)
        raise ValueError(f"{OWNER}: mode must be 'loss', 'predict' or 'tensor', got {mode!r}.")

    def loss(self, inputs: Inputs, data_samples: list[ActionDataSample]) -> dict[str, Tensor]:
        """Compute equation (13), term by term.

        Args:
            inputs: see :meth:`forward`.
            data_samples: with ``gt_label``, one a video.

        Returns:
            Scalars: the terms of the student's own head (``loss_cls`` times 1 − α, ``top1_acc``,
            ...) and of ``distill_loss``; for each teacher that is trained along
            ``t/loss_teacher``.

        Raises:
            ValueError: a label is no class, or soft; or with ``stored_teachers`` a sample is no
                view of the store.
            FloatingPointError: a loss is NaN or infinite; the model and the videos are named.
        """
        clips = clips_of(inputs, 'student')
        targets = class_indices(
            OWNER, data_samples, self.distill_loss.num_classes, 'the teacher that is responsible'
        ).to(clips.device)
        # A student may have a loss() of its own, so its logits are taken from its head.
        with record_output(self.student, 'cls_head') as recorded:
            losses = self.student.loss(clips, data_samples)
        views = recorded.output.reshape(len(clips), -1, recorded.output.shape[-1])
        student_logits = at_least_float32(views).mean(1)
        losses = {
            key: value * self.distill_loss.ce_weight if 'loss' in key else value
            for key, value in losses.items()
        }
        teacher_logits = self._source.logits(inputs, data_samples, targets)
        losses |= self.distill_loss(student_logits, teacher_logits, targets)
        if self.trains_teachers:
            for key, value in self.distill_loss.teacher_losses(teacher_logits, targets).items():
                losses[key] = self.teacher_loss_weight * value
        scores = {'student': student_logits, **teacher_logits}
        check_losses(OWNER, losses, scores, self._models, data_samples)
        return losses

    @property
    def _models(self) -> dict[str, BaseModel]:
        return {'student': self.student, **self.teachers}

    def teacher_logits(self, inputs: Inputs) -> dict[str, Tensor]:
        """Compute the logits of every teacher for every video, as in training.

        Args:
            inputs: see :meth:`forward`.

        Returns:
            For each teacher (N, D), float32 or wider.
        """
        return self._live.all_logits(inputs)

    def predict(
        self, inputs: Inputs, data_samples: list[ActionDataSample]
    ) -> list[ActionDataSample]:
        """Predict as the student alone does.

        Args:
            inputs: see :meth:`forward`.
            data_samples: one a video; labels are not used.

        Returns:
            The samples with ``pred_score`` (K,) and ``pred_label`` (1,); where the student's
            ``test_cfg`` has ``feature_extraction`` also ``feat`` (D,); with ``predict_teachers``
            also ``t_score`` (K,) of each teacher t: mean probability over the views, 0 outside the
            subset of a masked teacher.

        Raises:
            FloatingPointError: a score is NaN or infinite; the model and the videos are named.
        """
        clips = clips_of(inputs, 'student')
        samples = self.student.predict(clips, data_samples)
        if extracts_features(self.student):
            feats, _ = self.student.extract_feat(clips, test_mode=True)
            for sample, feat in zip(samples, video_features(feats, len(samples)), strict=True):
                sample.set_field(feat, 'feat')
        scores = {'student': torch.stack([sample.pred_score for sample in samples])}
        teacher_scores = self._live.probs(inputs) if self.predict_teachers else {}
        check_scores(OWNER, scores | teacher_scores, self._models, samples)
        for name, values in teacher_scores.items():
            for sample, score in zip(samples, values, strict=True):
                sample.set_field(score, f'{name}_score')
        return samples
