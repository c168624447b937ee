"""Outputs of any recognizer: logits of each view, its last and its intermediate features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
from mmaction.models import Recognizer2D
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.func import functional_call

from mmaction_kd.options import checked_options


class ScoredViews(NamedTuple):
    """Output of :func:`score_views`."""

    logits: Tensor
    """(N, V, K)."""
    loss_aux: dict[str, Tensor]
    """Auxiliary losses of the neck."""
    feats: Any
    """Input of the classifier: a tensor, or several; rows are those of the backbone."""


def score_views(
    recognizer: BaseModel,
    inputs: Tensor,
    data_samples: list[ActionDataSample] | None = None,
    test_mode: bool = False,
) -> ScoredViews:
    """Compute the logits of each view of each video.

    Args:
        recognizer: an MMAction2 recognizer.
        inputs: (N, V, C, T, H, W), or (N, V·T, C, H, W) for a Recognizer2D.
        data_samples: for necks with a loss of their own, in training.
        test_mode: with the recognizer's ``test_cfg`` (``max_testing_views``, ``fcn_test``).

    Returns:
        Logits, auxiliary losses and features.
    """
    feats, head_kwargs = recognizer.extract_feat(
        inputs, data_samples=data_samples, test_mode=test_mode
    )
    logits = recognizer.cls_head(feats, **head_kwargs)  # (N·V, K)
    logits = logits.reshape(inputs.shape[0], -1, logits.shape[-1])  # len() would fix N in an export
    return ScoredViews(logits, head_kwargs.get('loss_aux', {}), feats)


def last_feature(feats: Any, num_videos: int, num_views: int, kind: str) -> Tensor:
    """Bring the input of a classifier to one feature for each view of each video.

    A vector is pooled as of an intermediate feature. The vectors of several tensors (the two of
    SlowFast, map and [CLS] of MViT) are concatenated.

    Args:
        feats: a tensor, or nested tuples and lists of them; the rows of each are a multiple of N V,
            view by view.
        num_videos: N.
        num_views: V.
        kind: 'vector' or 'map'.

    Returns:
        (N, V, D) or (N, V, C, T, H, W).

    Raises:
        ValueError: ``kind`` is 'map', and there is none or several.
    """
    rows = num_videos * num_views
    tensors = _flatten(feats)
    if kind == 'vector':
        feature = torch.cat([pool_to_vectors(x, rows) for x in tensors], 1)
    else:
        shapes = [tuple(x.shape) for x in tensors]
        if len(shapes) > 1 or len(shapes[0]) != 5:
            raise ValueError(
                'Last feature: a map must be one tensor (N·V, C, T, H, W), got shapes '
                f"{shapes}; fuse vectors, by 'concat' or 'bilinear'."
            )
        (feature,) = tensors
    return feature.unflatten(0, (num_videos, num_views))


def probe_last_dims(
    recognizer: BaseModel, kind: str, input_shape: Sequence[int] | None = None
) -> int:
    """Find the size of the last feature by a dry run on the meta device.

    Args:
        recognizer: an MMAction2 recognizer.
        kind: see :func:`last_feature`.
        input_shape: of one video; see
            :func:`~mmaction_kd.models.submodels.outputs.probe_dims`.

    Returns:
        D, or C of a map.

    Raises:
        ValueError: there is no map, or the model refuses the shape.
    """
    return last_feature(dry_run(recognizer, 'neck', input_shape), 1, 1, kind).shape[2]


def extracts_features(recognizer: BaseModel) -> bool:
    """Return ``feature_extraction`` of a ``test_cfg``, which MMAction2 1.x itself ignores."""
    return bool((recognizer.test_cfg or {}).get('feature_extraction'))


def video_features(feats: Any, num_videos: int) -> Tensor:
    """Average :func:`last_feature` over views to (N, D), as MMAction2's FeatureHead does."""
    return last_feature(feats, num_videos, 1, 'vector')[:, 0]


def _flatten(feats: Any) -> list[Tensor]:
    return [feats] if isinstance(feats, Tensor) else [x for part in feats for x in _flatten(part)]


Tokens = Literal['cls', 'mean', 'places', 'frames']
"""What of a feature is taken; see :func:`pool_feature`."""


