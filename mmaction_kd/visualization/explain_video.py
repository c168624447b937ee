"""What a model saw in one video, what it made of it, and how: the content of a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor

from mmaction_kd.models.backbones.vtn import VTN
from mmaction_kd.models.distillers import DualTeacherDistiller
from mmaction_kd.models.recognizers import MBDRecognizer
from mmaction_kd.models.submodels.view_logits import view_logits
from mmaction_kd.visualization.frame_attention import record_cls_rows
from mmaction_kd.visualization.grad_cam import grad_cam, last_map_layer
from mmaction_kd.visualization.seen_frames import SeenClip, one_view, seen_clip

Inputs = Tensor | Mapping[str, Tensor]


class Viewer(NamedTuple):
    """A recognizer that looks at clips of its own: a pathway, a student, or the model itself."""

    name: str
    key: str | None
    """Of its clips in the model's inputs; None where all see the same."""
    recognizer: BaseModel


@dataclass
class Look:
    """What one recognizer saw in one view, and what of it counted.

    Args:
        name: whose, such as 'Local pathway'.
        clip: the view.
        heat: Grad-CAM of the answer, as a share of its maximum, (T, H, W); zeros where nothing
            speaks for it. None: none was made.
        heat_words: of which layer, or why there is none.
        attention: of [CLS] to itself and to each frame, mean over the heads, (layers, 1 + T), rows
            sum to 1. None: no VTN.
    """

    name: str
    clip: SeenClip
    heat: np.ndarray | None = None
    heat_words: str = ''
    attention: np.ndarray | None = None


@dataclass
class Scores:
    """A distribution over the classes.

    Args:
        name: whose.
        values: (K,).
        words: how it came about.
    """

    name: str
    values: np.ndarray
    words: str = ''


@dataclass
class VideoPicture:
    """What :func:`~mmaction_kd.visualization.filmstrip.filmstrip_figure` draws.

    Args:
        title: of the video.
        looks: one a recognizer.
        scores: the final one last.
        classes: K names.
        truths: indices of the true classes; none if not known.
        answer: index of the model's class.
        notes: what else is to be said.
    """

    title: str
    looks: list[Look]
    scores: list[Scores]
    classes: list[str]
    truths: tuple[int, ...]
    answer: int
    notes: list[str] = field(default_factory=list)


def viewers(model: BaseModel) -> list[Viewer]:
    """Who looks at clips.

    Args:
        model: an MBDRecognizer, a DualTeacherDistiller (of which it is the student), or an
            MMAction2 recognizer.

    Returns:
        The recognizers.
    """
    if isinstance(model, MBDRecognizer):
        return [Viewer(name, f'{name}_pathway', own) for name, own in model.pathways.items()]
    if isinstance(model, DualTeacherDistiller):
        return [Viewer('student', 'student', model.student)]
    return [Viewer('model', None, model)]


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
    """Say what a model saw in a video and how it came to its answer.

    The frames are the very ones that the pipeline packed. The scores are of all views, as predicted
    by the model; Grad-CAM (of the answer, in every recognizer, so that they can be compared) and
    attention are of the one view that is shown.

    Args:
        model: see :func:`viewers`.
        inputs: of the one video, as its pipeline packed them: uint8, (V, C, T, H, W), or
            (V·T, C, H, W) for a Recognizer2D; or a dict of such.
        sample: the model's prediction, with the pipeline's metainfo (see
            :func:`~mmaction_kd.visualization.seen_frames.keep_origin`).
        title: of the video.
        classes: K names; default their numbers.
        target_layers: layers for Grad-CAM by the viewer's name, 'local', 'global', 'student' or
            'model'; of others :func:`~mmaction_kd.visualization.grad_cam.last_map_layer`.
        with_grad_cam: whether to differentiate.
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
    who = viewers(model)
    if unknown := layers.keys() - {viewer.name for viewer in who}:
        raise ValueError(
            f'explain_video: target_layers must be of {[viewer.name for viewer in who]}, got '
            f'{sorted(unknown)}.'
        )
    if isinstance(model, MBDRecognizer):
        who = [viewer for viewer in who if viewer.name in _that_ran(model, sample)]
    answer = int(score.argmax())
    seen = {viewer.name: _seen(viewer, inputs, sample, view) for viewer in who}
    normalised = _normalised(model, inputs, sample, who, seen)
    return VideoPicture(
        title=title,
        looks=[
            _look(viewer, seen[viewer.name], normalised[viewer.name], answer, layer, with_grad_cam)
            for viewer in who
            for layer in [layers.get(viewer.name)]
        ],
        scores=_scores(model, sample, names, answer),
        classes=names,
        truths=true_classes(sample),
        answer=answer,
        notes=_notes(model, sample),
    )


def true_classes(sample: ActionDataSample) -> tuple[int, ...]:
    """The label or labels of a sample; none where it has no label, or −1 instead of one.

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


def _seen(viewer: Viewer, inputs: Inputs, sample: ActionDataSample, view: int | None) -> SeenClip:
    metainfo = sample.metainfo
    own = metainfo.get('pathways', {}).get(viewer.key, metainfo)
    return seen_clip(_own(inputs, viewer.key), own, view)


