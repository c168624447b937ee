"""A student learns from the teacher that is responsible for each sample (DTKD).

Source: Park and Cho, "Subset-Aware Dual-Teacher Knowledge Distillation with Hybrid Scoring for
Human Activity Recognition", Electronics 2025, 14(20), 4130.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import torch
from mmaction.structures import ActionDataSample
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmaction_kd.datasets.random_numbers import random_state_kept
from mmaction_kd.models.data_preprocessors import DistillDataPreprocessor
from mmaction_kd.models.distillers.frozen_teachers import FrozenTeachers, weights_hash
from mmaction_kd.models.distillers.student_keys import name_weights_as_the_students
from mmaction_kd.models.precision import at_least_float32
from mmaction_kd.models.submodels.class_labels import class_indices
from mmaction_kd.models.submodels.finite_scores import check_losses, check_scores
from mmaction_kd.models.submodels.intermediate_features import record_output
from mmaction_kd.models.submodels.last_features import extracts_features, video_features
from mmaction_kd.models.submodels.recognizer_config import (
    RecognizerConfig,
    build_recognizer,
    load_recognizer,
    split_recognizer_config,
)
from mmaction_kd.models.submodels.single_label import check_single_label
from mmaction_kd.models.submodels.view_logits import view_logits
from mmaction_kd.options import check_choice, check_range, checked_options
from mmaction_kd.registry import MODELS
from mmaction_kd.stored_teachers.fingerprint import canonical_json, digest
from mmaction_kd.stored_teachers.store_header import StoreHeader, TeacherIdentity, load_header

Inputs = Tensor | Mapping[str, Tensor]


@MODELS.register_module()
class DualTeacherDistiller(BaseModel):
    """Train a student over all classes with one teacher for each subset of them.

    In training, over a batch::

        L_total = α T² L_KD + (1 − α) L_CE                                 (13)

    where L_CE is the loss of the student's own head, and the other term is ``distill_loss``. A
    teacher sees only the samples that the loss needs of it. At test the student is alone.

    To everything outside, this is the student: its weights have the student's names, so that a
    checkpoint loads with the student's own config in stock MMAction2. Frozen teachers are no part
    of it (see :class:`~mmaction_kd.models.distillers.frozen_teachers.FrozenTeachers`);
    :class:`~mmaction_kd.engine.TeacherHashHook` writes down which they were.

    Each video has one class, whose teacher is responsible: soft labels (Mixup, CutMix) are
    refused, blending in a preprocessor at construction, others with the first batch.

    Source: DTKD, section 3.2, equation (13).

    Args:
        student: an MMAction2 recognizer (its config, or a config's path; see
            :func:`~mmaction_kd.models.submodels.recognizer_config.split_recognizer_config`);
            ``checkpoint`` is what it starts from.
        teachers: recognizers by the name of their subset, likewise; two in the paper. What they
            know is in ``checkpoint``. One without ``data_preprocessor`` has the student's.
        distill_loss: config of a :class:`~mmaction_kd.models.losses.HybridScoreLoss` or a
            :class:`~mmaction_kd.models.losses.BSKDLoss`; gets ``num_classes`` from the student.
        frozen_teachers: the paper's FT. False: teachers are trained along, kept in the checkpoint
            (as ``trained_teachers.*``) and see their own samples in train mode. A teacher of LT,
            locked while it was trained on its subset, is its checkpoint with the unlocked config.
        unfrozen_objective: what trained teachers learn from, which the paper does not state:
            'ce', the cross-entropy of their samples; or 'bn_only', nothing: their batch statistics
            move. (No gradient of L_KD reaches a teacher.)
        teacher_loss_weight: weight of the teachers' cross-entropy, at least 0.
        predict_teachers: at test, also write each teacher t's scores as ``t_score``, for
            SelectivityMetric.
        stored_teachers: folder of what the frozen teachers said of each training view (see
            ``tools/store_teachers.py``), which the samples bring along
            (:class:`~mmaction_kd.stored_teachers.StoredTeacherViews`): no teacher runs in training,
            or goes to the device. When training starts they are loaded once, on the CPU, to verify
            that they are those of the store. One without ``checkpoint``, or whose file is gone,
            can't be compared: the store is trusted, with a warning.

    Raises:
        TypeError: a setting is of another type than the signature says.
        ValueError: the teachers are not those of the loss, one has a head of another width or for
            several classes a video, or a setting is not among its choices or out of range.
    """

    @checked_options
    def __init__(
        self,
        student: RecognizerConfig,
        teachers: Mapping[str, RecognizerConfig],
        distill_loss: Mapping,
        frozen_teachers: bool = True,
        unfrozen_objective: str = 'ce',
        teacher_loss_weight: float = 1.0,
        predict_teachers: bool = False,
        stored_teachers: str | None = None,
    ) -> None:
        me = type(self).__name__
        check_choice(me, 'unfrozen_objective', unfrozen_objective, ('ce', 'bn_only'))
        check_range(me, 'teacher_loss_weight', teacher_loss_weight, 0)
        if stored_teachers is not None and not frozen_teachers:
            raise ValueError(
                f'{me}: stored_teachers needs frozen_teachers=True, got False; what was stored of '
                'a teacher is not what it says after it was trained further.'
            )
        built_student, student_checkpoint = build_recognizer(student)
        # Neither what the student starts from nor its videos and dropout depend on the teachers.
        with random_state_kept():
            built = {name: build_recognizer(cfg) for name, cfg in sorted(teachers.items())}
        for name, (model, _) in dict(built, student=(built_student, None)).items():
            check_single_label(me, name, model)
        preprocessors = {
            name: None
            if _preprocessor(teachers[name]) in (None, _preprocessor(student))
            else teacher.data_preprocessor
            for name, (teacher, _) in built.items()
        }
        super().__init__(
            DistillDataPreprocessor(
                built_student.data_preprocessor,
                preprocessors,
                teachers_in_test=predict_teachers,
                teachers_in_training=stored_teachers is None,
            )
        )
        self.student = built_student
        self._checkpoints = {name: checkpoint for name, (_, checkpoint) in built.items()}
        self._student_checkpoint = student_checkpoint
        self._configs = dict(teachers)
        self._student_config = student
        self._frozen = FrozenTeachers()
        self.trained_teachers = nn.ModuleDict()
        for name, (teacher, _) in built.items():
            if frozen_teachers:
                self._frozen.add(name, teacher)
            else:
                self.trained_teachers[name] = teacher
                if unfrozen_objective == 'bn_only':
                    teacher.requires_grad_(False)
                else:
                    _warn_of_locked(name, teacher)
        self.distill_loss = MODELS.build(
            dict(distill_loss, num_classes=self.student.cls_head.num_classes)
        )
        widths = {name: teacher.cls_head.num_classes for name, teacher in self.teachers.items()}
        if widths != self.distill_loss.head_widths:
            raise ValueError(
                f'{me}: the teachers and the outputs of their heads must be '
                f'{self.distill_loss.head_widths} by distill_loss, got {widths}; name the teachers '
                "as its subsets, and set num_classes of each cls_head (or the loss's teacher_head)."
            )
        self.trains_teachers = not frozen_teachers and unfrozen_objective == 'ce'
        self.teacher_loss_weight = teacher_loss_weight
        self.predict_teachers = predict_teachers
        self.teacher_hashes: dict[str, str] = {}
        self.stored_teachers = stored_teachers
        self._store: StoreHeader | None = None  # read when training starts
        self._believed: set[str] = set()  # of these the hash is the store's
        name_weights_as_the_students(self)

    @property
    def teachers(self) -> dict[str, BaseModel]:
        """The recognizers by name."""
        return {**self._frozen, **self.trained_teachers}

    def parts(self) -> dict[str, tuple[str | None, BaseModel]]:
        """Return the recognizers that see the inputs at test, by name.

        Returns:
            'student': the key of its clips, where the inputs are a dict, and the recognizer.
        """
        return {'student': ('student', self.student)}

    @property
    def _models(self) -> dict[str, BaseModel]:
        return {'student': self.student, **self.teachers}

    def init_weights(self) -> None:
        """Initialise as the student alone would be; load its checkpoint, and the teachers'."""
        self.student.init_weights()
        if self._student_checkpoint is not None:
            load_recognizer(self.student, self._student_checkpoint, 'student')
        if self.stored_teachers is None:
            self.load_teachers()
        else:
            self._opened_store()

    def load_teachers(self) -> None:
        """Load those that are not loaded yet."""
        for name in self.teachers:
            self._load_teacher(name)

    def teacher_identities(self) -> dict[str, TeacherIdentity]:
        """What tells the teachers, which must be loaded, from others; for a store."""
        classes = self.distill_loss.head_classes
        student = _preprocessor(self._student_config)
        found = {}
        for name in self.teachers:
            cfg, _ = split_recognizer_config(self._configs[name])
            cfg.setdefault('data_preprocessor', student)
            config = digest(canonical_json(cfg, f'the config of teacher {name}'))
            found[name] = TeacherIdentity(self.teacher_hashes[name], config, classes[name])
        return found

    def _opened_store(self) -> StoreHeader:
        """What the store says, once it is known to be of these teachers."""
        if self._store is not None:
            return self._store
        store = load_header(self.stored_teachers or '')
        for name in sorted(self.teachers.keys() & store.teachers.keys()):
            checkpoint = self._checkpoints[name]
            try:
                if checkpoint is not None:
                    self._load_teacher(name)
            except FileNotFoundError:
                checkpoint = None
            if checkpoint is None:
                self._believed.add(name)
                self.teacher_hashes[name] = store.teachers[name].weights
                MMLogger.get_current_instance().warning(
                    f'teacher {name}: there is no checkpoint to compare with; what '
                    f'{self.stored_teachers} holds is believed to be of it.'
                )
        ours = self.teacher_identities() if self.teachers.keys() == store.teachers.keys() else {}
        mine = dataclasses.replace(store, num_classes=self.distill_loss.num_classes, teachers=ours)
        remedy = 'name the checkpoints that it was made of, or make another store'
        store.check(mine, type(self).__name__, self.stored_teachers or '', remedy)
        self._store = store
        return store

    def _load_teacher(self, name: str) -> None:
        """Load it once, at training or when it is first asked: a student at test is alone.

        What tells it from others stays in ``teacher_hashes``, also when it is trained further.
        """
        if name in self.teacher_hashes and name not in self._believed:
            return
        teacher, checkpoint = self.teachers[name], self._checkpoints[name]
        with random_state_kept():
            if checkpoint is None:
                teacher.init_weights()
                MMLogger.get_current_instance().warning(
                    f'teacher {name}: no checkpoint is named; it knows what its init_cfg says, '
                    'which may be nothing.'
                )
            else:
                load_recognizer(teacher, checkpoint, f'teacher {name}', name in self._frozen)
        self._believed.discard(name)
        self.teacher_hashes.setdefault(name, weights_hash(teacher))

    def _apply(self, fn: Callable, recurse: bool = True) -> BaseModel:
        """``.to(device)`` and its like also reach the frozen teachers, where these will run."""
        if self.stored_teachers is None or self.predict_teachers:
            for teacher in self._frozen.values():
                teacher._apply(fn)
        return super()._apply(fn, recurse)

    def forward(
        self,
        inputs: Inputs,
        data_samples: list[ActionDataSample] | None = None,
        mode: str = 'tensor',
        **kwargs: object,
    ) -> object:
        """MMEngine's entry.

        Args:
            inputs: (N, V, C, T, H, W), or (N, V·T, C, H, W) for a Recognizer2D; or a dict of such
                with the keys ``student`` and the names of the teachers.
            data_samples: one a video.
            mode: 'loss', 'predict' or 'tensor'.
            kwargs: of the student's 'tensor' mode, such as ``stage``.

        Returns:
            'loss': see :meth:`loss`. 'predict': see :meth:`predict`. 'tensor': what the student
            returns.

        Raises:
            ValueError: another mode.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples or [])
        if mode == 'predict':
            return self.predict(inputs, data_samples or [])
        if mode == 'tensor':
            return self.student(_clips(inputs, 'student'), data_samples, mode='tensor', **kwargs)
        raise ValueError(
            f"DualTeacherDistiller: mode must be 'loss', 'predict' or 'tensor', got {mode!r}."
        )

    def loss(self, inputs: Inputs, data_samples: list[ActionDataSample]) -> dict[str, Tensor]:
        """Equation (13), term by term.

        Args:
            inputs: see :meth:`forward`.
            data_samples: with ``gt_label``, one a video.

        Returns:
            Scalars: what the student's own head returns (``loss_cls`` times 1 − α,
            ``top1_acc``, ...) and what ``distill_loss`` does; of teachers that are trained along
            ``t/loss_teacher``.

        Raises:
            ValueError: a label is no class, or soft; or with ``stored_teachers`` a sample is no
                view of the store.
            FloatingPointError: a loss is NaN or infinite; the model and the videos are named.
        """
        me, clips = type(self).__name__, _clips(inputs, 'student')
        targets = class_indices(
            me, data_samples, self.distill_loss.num_classes, 'the teacher that is responsible'
        ).to(clips.device)
        with record_output(self.student, 'cls_head') as recorded:
            losses = self.student.loss(clips, data_samples)
        views = recorded.output.reshape(len(clips), -1, recorded.output.shape[-1])
        student_logits = at_least_float32(views).mean(1)
        losses = {
            key: value * self.distill_loss.ce_weight if 'loss' in key else value
            for key, value in losses.items()
        }
        if self.stored_teachers is None:
            teacher_logits = self._live_logits(inputs, targets)
        else:
            teacher_logits = self._stored_logits(data_samples, clips.device)
        losses |= self.distill_loss(student_logits, teacher_logits, targets)
        if self.trains_teachers:
            for key, value in self.distill_loss.teacher_losses(teacher_logits, targets).items():
                losses[key] = self.teacher_loss_weight * value
        scores = {'student': student_logits, **teacher_logits}
        check_losses(me, losses, scores, self._models, data_samples)
        return losses

    def _live_logits(self, inputs: Inputs, targets: Tensor) -> dict[str, Tensor]:
        """What each teacher says of the samples that the loss needs it to see, (N, D)."""
        own = self.distill_loss.responsible(targets)
        needed = self.distill_loss.needed(targets)
        teacher_logits = {}
        for name, teacher in self.teachers.items():
            seen = _clips(inputs, name)
            if name in self._frozen:
                self._load_teacher(name)
                with torch.no_grad():
                    teacher_logits[name] = logits_of(teacher, seen, needed[name])
            else:
                learns = at_least_one(own[name]) if self.trains_teachers else own[name]
                teacher_logits[name] = logits_in_training(teacher, seen, learns, needed[name])
        return teacher_logits

    def _stored_logits(
        self, data_samples: list[ActionDataSample], device: torch.device
    ) -> dict[str, Tensor]:
        """What each teacher said of the samples' views, (N, D)."""
        store = self._opened_store()
        if {sample.get('teacher_store') for sample in data_samples} != {store.fingerprint}:
            raise ValueError(
                f'{type(self).__name__}: with stored_teachers every training sample must be a view '
                f'of {self.stored_teachers}, got others; wrap the data set of train_dataloader in '
                'mmaction_kd.StoredTeacherViews with this store.'
            )
        return {
            name: torch.stack([sample.get(f'{name}_logits') for sample in data_samples]).to(device)
            for name in self.teachers
        }

    @torch.no_grad()
    def teacher_logits(self, inputs: Inputs) -> dict[str, Tensor]:
        """What every teacher says of every video, as in training.

        Args:
            inputs: see :meth:`forward`.

        Returns:
            Of each teacher (N, D), float32 or wider.
        """
        found = {}
        for name, teacher in self.teachers.items():
            clips = _clips(inputs, name)
            everything = torch.ones(len(clips), dtype=torch.bool, device=clips.device)
            found[name] = logits_of(teacher, clips, everything)
        return found

    def predict(
        self, inputs: Inputs, data_samples: list[ActionDataSample]
    ) -> list[ActionDataSample]:
        """What the student says, as it says it alone.

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
        me = type(self).__name__
        clips = _clips(inputs, 'student')
        samples = self.student.predict(clips, data_samples)
        if extracts_features(self.student):
            feats, _ = self.student.extract_feat(clips, test_mode=True)
            for sample, feat in zip(samples, video_features(feats, len(samples)), strict=True):
                sample.set_field(feat, 'feat')
        scores = torch.stack([sample.pred_score for sample in samples])
        check_scores(me, dict(student=scores), self._models, samples)
        if self.predict_teachers:
            for name, teacher in self.teachers.items():
                if name in self._frozen:
                    self._load_teacher(name)
                views, _ = view_logits(teacher, _clips(inputs, name), test_mode=True)  # (N, V, D)
                probs = self.distill_loss.teacher_probs(name, views.flatten(0, 1))
                probs = probs.unflatten(0, views.shape[:2]).mean(1)  # (N·V, K) -> (N, K)
                check_scores(me, {name: probs}, self._models, samples)
                for sample, score in zip(samples, probs, strict=True):
                    sample.set_field(score, f'{name}_score')
        return samples


def logits_of(teacher: BaseModel, clips: Tensor, rows: Tensor) -> Tensor:
    """A teacher's logits of some videos of a batch.

    Args:
        teacher: an MMAction2 recognizer.
        clips: (N, ...).
        rows: which videos it sees, (N,), bool; where it is none, it does not run.

    Returns:
        (N, D), mean over the views, float32 or wider; zeros where not seen.
    """
    seen = rows.nonzero().flatten()
    if len(seen) == 0:
        return clips.new_zeros(len(clips), teacher.cls_head.num_classes, dtype=torch.float32)
    views, _ = view_logits(teacher, clips if len(seen) == len(clips) else clips[seen])
    logits = at_least_float32(views).mean(1)
    return logits.new_zeros(len(clips), logits.shape[1]).index_copy(0, seen, logits)


def logits_in_training(teacher: BaseModel, clips: Tensor, learns: Tensor, needed: Tensor) -> Tensor:
    """Likewise of a teacher that is trained along.

    Its gradient and its batch statistics come from the videos that it learns from; it sees the
    others in eval mode.

    Args:
        teacher: an MMAction2 recognizer.
        clips: (N, ...).
        learns: the videos that it learns from, (N,), bool.
        needed: the videos that the loss needs it to see, (N,), bool.

    Returns:
        (N, D), as :func:`logits_of`.
    """
    logits = logits_of(teacher, clips, learns)
    was_training = teacher.training
    teacher.eval()
    with torch.no_grad():
        others = logits_of(teacher, clips, needed & ~learns)
    teacher.train(was_training)
    return logits + others


def at_least_one(rows: Tensor) -> Tensor:
    """The same videos, or the first where there are none.

    All parameters of a trained teacher must have a gradient on every rank (DDP); the losses give a
    video of others no weight.

    Args:
        rows: (N,), bool.

    Returns:
        (N,), bool.
    """
    first = torch.zeros_like(rows)
    first[0] = ~rows.any()
    return rows | first


def _warn_of_locked(name: str, teacher: BaseModel) -> None:
    """FT alone rules the student stage: what LT froze is to be in no config of a teacher there."""
    sizes = [(value.numel(), value.requires_grad) for value in teacher.train().parameters()]
    total, trained = sum(n for n, _ in sizes), sum(n for n, learns in sizes if learns)
    if trained < total:
        MMLogger.get_current_instance().warning(
            f'teacher {name}: with frozen_teachers=False only {trained} of its {total} weights '
            'train, as its config freezes the rest; name the config without frozen_stages and '
            'norm_eval, with the same checkpoint, to train all.'
        )


def _clips(inputs: Inputs, name: str) -> Tensor:
    return inputs if isinstance(inputs, Tensor) else inputs[name]


def _preprocessor(cfg: RecognizerConfig) -> Mapping | None:
    return split_recognizer_config(cfg)[0].get('data_preprocessor')
