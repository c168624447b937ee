"""Sources of the teachers' logits in training: teachers that run, or a store of their logits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property

import torch
from mmaction.structures import ActionDataSample
from mmengine.config import ConfigDict
from mmengine.logging import MMLogger
from mmengine.model import BaseDataPreprocessor, BaseModel
from torch import Tensor, nn

from mmaction_kd.datasets.random_numbers import random_state_kept
from mmaction_kd.models.checks import check_single_label
from mmaction_kd.models.losses.subset_distill_loss import SubsetDistillLoss
from mmaction_kd.models.reductions import at_least_float32
from mmaction_kd.models.submodels.outputs import score_views
from mmaction_kd.models.submodels.recognizer_config import (
    RecognizerConfig,
    build_recognizer,
    load_recognizer,
    split_recognizer_config,
)
from mmaction_kd.stored_teachers.fingerprint import canonical_json, digest, weights_hash
from mmaction_kd.stored_teachers.store_header import StoreHeader, TeacherIdentity, load_header

OWNER = 'DualTeacherDistiller'
Inputs = Tensor | Mapping[str, Tensor]


class FrozenTeachers(dict[str, BaseModel]):
    """Recognizers by name, always in eval mode and without gradients.

    As a plain attribute of a module, a dict is not part of the module tree. So none of its weights
    is a parameter of the distiller, in the optimizer, in DDP's buckets or in the checkpoint, and
    ``distiller.train()`` does not reach it: dropout stays off and no buffer moves. A deep copy of
    the distiller, such as EMA makes, shares it.
    """

    def add(self, name: str, teacher: BaseModel) -> None:
        """Add a recognizer, frozen."""
        teacher.eval()
        self[name] = teacher.requires_grad_(False)

    def __deepcopy__(self, memo: dict) -> FrozenTeachers:
        return self


class LiveTeachers:
    """Teachers that run on the clips of each batch.

    Not a module, so that as an attribute of the distiller it adds nothing to the module tree.

    Args:
        configs: recognizers by name.
        preprocessor: config of the student's preprocessor, for teachers without one.
        distill_loss: decides on which samples each teacher runs.
        frozen: whether the teachers are not trained.
        learn: whether trained teachers have gradients.

    Raises:
        ValueError: the teachers are not those of the loss, or one has a head of another width or
            for several classes a video.
    """

    def __init__(
        self,
        configs: Mapping[str, RecognizerConfig],
        preprocessor: Mapping | None,
        distill_loss: SubsetDistillLoss,
        frozen: bool,
        learn: bool,
    ) -> None:
        self.preprocessor = preprocessor
        self.distill_loss = distill_loss
        self.learn = learn
        self.frozen = FrozenTeachers()
        self.trained = nn.ModuleDict()  # which the distiller registers
        self.configs: dict[str, ConfigDict] = {}
        self.checkpoints: dict[str, str | None] = {}
        self.hashes: dict[str, str] = {}
        """SHA-256 of the weights that each teacher was loaded with; of loaded teachers only."""
        for name, given in sorted(configs.items()):
            teacher, self.checkpoints[name] = build_recognizer(given)
            check_single_label(OWNER, name, teacher)
            self.configs[name] = split_recognizer_config(given)[0]
            self.configs[name].setdefault('data_preprocessor', preprocessor)
            if frozen:
                self.frozen.add(name, teacher)
            else:
                self.trained[name] = teacher
                _freeze_or_warn(name, teacher, learn)
        widths = {name: teacher.cls_head.num_classes for name, teacher in self.models.items()}
        if widths != distill_loss.head_widths:
            raise ValueError(
                f'{OWNER}: the teachers and the outputs of their heads must be '
                f'{distill_loss.head_widths} by distill_loss, got {widths}; name the teachers '
                "as its subsets, and set num_classes of each cls_head (or the loss's teacher_head)."
            )

    @property
    def models(self) -> dict[str, BaseModel]:
        """The recognizers by name."""
        return {**self.frozen, **self.trained}

    def preprocessors(self) -> dict[str, BaseDataPreprocessor | None]:
        """Return the preprocessor of each teacher, None where it is the student's."""
        shared = (None, self.preprocessor)
        return {
            name: None
            if cfg['data_preprocessor'] in shared
            else self.models[name].data_preprocessor
            for name, cfg in self.configs.items()
        }

    def prepare(self) -> None:
        """Load the teachers that are not loaded yet."""
        for name in self.models:
            self.load(name)

    def load(self, name: str) -> None:
        """Load a teacher that is not loaded yet; see ``load_recognizer`` for the errors."""
        if name in self.hashes:
            return
        teacher, checkpoint = self.models[name], self.checkpoints[name]
        with random_state_kept():
            if checkpoint is None:
                teacher.init_weights()
                MMLogger.get_current_instance().warning(
                    f'teacher {name}: no checkpoint is named; its weights come from its init_cfg, '
                    'which may be random.'
                )
            else:
                load_recognizer(teacher, checkpoint, f'teacher {name}', name in self.frozen)
        self.hashes[name] = weights_hash(teacher)

    def identities(self, hashes: Mapping[str, str]) -> dict[str, TeacherIdentity]:
        """Return what identifies each teacher in a store, with the hashes of the weights."""
        classes = self.distill_loss.head_classes
        return {
            name: TeacherIdentity(
                hashes[name],
                digest(canonical_json(self.configs[name], f'the config of teacher {name}')),
                classes[name],
            )
            for name in self.models
        }

    def logits(
        self, inputs: Inputs, samples: list[ActionDataSample], targets: Tensor
    ) -> dict[str, Tensor]:
        """Compute the logits that the loss needs.

        Args:
            inputs: see :class:`~mmaction_kd.models.distillers.DualTeacherDistiller`.
            samples: not used.
            targets: class index of every sample, (N,).

        Returns:
            For each teacher (N, D), zeros for the samples that the loss does not need of it.
        """
        own, needed = self.distill_loss.responsible(targets), self.distill_loss.needed(targets)
        logits = {}
        for name, teacher in self.models.items():
            clips = clips_of(inputs, name)
            if name in self.frozen:
                self.load(name)
                with torch.no_grad():
                    logits[name] = _logits_of(teacher, clips, needed[name])
            else:
                learns = _at_least_one(own[name]) if self.learn else own[name]
                logits[name] = _logits_in_training(teacher, clips, learns, needed[name])
        return logits

    @torch.no_grad()
    def all_logits(self, inputs: Inputs) -> dict[str, Tensor]:
        """Compute the logits of every teacher for every video, (N, D) each, as in training."""
        logits = {}
        for name, teacher in self.models.items():
            clips = clips_of(inputs, name)
            logits[name] = at_least_float32(score_views(teacher, clips).logits).mean(1)
        return logits

    def probs(self, inputs: Inputs) -> dict[str, Tensor]:
        """Compute the test scores of each teacher: (N, K), mean probability over the views."""
        probs = {}
        for name, teacher in self.models.items():
            if name in self.frozen:
                self.load(name)
            clips = clips_of(inputs, name)
            views = score_views(teacher, clips, test_mode=True).logits  # (N, V, D)
            flat = self.distill_loss.teacher_probs(name, views.flatten(0, 1))
            probs[name] = flat.unflatten(0, views.shape[:2]).mean(1)  # (N·V, K) -> (N, K)
        return probs


