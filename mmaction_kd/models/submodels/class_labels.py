"""The class of each video of a batch, from labels that are checked."""

from __future__ import annotations

from typing import Any

import torch
from mmaction.structures import ActionDataSample
from torch import Tensor

from mmaction_kd.datasets.video_names import how_to_name, video_name


@torch.compiler.disable
def class_indices(
    owner: str,
    data_samples: list[ActionDataSample],
    num_classes: int,
    one_class_for: str = '',
) -> Tensor:
    """Return the class index of each video; of a soft label its largest class.

    A label out of range would raise an IndexError that names no video, or on a GPU an assert that
    ends the process. So labels are checked first, on the CPU. The copy does not stall the device:
    it is at the start of a step, when MMEngine has just read the losses of the previous step.

    Args:
        owner: the component that the user configures.
        data_samples: with ``gt_label``: all of one class, (1,), or all soft, (K,), a distribution
            as Mixup, CutMix and label smoothing make it.
        num_classes: K.
        one_class_for: component that needs one class a video; if given, soft labels are refused.

    Returns:
        (N,), int64, on the labels' device.

    Raises:
        ValueError: a label is missing, is not in 0..K−1, is no distribution over the K classes,
            has several classes or is soft where it must not be; the video is named.
    """
    for place, sample in enumerate(data_samples):
        label = sample.get('gt_label')
        if label is None or not (_is_index(label) or _is_soft(label, num_classes)):
            got = 'none' if label is None else f'{label.dtype} of shape {tuple(label.shape)}'
            must = f'the label must be one class index or a soft label of {num_classes} numbers'
            remedy = 'label every video; num_classes of the heads must be that of the data set'
            raise _wrong(owner, must, got, data_samples, place, remedy)
        if _is_soft(label, num_classes) and one_class_for:
            must = f'each video must have one class for {one_class_for}'
            remedy = 'take Mixup, CutMix and other soft labels out of the data'
            raise _wrong(owner, must, 'a soft label', data_samples, place, remedy)
    if len({_is_index(sample.gt_label) for sample in data_samples}) > 1:
        raise ValueError(
            f'{owner}: the labels of a batch must be all class indices or all soft, got both; '
            'use one kind of label.'
        )
    labels = torch.stack([sample.gt_label for sample in data_samples])  # (N, 1) or (N, K)
    values = labels.cpu()
    soft = not _is_index(data_samples[0].gt_label)
    sound = _sound_soft(values) if soft else ((values >= 0) & (values < num_classes))[:, 0]
    if not sound.all():
        place = int((~sound).nonzero()[0])
        if soft:
            must = 'a soft label must be a distribution over the classes, which sums to 1'
            got = f'a sum of {values[place].sum():.4g}, from {values[place].min():.4g}'
            remedy = 'a video with several classes (multi_class) is for other models'
        else:
            must = f'the label must be a class of 0..{num_classes - 1}'
            got = str(values[place].item())
            remedy = (
                'set num_classes of each head to that of the data set, or take the annotations of '
                'these classes (-1 is a missing label)'
            )
        raise _wrong(owner, must, got, data_samples, place, remedy)
    return labels.argmax(1) if soft else labels[:, 0]


def _is_index(label: Tensor) -> bool:
    return label.shape == (1,) and not label.is_floating_point()


def _is_soft(label: Tensor, num_classes: int) -> bool:
    return label.shape == (num_classes,) and label.is_floating_point()


def _sound_soft(labels: Tensor) -> Tensor:
    # Half precision, as autocast may leave it, sums to 1 within a hundredth.
    return (labels.double().sum(1) - 1).abs().le(0.01) & labels.ge(0).all(1)


def _wrong(
    owner: str, must: str, got: str, data_samples: list[Any], place: int, remedy: str
) -> ValueError:
    name = video_name(data_samples[place], place)
    return ValueError(
        f'{owner}: {must}, got {got} for {name}{how_to_name(data_samples)}; {remedy}.'
    )
