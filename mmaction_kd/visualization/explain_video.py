"""The content of a picture: the frames a model saw in one video, and the scores it gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor

from mmaction_kd.models.backbones.vtn import VTN
from mmaction_kd.models.submodels.outputs import score_views
from mmaction_kd.visualization.frame_attention import record_cls_rows
from mmaction_kd.visualization.grad_cam import grad_cam, last_map_layer
from mmaction_kd.visualization.shown_frames import ShownClip, one_view, shown_clip

Inputs = Tensor | Mapping[str, Tensor]


class Part(NamedTuple):
    """A recognizer of the model."""

    input_key: str | None
    """Key of its clips in the model's inputs; None if these are no dict."""
    recognizer: BaseModel


@dataclass
class RecognizerView:
    """One view of one recognizer, with Grad-CAM and attention.

    Args:
        name: of the recognizer, such as 'Local pathway'.
        clip: its frames.
        heat: Grad-CAM of the answer divided by its maximum, (T, H, W); zeros where nothing supports
            the answer. None: not computed.
        heat_note: layer of the Grad-CAM, or why there is none.
        attention: of [CLS] to itself and to each frame, mean over the heads, (layers, 1 + T), rows
            sum to 1. None: no VTN.
    """

    name: str
    clip: ShownClip
    heat: np.ndarray | None = None
    heat_note: str = ''
    attention: np.ndarray | None = None


@dataclass
class Scores:
    """A distribution over the classes.

    Args:
        name: of the model or part.
        values: (K,).
        note: how it was computed or used.
    """

    name: str
    values: np.ndarray
    note: str = ''


@dataclass
class VideoPicture:
    """Input of :func:`~mmaction_kd.visualization.filmstrip.filmstrip_figure`.

    Args:
        title: of the video.
        views: one for each recognizer.
        scores: the final ones last.
        classes: K names.
        truths: indices of the true classes; empty if unknown.
        answer: index of the predicted class.
        notes: lines below the figure.
    """

    title: str
    views: list[RecognizerView]
    scores: list[Scores]
    classes: list[str]
    truths: tuple[int, ...]
    answer: int
    notes: list[str] = field(default_factory=list)


def parts_of(model: BaseModel) -> dict[str, Part]:
    """Return the recognizers that see the inputs at test, by name.

    Args:
        model: with a method ``parts()``, such as MBDRecognizer and DualTeacherDistiller, or any
            MMAction2 recognizer.

    Returns:
        At least one; 'model' is an MMAction2 recognizer itself.
    """
    if not hasattr(model, 'parts'):
        return {'model': Part(None, model)}
    return {name: Part(*part) for name, part in model.parts().items()}


