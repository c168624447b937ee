"""Run the teachers over the views of a data set, to store their logits or to check a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.dist import (
    all_gather_object,
    barrier,
    get_rank,
    get_world_size,
    is_main_process,
)
from mmengine.utils import ProgressBar
from torch.utils.data import DataLoader, Dataset

from mmaction_kd.models.checks import class_indices
from mmaction_kd.stored_teachers.store_header import StoreHeader
from mmaction_kd.stored_teachers.teacher_store import StoredView, TeacherStore, View
from mmaction_kd.stored_teachers.view_replay import clip_checksum, replay_view, video_key

if TYPE_CHECKING:
    from mmaction_kd.models.distillers import DualTeacherDistiller


class LiveViews(NamedTuple):
    """Outputs of the teachers on a batch of views.

    Attributes:
        views: logits of the views that could be made.
        unusable: reasons for the other views.
    """

    views: dict[View, StoredView]
    unusable: dict[View, str]


class Differences(NamedTuple):
    """Result of :func:`check_views`.

    Attributes:
        logits: largest difference of a logit, of each teacher.
        probs: largest difference of a probability, of each teacher, in [0, 1].
        clips: views whose clips differ.
        views: number of compared views.
    """

    logits: dict[str, float]
    probs: dict[str, float]
    clips: list[View]
    views: int


class _ReplayedViews(Dataset):
    """A sample of each view with the CRC-32 of its clip, or the reason why there is none."""

    def __init__(self, dataset: BaseDataset, views: Sequence[View], seed: int) -> None:
        self.dataset, self.views, self.seed = dataset, views, seed

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, index: int) -> tuple[View, dict | None, int, str]:
        view = self.views[index]
        video, number = view
        key = video_key(self.dataset, video)
        try:
            sample = replay_view(self.dataset, video, key, number, self.seed)
        except Exception as error:  # decoders raise errors of many types; all are reported
            return view, None, 0, f'{type(error).__name__}: {error}'
        if sample is None:
            return view, None, 0, 'the pipeline returned None'
        return view, sample, clip_checksum(sample['inputs']), ''


def _as_list(batch: list) -> list:
    return batch


@torch.no_grad()
def live_views(
    model: DualTeacherDistiller,
    dataset: BaseDataset,
    batches: Sequence[Sequence[View]],
    seed: int,
    num_workers: int,
) -> Iterator[LiveViews]:
    """Make views and run the teachers on them.

    Args:
        model: the distiller, with loaded teachers, on its device.
        dataset: of MMEngine's kind.
        batches: the views of each batch.
        seed: of the store.
        num_workers: processes that decode.

    Yields:
        The outputs, batch by batch.

    Raises:
        ValueError: a logit is not finite, or a label is no class, or soft.
    """
    views = [view for batch in batches for view in batch]
    indices = iter(range(len(views)))
    loader = DataLoader(
        _ReplayedViews(dataset, views, seed),
        batch_sampler=[[next(indices) for _ in batch] for batch in batches],
        num_workers=num_workers,
        collate_fn=_as_list,
    )
    for batch in loader:
        made = [item for item in batch if item[1] is not None]
        unusable = {view: reason for view, sample, _, reason in batch if sample is None}
        logits: dict[str, np.ndarray] = {}
        if made:
            collated = pseudo_collate([sample for _, sample, _, _ in made])
            data = model.data_preprocessor(collated, training=True)
            class_indices(  # refuses soft labels now, not when a student is trained on the store
                'Stored teachers',
                data['data_samples'],
                model.distill_loss.num_classes,
                'the teacher that is responsible',
            )
            for name, value in model.teacher_logits(data['inputs']).items():
                logits[name] = value.float().cpu().numpy()
                if not np.isfinite(logits[name]).all():
                    raise ValueError(
                        f'Stored teachers: the logits of teacher {name!r} must be finite, got one '
                        f'that is not for one of {[view for view, *_ in made]} (video, view); are '
                        'its weights sound?'
                    )
        outputs = {
            view: StoredView({name: z[row] for name, z in logits.items()}, clip)
            for row, (view, _, clip, _) in enumerate(made)
        }
        yield LiveViews(outputs, unusable)


def shard_batches(store: TeacherStore, shard: int) -> list[list[View]]:
    """The batches of a shard: always the same, so that a resumed store ends with the same bytes."""
    views, size = store.views(shard), store.header.batch_size
    return [views[i : i + size] for i in range(0, len(views), size)]


def record_store(
    model: DualTeacherDistiller,
    dataset: BaseDataset,
    folder: Path,
    header: StoreHeader,
    num_workers: int = 0,
    show_progress: bool = False,
) -> dict[str, str]:
    """Make or resume a store; every rank must call it, and does its share of the shards.

    Args:
        model: the distiller, with loaded teachers, on its device.
        dataset: of MMEngine's kind.
        folder: of the store.
        header: what it shall hold.
        num_workers: processes of each rank that decode.
        show_progress: print how far the first rank is.

    Returns:
        Key of each video of which a view could not be made, and why.

    Raises:
        ValueError: the store was begun with something else, or a view is not the same clip each
            time.
    """
    if is_main_process():
        TeacherStore.begin(folder, header)
        views = _ReplayedViews(dataset, [(0, 0)], header.seed)
        if views[0][2] != views[0][2]:
            raise ValueError(
                'Stored teachers: a view must be the same clip each time that it is made, got two '
                f'of {video_key(dataset, 0)}; a step of the pipeline draws random numbers of its '
                'own.'
            )
    barrier()
    store = TeacherStore.begin(folder, header)
    mine = store.header.shard_range[get_rank() :: get_world_size()]
    shards = {s: shard_batches(store, s) for s in mine if not store.is_done(s)}
    total = sum(map(len, shards.values()))
    bar = ProgressBar(total) if show_progress and is_main_process() and total else None
    unusable = {}
    for shard, batches in shards.items():
        content: dict[View, StoredView] = {}
        for live in live_views(model, dataset, batches, header.seed, num_workers):
            content |= live.views
            for (video, _), reason in live.unusable.items():
                unusable[video_key(dataset, video)] = reason
            if bar is not None:
                bar.update()
        store.write(shard, content)
    everywhere: dict[str, str] = {}
    for part in all_gather_object(unusable):  # the slowest rank is waited for
        everywhere |= part
    everywhere = dict(sorted(everywhere.items()))
    if is_main_process():
        store.finish(everywhere)
    barrier()
    return everywhere


def check_views(
    model: DualTeacherDistiller,
    dataset: BaseDataset,
    store: TeacherStore,
    views: Sequence[View],
    num_workers: int,
) -> Differences:
    """Compare what is stored with the outputs of the teachers now.

    Args:
        model: the distiller, with loaded teachers, on its device.
        dataset: of MMEngine's kind.
        store: complete.
        views: which, such as a random sample.
        num_workers: processes that decode.

    Returns:
        The largest differences.
    """
    header = store.header
    logits, probs = dict.fromkeys(header.teachers, 0.0), dict.fromkeys(header.teachers, 0.0)
    clips, compared = [], 0
    size = header.batch_size
    batches = [views[i : i + size] for i in range(0, len(views), size)]
    for live in live_views(model, dataset, batches, header.seed, num_workers):
        for view, now in live.views.items():
            stored = store.read(*view)
            if stored is None or stored.clip != now.clip:
                clips.append(view)
            if stored is None:
                continue
            compared += 1
            for name in header.teachers:
                a, b = (z.logits[name].astype(np.float64) for z in (now, stored))
                logits[name] = max(logits[name], float(np.abs(a - b).max()))
                gap = np.abs(_softmax(a) - _softmax(b)).max()
                probs[name] = max(probs[name], float(gap))
        clips += [view for view in live.unusable if store.read(*view) is not None]
    return Differences(logits, probs, clips, compared)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()