class Recorded:
    """The last output of a module."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.last: Tensor | None = None

    @property
    def output(self) -> Tensor:
        """The output; a ValueError if the module did not run."""
        if self.last is None:
            raise ValueError(
                f"Intermediate feature '{self.path}': the module did not run; name one that is "
                "part of the forward pass of the model's backbone or neck."
            )
        return self.last


@contextmanager
def record_output(model: nn.Module, path: str) -> Iterator[Recorded]:
    """Record the output of a submodule within the context.

    Args:
        model: the module's root.
        path: its path, such as 'backbone.layer3'.

    Yields:
        The record.

    Raises:
        ValueError: there is no such module (the error lists its neighbours), it returns several
            tensors, or it runs without a graph while gradients are enabled.
    """
    module = find_module(model, path)
    recorded = Recorded(path)
    wants_graph = torch.is_grad_enabled()

    def keep(_module: nn.Module, _args: tuple, output: object) -> None:
        if isinstance(output, (tuple, list)) and len(output) == 1:
            output = output[0]
        if not isinstance(output, Tensor):
            raise ValueError(
                f"Intermediate feature '{path}': the module must return one tensor, got "
                f'{type(output).__name__}; name a module inside it.'
            )
        if wants_graph and not torch.is_grad_enabled():  # no gradient would reach what is before it
            raise ValueError(
                f"Intermediate feature '{path}': the module must run with a graph, got one inside "
                'of reentrant activation checkpointing, such as with_cp=True of a backbone; name a '
                "module that is not inside, or use MMEngine's activation_checkpointing=[...]."
            )
        recorded.last = output

    handle = module.register_forward_hook(keep)
    try:
        yield recorded
    finally:
        handle.remove()


def find_module(model: nn.Module, path: str) -> nn.Module:
    """Return ``model.get_submodule(path)``, or raise a ValueError that lists the children."""
    here: nn.Module = model
    walked: list[str] = []
    for part in path.split('.'):
        children = dict(here.named_children())
        if part not in children:
            where = '.'.join(walked) or type(model).__name__
            raise ValueError(
                f"Intermediate feature '{path}': {where} has no module '{part}'; "
                f'it has {sorted(children)}.'
            )
        here = children[part]
        walked.append(part)
    return here


def pool_feature(output: Tensor, input_shape: Sequence[int], tokens: Tokens = 'cls') -> Tensor:
    """Pool an intermediate feature for (10) and (11).

    Args:
        output: of the module; rows (its first dimension) go video by video.
        input_shape: of the pathway's input, (N, V, C, T, H, W), or (N, T, C, H, W) for a
            Recognizer2D.
        tokens: 'cls', 'mean' or 'places': one vector a video (:func:`pool_to_vectors`). 'frames':
            one vector a time step (:func:`pool_to_steps`).

    Returns:
        (N, D), or for 'frames' (N, T', D).

    Raises:
        ValueError: the output has no such tokens.
    """
    if tokens == 'frames':
        return pool_to_steps(output, input_shape)
    return pool_to_vectors(output, input_shape[0], tokens)


def pool_to_vectors(output: Tensor, num_videos: int, tokens: str = 'cls') -> Tensor:
    """Pool any output of a module to one vector a video.

    Feature maps (rows, C, [T,] H, W) are averaged over space and time. Of tokens (rows, L, D) the
    first, [CLS], is used or the mean of the others. Where each position is a token, as in Swin,
    (rows, [T,] H, W, D), all are averaged. Rows of one video (views, frames) are averaged.

    Args:
        output: (rows, C, T, H, W), (rows, C, H, W), (rows, L, D) or (rows, D), or, for 'places',
            (rows, [T,] H, W, D); rows is a multiple of ``num_videos``, video by video.
        num_videos: N.
        tokens: 'cls', 'mean' or 'places'.

    Returns:
        (N, D).

    Raises:
        ValueError: there is no token but [CLS] to average.
    """
    if tokens == 'places':
        vectors = output.flatten(1, -2).mean(1)
    elif output.dim() > 3:
        vectors = output.flatten(2).mean(2)
    elif output.dim() == 3 and tokens == 'cls':
        vectors = output[:, 0]
    elif output.dim() == 3:
        if output.shape[1] < 2:
            raise ValueError(
                "Intermediate feature: tokens='mean' needs tokens beside [CLS], got "
                f'{tuple(output.shape)} (rows, L, D); set cls_only=False in a VTN, or name an '
                'earlier layer.'
            )
        vectors = output[:, 1:].mean(1)
    else:
        vectors = output
    return vectors.reshape(num_videos, -1, vectors.shape[-1]).mean(1)


def pool_to_steps(output: Tensor, input_shape: Sequence[int]) -> Tensor:
    """Pool an output to one vector a time step.

    Positions are averaged because those of the two pathways do not correspond: each crops and flips
    on its own. Views of one video are averaged step by step.

    Args:
        output: the map of a 3D CNN, (N V, C, T', H, W); the tokens of a temporal encoder, one a
            frame, (N V, T, D), or (N V, 1 + T, D) with [CLS] first, which is dropped; or a vector,
            a map or tokens of a 2D network, one row a frame, (N V T, ...), tokens without [CLS]
            averaged.
        input_shape: see :func:`pool_feature`.

    Returns:
        (N, T', D), T' = T but for a map of a 3D CNN.

    Raises:
        ValueError: the output has no time steps.
    """
    videos, views = input_shape[0], (input_shape[1] if len(input_shape) == 6 else 1)
    frames = input_shape[3] if len(input_shape) == 6 else input_shape[1]
    if output.dim() == 5:
        steps = output.mean((3, 4)).transpose(1, 2)
    elif len(output) == videos * views * frames:
        tokens = 'mean' if output.dim() == 3 and output.shape[1] > 1 else 'cls'
        steps = pool_to_vectors(output, len(output), tokens).unflatten(0, (-1, frames))
    elif output.dim() == 3 and output.shape[1] in (frames, 1 + frames):
        steps = output[:, -frames:]
    else:
        raise ValueError(
            "Intermediate feature: tokens='frames' needs a map (N V, C, T', H, W), tokens "
            '(N V, [1 +] T, D) or one row a frame (N V T, ...), got '
            f'{tuple(output.shape)} for an input {tuple(input_shape)}; name another module, such '
            "as a VTN's frame_projection, or another value of tokens."
        )
    return steps.unflatten(0, (videos, -1)).mean(1)


@checked_options
def probe_dims(
    recognizer: BaseModel,
    path: str,
    tokens: Tokens = 'cls',
    input_shape: Sequence[int] | None = None,
) -> int:
    """Find the dimension of an intermediate feature by a dry run on the meta device.

    Args:
        recognizer: an MMAction2 recognizer.
        path: module path of the feature.
        tokens: see :func:`pool_feature`.
        input_shape: of one video, without N: (V, C, T, H, W), or (T, C, H, W) for a Recognizer2D;
            default 16 frames at 224 x 224.

    Returns:
        D.

    Raises:
        ValueError: no such module, it did not run, or the model refuses the shape.
    """
    with torch.no_grad(), record_output(recognizer, path) as recorded:
        dry_run(recognizer, 'backbone' if path.startswith('backbone') else 'neck', input_shape)
    shape = (1, *(input_shape or _default_shape(recognizer)))
    return pool_feature(recorded.output, shape, tokens).shape[-1]


def dry_run(recognizer: BaseModel, stage: str, input_shape: Sequence[int] | None = None) -> Any:
    """Run a stage for one video on the meta device: shapes without values.

    ``stage`` is 'backbone', or 'neck': all before the classifier; see :func:`probe_dims` for
    ``input_shape``.

    Raises:
        ValueError: the model refuses the shape.
    """
    input_shape = input_shape or _default_shape(recognizer)
    state = {
        name: value.detach().to('meta')
        for name, value in (*recognizer.named_parameters(), *recognizer.named_buffers())
    }
    video = torch.empty(1, *input_shape, device='meta')
    was_training = recognizer.training
    recognizer.eval()
    try:
        with torch.no_grad():
            return functional_call(recognizer, state, (video,), dict(mode='tensor', stage=stage))
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f'The dry run of a {type(recognizer).__name__} that finds the size of its features '
            f'failed on a video of shape {tuple(input_shape)}; give the shape that the model takes '
            f'as input_shape. ({error})'
        ) from error
    finally:
        recognizer.train(was_training)


def _default_shape(recognizer: BaseModel) -> tuple[int, ...]:
    return (16, 3, 224, 224) if isinstance(recognizer, Recognizer2D) else (1, 3, 16, 224, 224)
