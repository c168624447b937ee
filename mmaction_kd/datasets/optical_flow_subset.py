"""The videos of one subset of the classes, such as the static ones (DTKD, section 3.1)."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, force_full_init
from mmengine.registry import DATASETS as ROOT_DATASETS

from mmaction_kd.datasets.annotation_file import check_annotations
from mmaction_kd.datasets.class_subsets import SHIPPED, class_key, load_subsets
from mmaction_kd.datasets.part_of_dataset import (
    Part,
    check_known,
    innermost,
    part_of,
    prepare_data,
)
from mmaction_kd.options import check_choice, checked_options
from mmaction_kd.registry import DATASETS


@DATASETS.register_module()
class OpticalFlowSubset:
    """Wrap a data set: only the videos of a subset, labelled for a head of that subset.

    A label becomes the index of its class within the subset, whose classes keep the order of all
    classes: what the losses expect of a teacher with a subset head.

    Source: DTKD, sections 3.1 and 4.3.

    Args:
        dataset: a data set of MMAction2, a wrapper of one, or the config of either.
        subset: name of the subset, such as 'static' or 'dynamic'.
        subsets: path of the file with the subsets, or 'ucf101' or 'hmdb51' for the paper's own,
            see :func:`~mmaction_kd.datasets.class_subsets.load_subsets`; its classes are in the
            order of the data set's labels.
        relabel: False keeps the labels among all classes, for a head of all classes.
        lazy_init: as in MMEngine's wrappers.

    Raises:
        TypeError: ``dataset`` is not of MMEngine's kind, or is another wrapper.
        ValueError: the file lacks the subset or a class of the data set. When the annotations are
            loaded: a line or a label is wrong, or no video is of the subset.
    """

    @checked_options
    def __init__(
        self,
        dataset: BaseDataset | dict,
        subset: str,
        subsets: str | Path,
        relabel: bool = True,
        lazy_init: bool = False,
    ) -> None:
        me = type(self).__name__
        if isinstance(dataset, dict):
            dataset = ROOT_DATASETS.build(dict(dataset, lazy_init=True))
        check_known(me, dataset)
        self.dataset = dataset
        known = load_subsets(subsets)
        check_choice(me, 'subset', subset, tuple(known.names))
        named = self.dataset.metainfo.get('classes')
        theirs, ours = list(map(class_key, named or ())), list(map(class_key, known.classes))
        if named is not None and theirs != ours:
            strangers = sorted(set(theirs) ^ set(ours))
            what = f'other classes: {strangers}' if strangers else 'the same in another order'
            raise ValueError(
                f'{me}: the classes of the data set must be those of {subsets}, in order, got '
                f'{what}; make the file from this data set with '
                'tools/data/optical_flow_subsets.py.'
            )
        self.subsets, self.subset, self.relabel = subsets, subset, relabel
        self.classes = known.classes
        self._index_of = {class_key(name): i for i, name in enumerate(known.classes)}
        self._new_label = {old: new for new, old in enumerate(known.indices[subset])}
        classes = known.names[subset] if relabel else known.classes
        self._metainfo = dict(self.dataset.metainfo, classes=classes, subset=subset)
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """Return the data set's, with the ``classes`` of the labels, and ``subset``."""
        return copy.deepcopy(self._metainfo)

    @property
    def test_mode(self) -> bool:
        """Return whether a data set inside is scored."""
        return any(inner.test_mode for inner in innermost(self.dataset))

    def full_init(self) -> None:
        """Load the annotations and select the videos."""
        if self._fully_initialized:
            return
        for inner in innermost(self.dataset):
            if not inner._fully_initialized:
                check_annotations(inner)
        self.dataset.full_init()
        part, _ = part_of(self.dataset, self._chosen)
        if not len(part):
            files = ', '.join(str(inner.ann_file) for inner in innermost(self.dataset))
            raise ValueError(
                f"{type(self).__name__}: '{self.subset}' must have videos in "
                f'{files or "the data set"}, got none of its {len(self._new_label)} classes.'
            )
        self.dataset = part
        self._fully_initialized = True

    def _chosen(self, dataset: BaseDataset) -> Part:
        """Select the videos of the subset, with their new labels."""
        kept = []
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            label = info['label']
            if not isinstance(label, (int, np.integer)) or not 0 <= label < len(self.classes):
                raise ValueError(
                    f'{type(self).__name__}: a label must be one of the {len(self.classes)} '
                    f'classes of {self.subsets}, got {label!r} in '
                    f'{dataset.ann_file or "the data set"}; give the subsets of this data set.'
                )
            if self.subsets in SHIPPED:
                self._check_folder(info, dataset)
            if label in self._new_label:
                kept.append(index)
        part = dataset.get_subset(kept)
        part._metainfo = self.metainfo
        if self.relabel:  # every use of a video begins with its annotation
            part.get_data_info = functools.partial(_relabelled, part, self._new_label)
        return part, kept

    def _check_folder(self, info: dict, dataset: BaseDataset) -> None:
        """Refuse labels in another order than the paper's: a video's folder names its class."""
        folder = Path(info.get('filename') or info.get('frame_dir') or '').parent.name
        named = self._index_of.get(class_key(folder))
        if named not in (None, info['label']):
            raise ValueError(
                f"{type(self).__name__}: the labels must be those of '{self.subsets}', in which "
                f'{folder} is {named}, got {info["label"]} for a video of that folder in '
                f'{dataset.ann_file}; make the list of videos in the official order of the '
                'classes, or give the subsets of this data set as a file.'
            )

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Return a video's annotation, with the new ``label``."""
        return self.dataset.get_data_info(idx)

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Return a video's categories, for ClassBalancedDataset."""
        return self.dataset.get_cat_ids(idx)

    @force_full_init
    def __len__(self) -> int:
        return len(self.dataset)

    @force_full_init
    def prepare_data(self, idx: int) -> Any:
        """Run the data set's pipeline on exactly this video; may return None."""
        return prepare_data(self.dataset, idx)

    @force_full_init
    def __getitem__(self, idx: int) -> Any:
        """Return the sample of a video; in training another of the subset where it has none."""
        return self.dataset[idx]


def _relabelled(dataset: BaseDataset, new_label: Mapping[int, int], idx: int) -> dict:
    info = type(dataset).get_data_info(dataset, idx)
    return {**info, 'label': new_label[int(info['label'])]}
