"""Data sets: subsets have their own parts, uneven classes can be balanced."""

from __future__ import annotations

import functools
from typing import Any

from mmaction_kd.host_fixes.fix import Fix, source_of


def _copies_share_a_memo() -> bool:
    return 'memo=dict()' in source_of('mmengine.dataset.base_dataset')


def _memo_of_its_own(base_dataset: Any) -> None:
    # deepcopy's memo goes by address: in a memo that outlives the call, an address that was freed
    # and given to another object stands for the copy of the former.
    host_copy = base_dataset.BaseDataset._copy_without_annotation

    @functools.wraps(host_copy)
    def copy_without_annotation(self: Any, memo: dict | None = None) -> Any:
        return host_copy(self, {} if memo is None else memo)

    base_dataset.BaseDataset._copy_without_annotation = copy_without_annotation


def _no_categories() -> bool:
    source = source_of('mmaction.datasets.base')
    return 'def get_data_info' in source and 'def get_cat_ids' not in source


def _categories_by_label(base: Any) -> None:
    def get_cat_ids(self: Any, idx: int) -> list[int]:
        """Return a video's categories, for ClassBalancedDataset."""
        label = self.get_data_info(idx)['label']
        if self.multi_class:  # K zeros and ones
            return label.nonzero()[:, 0].tolist()
        return [label]

    base.BaseActionDataset.get_cat_ids = get_cat_ids


FIXES = (
    Fix(
        name="get_subset may give a data set another's pipeline or metainfo",
        hosts=('mmengine',),
        module='mmengine.dataset.base_dataset',
        fault=_copies_share_a_memo,
        patch=_memo_of_its_own,
        remedy='make subsets by annotation files',
    ),
    Fix(
        name='ClassBalancedDataset takes no data set of videos (NotImplementedError)',
        hosts=('mmaction2', 'mmengine'),
        module='mmaction.datasets.base',
        fault=_no_categories,
        patch=_categories_by_label,
        remedy='repeat the lines of rare classes in the annotation file',
    ),
)
