"""A run that has lost its numbers ends, and says where and with which videos."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from mmaction.structures import ActionDataSample
from torch import Tensor, nn

from mmaction_kd.datasets.video_names import how_to_name, video_list


@torch.compiler.disable
def check_losses(
    owner: str,
    losses: Mapping[str, Tensor],
    scores: Mapping[str, Tensor],
    models: Mapping[str, nn.Module],
    data_samples: list[ActionDataSample],
) -> None:
    """Refuse a step whose losses are NaN or infinite, by the model and the videos that made them.

    A gradient scaler would skip such steps without end, and without one the weights become NaN.
    Its own skips, of a gradient that is too large for float16, have finite losses and go on;
    SkippedStepsHook counts them.

    It reads one number of the device a step. The heads of MMAction2 have read their scores, for the
    top-k accuracy, just before, and MMEngine reads each loss at the end of the step.

    A gradient that is NaN although the losses are finite shows in the next step's scores.

    Args:
        owner: the component that the user configures.
        losses: of the step; those with ``loss`` in their names are looked at.
        scores: logits of each model that the losses come from, (N, K).
        models: the same models, by the same names.
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
    """Refuse scores that are NaN or infinite, by the model and the videos.

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
    """What to do; a look at the weights tells whether the videos are to blame."""
    tensors = (*model.parameters(), *model.buffers())
    if not all(x.isfinite().all() for x in tensors):
        return (
            'its weights are not finite either, so no video is to blame: an earlier step made them '
            'so, or its checkpoint holds them; lower the learning rate, set clip_grad of the '
            'optim_wrapper, and start again from a checkpoint that is sound'
        )
    blame = 'its weights are finite, so numbers overflow on the way'
    if not every_video:
        blame += ' with these videos; look at them (tools/data/check_videos.py)'
    return (
        f'{blame}; with --amp in float16 the largest number is 65504: take bfloat16 or float32, or '
        'lower the learning rate'
    )
