"""End a run with NaN or infinite numbers, and name the model and the videos."""

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
