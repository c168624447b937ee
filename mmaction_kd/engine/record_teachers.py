"""Run the teachers over the views of a data set: to store what they say, or to check it."""

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

from mmaction_kd.models.submodels.class_labels import class_indices
from mmaction_kd.stored_teachers.store_header import StoreHeader
from mmaction_kd.stored_teachers.teacher_store import TeacherStore
from mmaction_kd.stored_teachers.view_replay import clip_checksum, replay_view, video_key

if TYPE_CHECKING:
    from mmaction_kd.models.distillers import DualTeacherDistiller

View = tuple[int, int]
"""A video's place in the data set, and which of its views."""


class LiveViews(NamedTuple):
    """What the teachers say of a batch of views.

    Attributes:
        views: those that could be made, N.
        clips: CRC-32 of each clip, (N,).
        logits: of each teacher, (N, D), float32.
        labels: of each teacher the column of each video's class, −1 where it has none, (N,).
        unusable: those that could not be made, and why.
    """

    views: list[View]
    clips: np.ndarray
    logits: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    unusable: dict[View, str]


class Differences(NamedTuple):
    """What :func:`check_views` found.

    Attributes:
        logits: largest difference of a logit, of each teacher.
        probs: largest difference of a probability, of each teacher, in [0, 1].
        clips: the views whose clips are others.
        views: how many were compared.
    """

    logits: dict[str, float]
    probs: dict[str, float]
    clips: list[View]
    views: int


class _ReplayedViews(Dataset):
    """A sample of each view, with the CRC-32 of its clip; or the reason why there is none."""

    def __init__(self, dataset: BaseDataset, views: Sequence[View], seed: int) -> None:
        self.dataset, self.views, self.seed = dataset, views, seed

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, place: int) -> tuple[View, dict | None, int, str]:
        view = self.views[place]
        index, number = view
        key = video_key(self.dataset, index)
        try:
            sample = replay_view(self.dataset, index, key, number, self.seed)
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
    """Make views and show them to the teachers.

    Args:
        model: the distiller, with loaded teachers, on its device.
        dataset: of MMEngine's kind.
        batches: the views of each batch.
        seed: of the store.
        num_workers: processes that decode.

    Yields:
        What was said, batch by batch.

    Raises:
        ValueError: a teacher says something that is not finite, or a label is no class, or soft.
    """
    views = [view for batch in batches for view in batch]
    places = iter(range(len(views)))
    loader = DataLoader(
        _ReplayedViews(dataset, views, seed),
        batch_sampler=[[next(places) for _ in batch] for batch in batches],
        num_workers=num_workers,
        collate_fn=_as_list,
    )
    columns = {
        name: {index: column for column, index in enumerate(teacher.classes)}
        for name, teacher in model.teacher_identities().items()
    }
    for batch in loader:
        made = [item for item in batch if item[1] is not None]
        unusable = {view: reason for view, sample, _, reason in batch if sample is None}
        logits: dict[str, np.ndarray] = {}
        labels: dict[str, np.ndarray] = {}
        if made:
            collated = pseudo_collate([sample for _, sample, _, _ in made])
            data = model.data_preprocessor(collated, training=True)
            said = model.teacher_logits(data['inputs'])
            targets = class_indices(
                'Stored teachers',
                data['data_samples'],
                model.distill_loss.num_classes,
                'the teacher that is responsible',
            ).tolist()
            for name, value in said.items():
                logits[name] = value.float().cpu().numpy()
                if not np.isfinite(logits[name]).all():
                    raise ValueError(
                        f'Stored teachers: what teacher {name!r} says must be finite, got a logit '
                        f'that is not for one of {[view for view, *_ in made]} (video, view); are '
                        'its weights sound?'
                    )
                labels[name] = np.array([columns[name].get(y, -1) for y in targets])
        clips = np.array([clip for _, _, clip, _ in made], dtype=np.uint32)
        yield LiveViews([view for view, *_ in made], clips, logits, labels, unusable)


def open_batches(store: TeacherStore, shard: int) -> list[list[View]]:
    """The batches of a shard that are not stored yet.

    A batch is always the same views, so that a store that was killed ends with the same bytes: of
    one of which a row is missing, or could not be made, all are computed again.

    Args:
        store: the store.
        shard: its number.

    Returns:
        The views of each batch.
    """
    header = store.header
    first, end = header.shards[shard : shard + 2]
    views = [(video, view) for video in range(first, end) for view in range(header.views)]
    size = header.batch_size
    batches = [views[i : i + size] for i in range(0, len(views), size)]
    return [batch for batch in batches if not all(_is_done(store, *view) for view in batch)]


def _is_done(store: TeacherStore, video: int, view: int) -> bool:
    return store.is_written(video, view) and store.read(video, view) is not None


def record_store(
    model: DualTeacherDistiller,
    dataset: BaseDataset,
    folder: Path,
    header: StoreHeader,
    num_workers: int = 0,
    show_progress: bool = False,
) -> dict[str, str]:
    """Make a store, or go on with one; every rank must call it, and does its share of the shards.

    Args:
        model: see :func:`live_views`.
        dataset: likewise.
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
    store = TeacherStore(folder, TeacherStore.begin(folder, header))
    shards = range(len(store.header.shards) - 1)[get_rank() :: get_world_size()]
    batches = [batch for shard in shards for batch in open_batches(store, shard)]
    bar = ProgressBar(len(batches)) if show_progress and is_main_process() and batches else None
    unusable = {}
    for live in live_views(model, dataset, batches, header.seed, num_workers):
        for name, logits in live.logits.items():
            store.write(name, live.views, logits, live.labels[name], live.clips)
        for (video, view), reason in live.unusable.items():
            store.write_unusable(video, view)
            unusable[video_key(dataset, video)] = reason
        if bar is not None:
            bar.update()
    store.flush()
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
    """Compare what is stored with what the teachers say now.

    Args:
        model: see :func:`live_views`.
        dataset: likewise.
        store: complete.
        views: which, such as a random sample.
        num_workers: processes that decode.

    Returns:
        The largest differences, in what a row keeps: of top-k in the logits that it keeps.
    """
    header = store.header
    logits, probs = dict.fromkeys(header.teachers, 0.0), dict.fromkeys(header.teachers, 0.0)
    clips, compared = [], 0
    size = header.batch_size
    batches = [views[i : i + size] for i in range(0, len(views), size)]
    for live in live_views(model, dataset, batches, header.seed, num_workers):
        for place, view in enumerate(live.views):
            stored = store.read(*view)
            if stored is None or stored.clip != live.clips[place]:
                clips.append(view)
            if stored is None:
                continue
            compared += 1
            for name, said in live.logits.items():
                columns = store.kept_columns(name, *view)
                now, then = said[place].astype(np.float64), stored.logits[name].astype(np.float64)
                gap = np.abs(now - then)[columns].max()
                logits[name] = max(logits[name], float(gap))
                gap = np.abs(_softmax(now) - _softmax(then))[columns].max()
                probs[name] = max(probs[name], float(gap))
        clips += [view for view in live.unusable if store.read(*view) is not None]
    return Differences(logits, probs, clips, compared)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()
