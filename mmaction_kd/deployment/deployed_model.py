"""Recognizers from uint8 clips to scores, without what only a training or a test loop needs."""

from __future__ import annotations

import copy

import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmaction_kd.models.dominance import PATHWAYS
from mmaction_kd.models.recognizers import MBDRecognizer
from mmaction_kd.models.reductions import at_least_float32
from mmaction_kd.models.submodels.outputs import ScoredViews, last_feature, score_views
from mmaction_kd.options import check_choice

ME = 'export'


class DeployedRecognizer(nn.Module):
    """Any MMAction2 recognizer, its normalisation included.

    Args:
        recognizer: in eval mode.
        average: 'prob' (mean softmax over the views) or 'score' (mean logit), as the head's
            ``average_clips``.

    Raises:
        ValueError: the views are not averaged, or the preprocessor is of another kind.
    """

    def __init__(self, recognizer: BaseModel, average: str) -> None:
        super().__init__()
        check_choice(ME, 'cls_head.average_clips', average, ('prob', 'score'))
        check_preprocessor(recognizer.data_preprocessor)
        self.recognizer = recognizer
        self.average = average

    def forward(self, clips: Tensor) -> Tensor:
        """Score videos.

        Args:
            clips: RGB, uint8, (N, V, T, H, W, C), or (N, V·T, H, W, C) for a Recognizer2D.

        Returns:
            (N, K), float32.
        """
        logits = at_least_float32(scored_clips(self.recognizer, clips).logits)
        return (logits.softmax(2) if self.average == 'prob' else logits).mean(1)


class DeployedMBD(nn.Module):
    """Both pathways and their fusion.

    A gate is part of the answer: where the local pathway alone decides, its scores are the fused
    ones. That saves no compute, as a graph runs as a whole; to save it, export the pathways.

    Args:
        model: in eval mode.

    Attributes:
        joins_views: whether both pathways must have as many views.
    """

    OUTPUTS = (
        'scores',
        *(f'{name}_{what}' for name in PATHWAYS for what in ('scores', 'weight', 'dominance')),
    )

    def __init__(self, model: MBDRecognizer) -> None:
        super().__init__()
        for pathway in model.pathways.values():
            check_preprocessor(pathway.data_preprocessor)
        self.model = model
        self.joins_views = bool(model.fusion_head.needs_feats)

    def forward(self, local_pathway: Tensor, global_pathway: Tensor) -> tuple[Tensor, ...]:
        """Score videos.

        Args:
            local_pathway: as of :class:`DeployedRecognizer`.
            global_pathway: as of :class:`DeployedRecognizer`.

        Returns:
            Fused scores (N, K), and for each pathway its scores (N, K), weight (N,) and dominance
            (N,); float32, in the order of ``OUTPUTS``.
        """
        head = self.model.fusion_head
        probs, feats = {}, {}
        for name, clips in zip(PATHWAYS, (local_pathway, global_pathway), strict=True):
            scored = scored_clips(self.model.pathways[name], clips)
            probs[name] = at_least_float32(scored.logits).softmax(2).mean(1)
            if name in head.needs_feats:
                videos, views = scored.logits.shape[:2]
                feats[name] = last_feature(scored.feats, videos, views, head.needs_feats[name])
        score, weights, dominance = head(probs, feats=feats)
        if head.gate is not None:
            alone = head.local_alone(probs['local'])
            sure = alone.dominance['local'] >= head.gate  # (N,)
            score = torch.where(sure[:, None], alone.score, score)
            weights = {n: torch.where(sure, alone.weights[n], weights[n]) for n in PATHWAYS}
        parts = [(probs[name], weights[name], dominance[name]) for name in PATHWAYS]
        return tuple(x.float() for x in (score, *(x for part in parts for x in part)))


def deployed(model: BaseModel, pathway: str | None = None) -> nn.Module:
    """Make the module that is exported, from a copy of the model.

    Args:
        model: MBD or a recognizer.
        pathway: of MBD, 'local' or 'global'. None: all of it.

    Returns:
        In eval mode, on the CPU.

    Raises:
        ValueError: there are no pathways, or the model is of another kind.
    """
    model = copy.deepcopy(model).cpu().eval()
    for part in model.modules():
        if getattr(part, 'test_cfg', None):  # views one after the other: the same scores
            part.test_cfg = {k: v for k, v in part.test_cfg.items() if k != 'max_testing_views'}
    if isinstance(model, MBDRecognizer):
        if pathway is None:
            return DeployedMBD(model)
        return DeployedRecognizer(model.pathways[pathway], 'prob')
    if pathway is not None or not hasattr(model, 'cls_head'):
        raise ValueError(
            f'{ME}: the model must be an MBDRecognizer{"" if pathway else " or a recognizer"}, got '
            f'{type(model).__name__}; of DTKD export the student, by its own config.'
        )
    return DeployedRecognizer(model, model.cls_head.average_clips)


def check_preprocessor(preprocessor: nn.Module) -> None:
    """Refuse a preprocessor that does more than normalise NCHW or NCTHW.

    Args:
        preprocessor: of a recognizer.

    Raises:
        ValueError: it is of another kind.
    """
    layout = getattr(preprocessor, 'format_shape', None)
    if type(preprocessor) is not ActionDataPreprocessor or layout not in ('NCHW', 'NCTHW'):
        raise ValueError(
            f"{ME}: data_preprocessor must be an ActionDataPreprocessor with format_shape 'NCHW' "
            f'or NCTHW, got {type(preprocessor).__name__} with {layout!r}.'
        )


def scored_clips(recognizer: BaseModel, clips: Tensor) -> ScoredViews:
    """Normalise as the recognizer's ActionDataPreprocessor does, and score each view."""
    preprocessor = recognizer.data_preprocessor
    channels_first = (0, 1, 4, 2, 3) if clips.ndim == 5 else (0, 1, 5, 2, 3, 4)
    inputs = (clips.flip(-1) if preprocessor.to_rgb else clips).permute(channels_first).float()
    if preprocessor._enable_normalize:
        inputs = (inputs - preprocessor.mean) / preprocessor.std
    return score_views(recognizer, inputs, test_mode=True)
