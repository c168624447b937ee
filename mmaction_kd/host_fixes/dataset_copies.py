"""A subset of a data set has that data set's own parts."""

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


FIXES = (
    Fix(
        name="get_subset may give a data set another's pipeline or metainfo",
        hosts=('mmengine',),
        module='mmengine.dataset.base_dataset',
        fault=_copies_share_a_memo,
        patch=_memo_of_its_own,
        remedy='make subsets by annotation files',
    ),
)