class StoredTeachers:
    """Logits from a store, which the samples bring along; no teacher runs.

    Args:
        folder: the store.
        live: the teachers that it must be of.
    """

    def __init__(self, folder: str, live: LiveTeachers) -> None:
        self.folder = folder
        self.live = live

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of the weights of each teacher."""
        return {name: teacher.weights for name, teacher in self.header.teachers.items()}

    def prepare(self) -> None:
        """Verify that the store is of these teachers; see :attr:`header`."""
        _ = self.header

    @cached_property
    def header(self) -> StoreHeader:
        """The header of the store, verified when it is first read.

        A teacher without a checkpoint to compare with is trusted, with a warning.

        Raises:
            FileNotFoundError: there is no such store.
            ValueError: the store is of other teachers.
        """
        header = load_header(self.folder)
        hashes = {}
        for name in sorted(self.live.models.keys() & header.teachers.keys()):
            verified = None
            if self.live.checkpoints[name] is not None:
                with suppress(FileNotFoundError):
                    self.live.load(name)
                    verified = self.live.hashes[name]
            if verified is None:
                MMLogger.get_current_instance().warning(
                    f'teacher {name}: there is no checkpoint to compare with; the logits in '
                    f'{self.folder} are trusted, unverified.'
                )
            hashes[name] = verified or header.teachers[name].weights
        same_names = self.live.models.keys() == header.teachers.keys()
        wanted = dataclasses.replace(
            header,
            num_classes=self.live.distill_loss.num_classes,
            teachers=self.live.identities(hashes) if same_names else {},
        )
        remedy = 'name the checkpoints that it was made of, or make another store'
        header.check(wanted, OWNER, self.folder, remedy)
        return header

    def logits(
        self, inputs: Inputs, samples: list[ActionDataSample], targets: Tensor
    ) -> dict[str, Tensor]:
        """Return the stored logits of the samples' views.

        Args:
            inputs: not used.
            samples: of :class:`~mmaction_kd.stored_teachers.StoredTeacherViews`.
            targets: class index of every sample, (N,).

        Returns:
            For each teacher (N, D), on the device of ``targets``.

        Raises:
            ValueError: a sample is no view of the store.
        """
        if {sample.get('teacher_store') for sample in samples} != {self.header.fingerprint}:
            raise ValueError(
                f'{OWNER}: with stored_teachers every training sample must be a view of '
                f'{self.folder}, got others; wrap the data set of train_dataloader in '
                'mmaction_kd.StoredTeacherViews with this store.'
            )
        return {
            name: torch.stack([s.get(f'{name}_logits') for s in samples]).to(targets.device)
            for name in self.live.models
        }


def clips_of(inputs: Inputs, name: str) -> Tensor:
    """Return the clips of a student or teacher: its own, or those that all share."""
    return inputs if isinstance(inputs, Tensor) else inputs[name]


def _logits_of(teacher: BaseModel, clips: Tensor, rows: Tensor) -> Tensor:
    """Run a teacher on some videos, (N,) bool: (N, D), float32 or wider, zeros in other rows."""
    index = rows.nonzero().flatten()
    if len(index) == 0:
        return clips.new_zeros(len(clips), teacher.cls_head.num_classes, dtype=torch.float32)
    scored = score_views(teacher, clips if len(index) == len(clips) else clips[index])
    logits = at_least_float32(scored.logits).mean(1)
    return logits.new_zeros(len(clips), logits.shape[1]).index_copy(0, index, logits)


def _logits_in_training(
    teacher: BaseModel, clips: Tensor, learns: Tensor, needed: Tensor
) -> Tensor:
    """Run a teacher that is trained along on the videos that are ``needed``, (N,) bool.

    Its gradient and its batch statistics come from the videos that it ``learns`` from, (N,) bool;
    the others go through it in eval mode.
    """
    logits = _logits_of(teacher, clips, learns)
    was_training = teacher.training
    teacher.eval()
    with torch.no_grad():
        others = _logits_of(teacher, clips, needed & ~learns)
    teacher.train(was_training)
    return logits + others


def _at_least_one(rows: Tensor) -> Tensor:
    """Return the same videos, or the first of the batch where there are none, (N,) bool.

    Under DDP all parameters of a trained teacher must have a gradient on every rank. The losses
    give a video of another teacher no weight.
    """
    first = torch.zeros_like(rows)
    first[0] = ~rows.any()
    return rows | first


def _freeze_or_warn(name: str, teacher: BaseModel, learn: bool) -> None:
    """Freeze the weights unless they learn; then warn where the teacher's config freezes some."""
    if not learn:
        teacher.requires_grad_(False)
        return
    sizes = [(value.numel(), value.requires_grad) for value in teacher.train().parameters()]
    total, trained = sum(n for n, _ in sizes), sum(n for n, learns in sizes if learns)
    if trained < total:
        MMLogger.get_current_instance().warning(
            f'teacher {name}: with frozen_teachers=False only {trained} of its {total} weights '
            'train, as its config freezes the rest; name the config without frozen_stages and '
            'norm_eval, with the same checkpoint, to train all.'
        )
