"""Training videos as views whose teacher logits are stored (DTKD with stored teachers)."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import force_full_init
from mmengine.logging import MMLogger

from mmaction_kd.datasets.part_of_dataset import Choose, Part, part_of
from mmaction_kd.options import checked_options
from mmaction_kd.registry import DATASETS
from mmaction_kd.stored_teachers.fingerprint import other_versions
from mmaction_kd.stored_teachers.store_header import describe_dataset
from mmaction_kd.stored_teachers.teacher_store import StoredView, TeacherStore
from mmaction_kd.stored_teachers.view_replay import (
    build_dataset,
    clip_checksum,
    replay_view,
    video_key,
)


@DATASETS.register_module()
class StoredTeacherViews:
    """Wrap a data set: one of V stored views of a video, with the logits of the teachers.

    The view is drawn anew for each sample, so over many epochs there are V views of a video instead
    of ever new ones. Its clip is made again by the data set's own pipeline and is bit-equal to the
    one that the teachers saw. A sample has, of each teacher t, ``t_logits`` (D,), float32; with
    them a distiller with ``stored_teachers`` runs no teacher.

    Of a pipeline that packs clips for the teachers too (PathwayPipelines) these are made, as their
    random numbers belong to the view, but only the student's go into the batch.

    Args:
        dataset: config of a data set of MMAction2, or of an OpticalFlowSubset of one, as the store
            was made of it.
        store: folder of the store, see ``tools/store_teachers.py``.
        verify: compare the CRC-32 of each clip with the one that was stored. False trusts that a
            clip that is not bit-equal, such as of another decoder, is near enough.
        lazy_init: as in MMEngine's wrappers.

    Raises:
        TypeError: ``dataset`` is no config, or that of a wrapper.
        FileNotFoundError: there is no such store, or a file of it is missing.
        ValueError: the store is of another pipeline or annotation, is not complete or is damaged.
    """

    @checked_options
    def __init__(
        self, dataset: dict, store: str | Path, verify: bool = True, lazy_init: bool = False
    ) -> None:
        me = type(self).__name__
        self._cfg = ConfigDict(dataset).to_dict()
        self.dataset = build_dataset(dataset, me)
        self.folder, self.verify = store, verify
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """Return the metainfo of the data set."""
        return self.dataset.metainfo

    @property
    def test_mode(self) -> bool:
        """Return False: views are for training."""
        return False

    def full_init(self) -> None:
        """Load the annotations, open the store and check that it is of this data set.

        Raises:
            FileNotFoundError, ValueError: see the class.
        """
        if self._fully_initialized:
            return
        self.dataset.full_init()
        self.store = TeacherStore.complete(self.folder)
        header = self.store.header
        own = dataclasses.replace(header, **describe_dataset(self.dataset, self._cfg))
        header.check(own, type(self).__name__, self.folder, 'train with the same, or make another')
        if header.unusable:
            MMLogger.get_current_instance().warning(
                f'{type(self).__name__}: {len(header.unusable)} of {header.videos} videos have '
                'views that could not be made; others replace them.'
            )
        self._rows = list(range(len(self.dataset)))
        self._fully_initialized = True

    @force_full_init
    def part(self, choose: Choose) -> Part:
        """Some of the videos; see :func:`~mmaction_kd.datasets.part_of_dataset.part_of`."""
        part = copy.copy(self)
        part.dataset, kept = part_of(self.dataset, choose)
        part._rows = [self._rows[index] for index in kept]
        return part, kept

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Annotation of a video, as the data set gives it."""
        return self.dataset.get_data_info(idx)

    @force_full_init
    def __len__(self) -> int:
        return len(self.dataset)

    @force_full_init
    def __getitem__(self, idx: int) -> dict:
        """A random one of the stored views; of another video where this one has none.

        Raises:
            RuntimeError: no view could be found again and again.
            ValueError: the clip is not the one that the teachers saw.
        """
        for _ in range(1 + self.dataset.max_refetch):
            sample = self.prepare_data(idx)
            if sample is not None:
                return sample
            idx = int(np.random.randint(len(self)))
        raise RuntimeError(
            f'{type(self).__name__}: {self.folder} must hold usable views, got none '
            f'{1 + self.dataset.max_refetch} times; were the videos readable when it was made?'
        )

    @force_full_init
    def prepare_data(self, idx: int) -> dict | None:
        """A random one of this very video's stored views; None where it could not be made.

        Raises:
            ValueError: the clip is not the one that the teachers saw.
        """
        view = int(np.random.randint(self.store.header.views))
        stored = self.store.read(self._rows[idx], view)
        return None if stored is None else self._sample(idx, view, stored)

    def _sample(self, idx: int, view: int, stored: StoredView) -> dict:
        key = video_key(self.dataset, idx)
        sample = replay_view(self.dataset, idx, key, view, self.store.header.seed)
        if sample is None:
            raise self._other_clip(key, view, 'none: the pipeline returned None')
        if self.verify and clip_checksum(sample['inputs']) != stored.clip:
            raise self._other_clip(key, view, 'another')
        inputs, data_sample = sample['inputs'], sample['data_samples']
        if isinstance(inputs, dict) and 'student' in inputs:
            inputs = inputs['student']
        for name, logits in stored.logits.items():
            data_sample.set_field(torch.from_numpy(logits), f'{name}_logits')
        data_sample.set_metainfo(dict(teacher_store=self.store.header.fingerprint))
        return {**sample, 'inputs': inputs, 'data_samples': data_sample}

    def _other_clip(self, key: str, view: int, got: str) -> ValueError:
        return ValueError(
            f'{type(self).__name__}: the clip of {key}, view {view}, must be the one that the '
            f'teachers saw, got {got}; the file was changed, a library decodes or resizes in '
            f'another way (of another version: {other_versions(self.store.header.versions)}), or '
            'a transform draws random numbers of its own. Make the store anew here, or set '
            'verify=False if such a difference does not matter.'
        )