def explain_video(
    model: BaseModel,
    inputs: Inputs,
    sample: ActionDataSample,
    title: str,
    classes: Sequence[str] | None = None,
    target_layers: Mapping[str, str] | None = None,
    with_grad_cam: bool = True,
    view: int | None = None,
) -> VideoPicture:
    """Collect the frames, scores, Grad-CAM and attention of a prediction.

    The frames are the ones that the pipeline packed. The scores are the model's own, over all
    views. Grad-CAM and attention are of the one view that is shown. Grad-CAM is of the predicted
    class in every recognizer, so that they can be compared.

    Args:
        model: see :func:`parts_of`.
        inputs: of the one video, as its pipeline packed them: uint8, (V, C, T, H, W), or
            (V·T, C, H, W) for a Recognizer2D; or a dict of such.
        sample: the model's prediction, with the pipeline's metainfo (see
            :func:`~mmaction_kd.visualization.shown_frames.keep_origin`).
        title: of the video.
        classes: K names; default their numbers.
        target_layers: layers for Grad-CAM by the part's name; for others
            :func:`~mmaction_kd.visualization.grad_cam.last_map_layer`.
        with_grad_cam: whether to compute Grad-CAM.
        view: which to show; default the central one.

    Returns:
        The content of the picture.

    Raises:
        ValueError: the inputs can't be drawn, a layer can't be found, or names and scores are not
            as many as the classes.
    """
    score = sample.pred_score
    if score.dim() != 1:
        raise ValueError(
            'explain_video: pred_score must have one value a class, got shape '
            f"{tuple(score.shape)}; set average_clips='prob' in the cls_head."
        )
    names = [str(k) for k in range(len(score))] if classes is None else list(classes)
    if len(names) != len(score):
        raise ValueError(
            f'explain_video: there must be a name for each of {len(score)} classes, got '
            f'{len(names)}; give all in the order of the labels.'
        )
    layers = dict(target_layers or {})
    parts = parts_of(model)
    if unknown := layers.keys() - parts:
        raise ValueError(
            f'explain_video: target_layers must be of {list(parts)}, got {sorted(unknown)}.'
        )
    scored = _scored(parts, sample)
    # A gate may have skipped a pathway. A single part has no scores beside the model's own.
    parts = {name: part for name, part in parts.items() if name in scored or not scored}
    answer = int(score.argmax())
    clips = {name: _shown(part, inputs, sample, view) for name, part in parts.items()}
    normalised = _normalised(model, inputs, sample, parts, clips)
    return VideoPicture(
        title=title,
        views=[
            _view(
                name, part, clips[name], normalised[name], answer, layers.get(name), with_grad_cam
            )
            for name, part in parts.items()
        ],
        scores=_scores(model, scored, sample, answer),
        classes=names,
        truths=true_classes(sample),
        answer=answer,
        notes=_notes(model, scored, sample),
    )


def true_classes(sample: ActionDataSample) -> tuple[int, ...]:
    """Return the labels of a sample; none where it has no label or −1.

    Args:
        sample: with ``gt_label``, (1,), or (K,) of a video of several classes, or without.

    Returns:
        Class indices.
    """
    label = sample.get('gt_label')
    if label is None:
        return ()
    if label.numel() == 1:
        return tuple(index for index in label.flatten().tolist() if index >= 0)
    return tuple(label.flatten().nonzero().flatten().tolist())


def _own(inputs: Inputs, key: str | None) -> Tensor:
    return inputs if isinstance(inputs, Tensor) else inputs[key]  # type: ignore[index]


def _shown(part: Part, inputs: Inputs, sample: ActionDataSample, view: int | None) -> ShownClip:
    metainfo = sample.metainfo
    own = metainfo.get('pathways', {}).get(part.input_key, metainfo)
    return shown_clip(_own(inputs, part.input_key), own, view)


def _normalised(
    model: BaseModel,
    inputs: Inputs,
    sample: ActionDataSample,
    parts: Mapping[str, Part],
    clips: Mapping[str, ShownClip],
) -> dict[str, Tensor]:
    """The views that are shown, by the model's own preprocessor, on its device."""
    if isinstance(inputs, Tensor):
        shown: Tensor | dict = one_view(inputs, next(iter(clips.values())))
    else:
        by_key = {part.input_key: clips[name] for name, part in parts.items()}
        shown = {k: one_view(x, by_key[k]) if k in by_key else x for k, x in inputs.items()}
    batch = [shown] if isinstance(shown, Tensor) else {k: [x] for k, x in shown.items()}
    done = model.data_preprocessor(dict(inputs=batch, data_samples=[sample.clone()]), False)
    return {name: _own(done['inputs'], part.input_key) for name, part in parts.items()}


def _view(
    name: str,
    part: Part,
    clip: ShownClip,
    normalised: Tensor,
    answer: int,
    layer: str | None,
    with_grad_cam: bool,
) -> RecognizerView:
    title = part.input_key or name
    view = RecognizerView(title.replace('_', ' ').capitalize(), clip)
    recognizer = part.recognizer
    if any(isinstance(module, VTN) for module in recognizer.modules()):
        with record_cls_rows(recognizer) as rows, torch.no_grad():
            score_views(recognizer, normalised, test_mode=True)
        # (layers, B = 1, heads, 1 + T) -> (layers, 1 + T)
        view.attention = torch.stack(rows)[:, 0].mean(1).float().cpu().numpy()
    if not with_grad_cam:
        return view
    layer = layer or last_map_layer(recognizer, normalised)
    if layer is None:
        backbone = recognizer.backbone
        if isinstance(backbone, VTN):
            backbone = backbone.spatial_backbone
        view.heat_note = f'no Grad-CAM: a {type(backbone).__name__} has no feature maps at its end'
        return view
    heat = grad_cam(recognizer, normalised, layer, answer).cpu().numpy()
    view.heat = heat / (heat.max() or 1.0)
    view.heat_note = layer
    return view