def _normalised(
    model: BaseModel,
    inputs: Inputs,
    sample: ActionDataSample,
    who: Sequence[Viewer],
    seen: Mapping[str, SeenClip],
) -> dict[str, Tensor]:
    """The views that are shown, by the model's own preprocessor, on its device."""
    if isinstance(inputs, Tensor):
        shown: Tensor | dict = one_view(inputs, seen[who[0].name])
    else:
        clips = {viewer.key: seen[viewer.name] for viewer in who}
        shown = {k: one_view(x, clips[k]) if k in clips else x for k, x in inputs.items()}
    batch = [shown] if isinstance(shown, Tensor) else {k: [x] for k, x in shown.items()}
    done = model.data_preprocessor(dict(inputs=batch, data_samples=[sample.clone()]), False)
    return {viewer.name: _own(done['inputs'], viewer.key) for viewer in who}


def _look(
    viewer: Viewer,
    clip: SeenClip,
    normalised: Tensor,
    answer: int,
    layer: str | None,
    with_grad_cam: bool,
) -> Look:
    of_mbd = viewer.key not in (None, 'student')
    look = Look(f'{viewer.name.capitalize()}{" pathway" if of_mbd else ""}', clip)
    recognizer = viewer.recognizer
    if any(isinstance(module, VTN) for module in recognizer.modules()):
        with record_cls_rows(recognizer) as rows, torch.no_grad():
            view_logits(recognizer, normalised, test_mode=True)
        # (layers, B = 1, heads, 1 + T) -> (layers, 1 + T)
        look.attention = torch.stack(rows)[:, 0].mean(1).float().cpu().numpy()
    if not with_grad_cam:
        return look
    layer = layer or last_map_layer(recognizer, normalised)
    if layer is None:
        backbone = recognizer.backbone
        if isinstance(backbone, VTN):
            backbone = backbone.spatial_backbone
        look.heat_words = f'no Grad-CAM: a {type(backbone).__name__} has no feature maps at its end'
        return look
    heat = grad_cam(recognizer, normalised, layer, answer).cpu().numpy()
    look.heat = heat / (heat.max() or 1.0)
    look.heat_words = layer
    return look


def _scores(
    model: BaseModel, sample: ActionDataSample, classes: Sequence[str], answer: int
) -> list[Scores]:
    found = []
    final = Scores('Answer', _numpy(sample.pred_score))
    if isinstance(model, MBDRecognizer):
        terms = []
        weighted = _is_weighted_sum(model, sample)
        for name in _that_ran(model, sample):
            words = f'dominance {sample.get(f"{name}_dominance").item():.3f}'
            if weighted:
                weight = sample.get(f'{name}_weight').item()
                words += f', weight {weight:.2f}'
                terms.append(f'{weight:.2f} × {name}')
            values = _numpy(sample.get(f'{name}_score'))
            found.append(Scores(f'{name.capitalize()} pathway', values, words))
        final.name = 'Fused: the answer'
        final.words = ' + '.join(terms) or f'by {type(model.fusion_head).__name__}, no weighted sum'
    if isinstance(model, DualTeacherDistiller):
        final.name = 'Student: the answer'
        truths = true_classes(sample)
        decisive = torch.tensor([truths[0] if truths else answer])
        decisive = decisive.to(sample.pred_score.device)
        responsible = model.distill_loss.responsible(decisive)
        for name in model.teachers:
            if f'{name}_score' in sample:
                words = 'responsible' if responsible[name] else 'not responsible'
                whose = 'true class' if truths else 'answer'
                words = f'{words} for the {whose}'
                values = _numpy(sample.get(f'{name}_score'))
                found.append(Scores(f'Teacher: {name}', values, words))
        if not found:
            [name] = [name for name, mask in responsible.items() if mask]
            final.words = f'teacher responsible: {name}'
    return [*found, final]


def _that_ran(model: MBDRecognizer, sample: ActionDataSample) -> list[str]:
    """The pathways that saw the video; a gate may have spared the global one."""
    return [name for name in model.pathways if f'{name}_score' in sample]


def _is_weighted_sum(model: MBDRecognizer, sample: ActionDataSample) -> bool:
    """Whether equation (14) holds; other fusions tell weights, too, that have no part in it."""
    terms = [
        sample.get(f'{h}_weight').to(sample.pred_score) * sample.get(f'{h}_score')
        for h in _that_ran(model, sample)
    ]
    return torch.allclose(torch.stack(terms).sum(0), sample.pred_score, atol=1e-3)


def _notes(model: BaseModel, sample: ActionDataSample) -> list[str]:
    if isinstance(model, MBDRecognizer):
        words = 'Dominance says how sure a pathway is, from its scores alone'
        if model.fusion_head.weights_by_dominance and _is_weighted_sum(model, sample):
            words += '; the surer one has the larger weight in the fused scores'
        notes = [f'{words}.']
        if 'global_score' not in sample:
            gate = model.fusion_head.gate
            notes.append(f'The global pathway did not run: local dominance is at least {gate:.4g}.')
        return notes
    if isinstance(model, DualTeacherDistiller):
        return [
            'In training the student learned each class from the teacher that is responsible for '
            "it; the answer is the student's alone."
        ]
    return []


def _numpy(score: Tensor) -> np.ndarray:
    return score.detach().float().cpu().numpy()
