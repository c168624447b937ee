"""Check labels, shapes, heads and numbers, with errors that name the component and the videos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmaction.models.losses import BCELossWithLogits, HVULoss
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmaction_kd.datasets.video_names import how_to_name, video_list, video_name


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


def check_single_label(owner: str, name: str, recognizer: BaseModel) -> None:
    """Refuse a multi-label recognizer, whose scores are one sigmoid a class.

    Dominance, soft targets and fusion need a softmax over the classes.

    Args:
        owner: the component that the user configures.
        name: the option that names the recognizer.
        recognizer: an MMAction2 recognizer.

    Raises:
        ValueError: its head is multi-label.
    """
    head = recognizer.cls_head
    loss = getattr(head, 'loss_cls', None)  # not of a head without MMAction2's BaseHead
    several = getattr(head, 'multi_class', False)
    if several or isinstance(loss, BCELossWithLogits | HVULoss):
        got = 'multi_class=True' if several else f'loss_cls of type {type(loss).__name__}'
        raise ValueError(
            f'{owner}: the head of {name} must give a video one class, got {got}; use '
            "multi_class=False with loss_cls=dict(type='CrossEntropyLoss')."
        )


@torch.compiler.disable
def check_batch(
    owner: str, scores: Mapping[str, Tensor], targets: Tensor, num_classes: int
) -> None:
    """Refuse inputs that would be broadcast or counted wrongly without an error.

    Where N = K, (N, K) soft labels broadcast like (N,) classes. A target out of range has no
    teacher and no column.

    Values of targets on a GPU are not checked, to avoid a synchronisation. MBDRecognizer and
    DualTeacherDistiller have checked them.

    Args:
        owner: the component that the user configures.
        scores: by name, (N, K) each.
        targets: class index of every sample, (N,).
        num_classes: K.

    Raises:
        ValueError: a shape differs, or a target is no class.
    """
    if targets.dim() != 1 or targets.is_floating_point():
        raise ValueError(
            f'{owner}: targets must be one class index a sample, (N,), got {targets.dtype} of '
            f'shape {tuple(targets.shape)}; a soft label (Mixup, CutMix) has no one class.'
        )
    wanted = (len(targets), num_classes)
    for name, values in scores.items():
        if values.shape != wanted:
            raise ValueError(
                f'{owner}: the scores of {name} must be of shape {wanted}, a row a sample and a '
                f'column a class, got {tuple(values.shape)}; set the same num_classes in each head.'
            )
    if targets.device.type != 'cpu':
        return
    wrong = (targets < 0) | (targets >= num_classes)
    if wrong.any():
        place = int(wrong.nonzero()[0])
        raise ValueError(
            f'{owner}: targets must be classes of 0..{num_classes - 1}, got {targets[place]} for '
            f'sample {place}; num_classes must be that of the data set.'
        )


@torch.compiler.disable
def check_losses(
    owner: str,
    losses: Mapping[str, Tensor],
    scores: Mapping[str, Tensor],
    models: Mapping[str, nn.Module],
    data_samples: list[ActionDataSample],
) -> None:
    """Refuse a step with NaN or infinite losses; name the model and the videos that caused them.

    A gradient scaler would skip such steps forever, and without one the weights become NaN. A step
    that it skips for a gradient too large for float16 has finite losses and passes;
    SkippedStepsHook counts those. A NaN gradient of finite losses shows in the next step's scores.

    One number is read from the device each step. The heads of MMAction2 have just read their scores
    for the top-k accuracy, and MMEngine reads each loss at the end of the step.

    Args:
        owner: the component that the user configures.
        losses: of the step; those with ``loss`` in their names are checked.
        scores: logits of each model that the losses come from, (N, K).
        models: the models, by the same names.
        data_samples: one a video.

    Raises:
        FloatingPointError: a loss is not finite.
    """
    terms = {
        name: value.detach().float().mean() for name, value in losses.items() if 'loss' in name
    }
    if torch.stack(list(terms.values())).sum().isfinite():
        return
    check_scores(owner, scores, models, data_samples)
    wrong = {name: value.item() for name, value in terms.items() if not value.isfinite()}
    raise FloatingPointError(
        f'{owner}: the losses must be finite, got {wrong or "a sum that is not"} for '
        f'{video_list(data_samples, range(len(data_samples)))}{how_to_name(data_samples)}, while '
        'the scores are finite; lower the learning rate or set clip_grad of the optim_wrapper.'
    )


@torch.compiler.disable
def check_scores(
    owner: str,
    scores: Mapping[str, Tensor],
    models: Mapping[str, nn.Module],
    data_samples: list[ActionDataSample],
) -> None:
    """Refuse NaN or infinite scores; name the model and the videos.

    Args:
        owner: the component that the user configures.
        scores: of each model, (N, K) or (N, V, K).
        models: the same models, by the same names.
        data_samples: one a video.

    Raises:
        FloatingPointError: a score is not finite.
    """
    for name, values in scores.items():
        if values.isfinite().all():
            continue
        rows = values.detach().flatten(1)  # (N, K) or (N, V, K) -> (N, ...)
        places = (~rows.isfinite().all(1)).nonzero()[:, 0].tolist()
        first = rows[places[0]]
        videos = video_list(data_samples, places) + how_to_name(data_samples)
        raise FloatingPointError(
            f'{owner}: the scores of {name} must be finite, got {first[~first.isfinite()][0]} for '
            f'{videos}; {_remedy(models[name], len(places) == len(data_samples))}.'
        )


def _remedy(model: nn.Module, every_video: bool) -> str:
    """Return the remedy, which depends on whether the weights are finite."""
    tensors = (*model.parameters(), *model.buffers())
    if not all(x.isfinite().all() for x in tensors):
        return (
            'its weights are not finite either, so no video is to blame: they come from an earlier '
            'step or the checkpoint; lower the learning rate, set clip_grad of the optim_wrapper, '
            'and start again from a checkpoint with finite weights'
        )
    blame = 'its weights are finite, so activations overflow'
    if not every_video:
        blame += ' with these videos; check them (tools/data/check_videos.py)'
    return (
        f'{blame}; with --amp in float16 the largest number is 65504: take bfloat16 or float32, or '
        'lower the learning rate'
    )