def _scored(names: Iterable[str], sample: ActionDataSample) -> list[str]:
    """Names of the parts or teachers whose scores the prediction has."""
    return [name for name in names if f'{name}_score' in sample]


def _scores(
    model: BaseModel, pathways: Sequence[str], sample: ActionDataSample, answer: int
) -> list[Scores]:
    final = Scores('Answer', _numpy(sample.pred_score))
    if pathways:
        found = _pathway_scores(pathways, sample)
        final.name = 'Fused: the answer'
        final.note = f'by {type(model.fusion_head).__name__}, no weighted sum'
        if _is_weighted_sum(pathways, sample):
            final.note = ' + '.join(f'{_weight(name, sample):.2f} × {name}' for name in pathways)
    elif hasattr(model, 'teachers'):
        final.name = 'Student: the answer'
        truths = true_classes(sample)
        target = torch.tensor([truths[0] if truths else answer], device=sample.pred_score.device)
        responsible = model.distill_loss.responsible(target)
        found = _teacher_scores(responsible, sample, 'true class' if truths else 'answer')
        if not found:
            [name] = [name for name, mask in responsible.items() if mask]
            final.note = f'teacher responsible: {name}'
    else:
        found = []
    return [*found, final]


def _pathway_scores(names: Sequence[str], sample: ActionDataSample) -> list[Scores]:
    found = []
    weighted = _is_weighted_sum(names, sample)
    for name in names:
        note = f'dominance {sample.get(f"{name}_dominance").item():.3f}'
        if weighted:
            note += f', weight {_weight(name, sample):.2f}'
        score = _numpy(sample.get(f'{name}_score'))
        found.append(Scores(f'{name.capitalize()} pathway', score, note))
    return found


def _teacher_scores(
    responsible: Mapping[str, Tensor], sample: ActionDataSample, target: str
) -> list[Scores]:
    return [
        Scores(
            f'Teacher: {name}',
            _numpy(sample.get(f'{name}_score')),
            f'{"responsible" if responsible[name] else "not responsible"} for the {target}',
        )
        for name in _scored(responsible, sample)
    ]


def _weight(name: str, sample: ActionDataSample) -> float:
    return sample.get(f'{name}_weight').item()


def _is_weighted_sum(names: Sequence[str], sample: ActionDataSample) -> bool:
    """Whether equation (14) holds; other fusions report weights that they do not use."""
    terms = [
        sample.get(f'{name}_weight').to(sample.pred_score) * sample.get(f'{name}_score')
        for name in names
    ]
    return torch.allclose(torch.stack(terms).sum(0), sample.pred_score, atol=1e-3)


def _notes(model: BaseModel, pathways: Sequence[str], sample: ActionDataSample) -> list[str]:
    if pathways:
        note = 'Dominance is the confidence of a pathway, computed from its scores'
        if model.fusion_head.weights_by_dominance and _is_weighted_sum(pathways, sample):
            note += '; the more confident one has the larger weight in the fused scores'
        notes = [f'{note}.']
        if skipped := parts_of(model).keys() - set(pathways):
            gate = model.fusion_head.gate
            notes.append(
                f'The {", ".join(skipped)} pathway did not run: local dominance is at least '
                f'{gate:.4g}.'
            )
        return notes
    if hasattr(model, 'teachers'):
        return [
            'In training the student learned each class from the teacher that is responsible for '
            "it; the answer is the student's alone."
        ]
    return []


def _numpy(score: Tensor) -> np.ndarray:
    return score.detach().float().cpu().numpy()
