"""The videos of a data set, as MMAction2's own classes read them."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmaction.datasets import RawframeDataset, VideoDataset
from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset
from mmengine.registry import DefaultScope

from mmaction_kd.datasets.annotation_file import check_annotations, without_reading
from mmaction_kd.datasets.class_subsets import class_key
from mmaction_kd.datasets.video_source import VideoSource, video_source


@dataclass(frozen=True)
class LabelledVideo:
    """A line of an annotation file.

    Args:
        name: path as in the file, and with ``with_offset`` first frame and length.
        source: of its frames.
        labels: one class, or several of a multi-class data set.
    """

    name: str
    source: VideoSource
    labels: tuple[int, ...]


def build_datasets(cfg: dict) -> list[BaseDataset]:
    """Build a data set for its annotations alone.

    Args:
        cfg: of a VideoDataset or RawframeDataset, or of wrappers with the key ``dataset`` or
            ``datasets``.

    Returns:
        The data sets inside all wrappers.

    Raises:
        TypeError: one is of another kind.
        ValueError: a line of an annotation file is wrong; see
            :func:`~mmaction_kd.datasets.annotation_file.check_annotations`.
    """
    inner = [cfg['dataset']] if 'dataset' in cfg else cfg.get('datasets')
    if inner is not None:
        return [dataset for part in inner for dataset in build_datasets(part)]
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build(without_reading(cfg))
    if not isinstance(dataset, VideoDataset | RawframeDataset) or dataset.modality != 'RGB':
        raise TypeError(
            'build_datasets: the data set must be a VideoDataset or a RawframeDataset with '
            f'modality RGB, got {cfg["type"]} with {getattr(dataset, "modality", None)}.'
        )
    check_annotations(dataset)
    dataset.full_init()
    return [dataset]


def labelled_videos(dataset: VideoDataset | RawframeDataset) -> Iterator[LabelledVideo]:
    """Yield every line of the annotations, in order.

    Args:
        dataset: of MMAction2.

    Raises:
        ValueError: a line has no label.
    """
    key, prefix_key = (
        ('frame_dir', 'img') if isinstance(dataset, RawframeDataset) else ('filename', 'video')
    )
    prefix = os.path.join(dataset.data_prefix.get(prefix_key) or '', '')
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        name, source = info[key].removeprefix(prefix), video_source(info)
        if 'offset' in info:
            name = f'{name} {info["offset"]} {info["total_frames"]}'
        if dataset.multi_class:
            labels = tuple(info['label'].nonzero().flatten().tolist())
        else:
            labels = (info['label'],)
        if min(labels, default=-1) < 0:
            raise ValueError(
                f'labelled_videos: every video must have a label, got none for {name} in '
                f'{dataset.ann_file}; take the annotation file of the training set.'
            )
        yield LabelledVideo(name, source, labels)


def class_names(given: Sequence[str] | None, videos: Sequence[LabelledVideo]) -> list[str]:
    """Return the names of all K classes.

    Args:
        given: in the order of the labels. None: the labels' numbers.
        videos: all that are to be measured.

    Raises:
        ValueError: there are fewer names than labels, or two classes share one.
    """
    needed = max(label for video in videos for label in video.labels) + 1
    names = list(given) if given is not None else [str(label) for label in range(needed)]
    keys = [class_key(name) for name in names]  # as readers of the subsets compare them
    twice = [name for name, key in zip(names, keys, strict=True) if keys.count(key) > 1]
    if len(names) < needed or twice:
        raise ValueError(
            f'class_names: there must be a name for each of the labels 0..{needed - 1}, each once, '
            f'got {len(names)} names, several times {twice}; give all in the order of the labels.'
        )
    return names
