"""Two pathways teach each other on each video, and are fused at test (MBD).

Source: Kang et al., "Using Multi-Layer Bidirectional Distillation to Enhance Local and Global
Features for Action Recognition", Sensors 2025, 25(22), 6849.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor

from mmaction_kd.models.checks import check_losses, check_scores, check_single_label, class_indices
from mmaction_kd.models.data_preprocessors import PathwayDataPreprocessor
from mmaction_kd.models.dominance import PATHWAYS
from mmaction_kd.models.heads.fusion_head import FusedScores
from mmaction_kd.models.reductions import at_least_float32
from mmaction_kd.models.submodels.outputs import (
    Recorded,
    ScoredViews,
    extracts_features,
    last_feature,
    pool_feature,
    probe_dims,
    probe_last_dims,
    record_output,
    score_views,
    video_features,
)
from mmaction_kd.models.submodels.recognizer_config import (
    RecognizerConfig,
    build_recognizer,
    load_recognizer,
)
from mmaction_kd.options import checked_options
from mmaction_kd.registry import MODELS


@MODELS.register_module()
class MBDRecognizer(BaseModel):
    """Two-stream recognizer with bidirectional distillation and adaptive fusion.

    In training, for each pathway h, over a batch::

        L_h = L_ce^h + α_h L_final^h + β_h L_inter^h        (12), (13)
        loss = L_l + L_g

    where L_ce is the loss of the pathway's own head and the others come from ``distill_loss``. At
    test ``fusion_head`` fuses the mean softmax over the views of each pathway. A trained one fuses
    the last features, and adds its own loss.

    Soft labels, (K,), are used in the cross-entropy of the pathways' heads; statistics use their
    largest class. Settings that need one class a video refuse them. Blending in the preprocessors
    (Mixup, CutMix) is refused, see
    :class:`~mmaction_kd.models.data_preprocessors.PathwayDataPreprocessor`.

    Source: MBD, sections 2.2-2.5.

    Args:
        local_pathway: an MMAction2 recognizer (its config, or a config's path; see
            :func:`~mmaction_kd.models.submodels.recognizer_config.split_recognizer_config`),
            with its own preprocessor and, as ``checkpoint``, its own pre-trained weights. In the
            paper a 3D CNN on consecutive frames.
        global_pathway: another recognizer. In the paper a video transformer on frames of the
            complete action.
        distill_loss: config of a :class:`~mmaction_kd.models.losses.DominanceDistillLoss`.
        fusion_head: config of a :class:`~mmaction_kd.models.heads.FusionHead`:
            :class:`~mmaction_kd.models.heads.AdaptiveFusionHead`, or, trained,
            :class:`~mmaction_kd.models.heads.FeatureFusionHead`.
        features: for each pathway (``local_pathway``, ``global_pathway``) its intermediate feature:
            a module path such as ``'backbone.layer3'``, or ``dict(path=..., tokens='cls' | 'mean' |
            'places' | 'frames', input_shape=...)``, see
            :func:`~mmaction_kd.models.submodels.outputs.probe_dims`. 'frames', for
            both pathways or neither, keeps time. Not needed to distill the final layer only.
        test_cfg: ``dict(feature_extraction=True)`` adds the features of both pathways at test; in
            the ``test_cfg`` of a pathway, its own.

    Raises:
        ValueError: the pathways have different numbers of classes, one is multi-label, or a feature
            can't be found.
    """

    @checked_options
    def __init__(
        self,
        local_pathway: RecognizerConfig,
        global_pathway: RecognizerConfig,
        distill_loss: Mapping,
        fusion_head: Mapping,
        features: Mapping[Literal['local_pathway', 'global_pathway'], str | Mapping] | None = None,
        test_cfg: Mapping[Literal['feature_extraction'], bool] | None = None,
    ) -> None:
        for key, given in (features or {}).items():
            if isinstance(given, Mapping) and 'path' not in given:
                raise ValueError(
                    'MBDRecognizer: each of features must be a path or a dict with one, got '
                    f'{key}={given!r}.'
                )
        pathways, checkpoints = {}, {}
        for name, cfg in zip(PATHWAYS, (local_pathway, global_pathway), strict=True):
            pathways[name], checkpoints[name] = build_recognizer(cfg)
            check_single_label('MBDRecognizer', _key(name), pathways[name])
        super().__init__(
            PathwayDataPreprocessor(
                {_key(name): pathway.data_preprocessor for name, pathway in pathways.items()}
            )
        )
        for name, pathway in pathways.items():
            self.add_module(_key(name), pathway)
        self.checkpoints = checkpoints
        self.features: dict[str, dict] = {
            key.removesuffix('_pathway'): dict(path=given) if isinstance(given, str) else {**given}
            for key, given in (features or {}).items()
        }
        tokens = {name: kw.get('tokens', 'cls') for name, kw in self.features.items()}
        if len({kind == 'frames' for kind in tokens.values()}) > 1:
            raise ValueError(
                'MBDRecognizer: features must keep the time of both pathways or of neither, got '
                f"tokens {tokens}; set tokens='frames' for both."
            )
        num_classes = {name: pathway.cls_head.num_classes for name, pathway in pathways.items()}
        if len(set(num_classes.values())) > 1:
            raise ValueError(
                f'MBDRecognizer: both pathways must have the same classes, got {num_classes}; set '
                'num_classes in each cls_head.'
            )
        self.num_classes = num_classes['local']
        dims = {name: probe_dims(pathways[name], **kw) for name, kw in self.features.items()}
        shared = dict(num_classes=self.num_classes)
        self.distill_loss = MODELS.build(
            dict(distill_loss, feat_dims=dims if len(dims) == len(PATHWAYS) else None, **shared)
        )
        self.fusion_head = MODELS.build(dict(fusion_head, **shared))
        both = bool((test_cfg or {}).get('feature_extraction'))
        self.extracted = {name for name, x in pathways.items() if both or extracts_features(x)}
        """The pathways whose features are part of the predictions."""
        if self.extracted and self.fusion_head.gate is not None:
            raise ValueError(
                'MBDRecognizer: feature_extraction must see every video, got a gate of '
                f'{self.fusion_head.gate}, which skips videos; set gate=None.'
            )
        if self.fusion_head.needs_feats:
            shapes = {name: kw.get('input_shape') for name, kw in self.features.items()}
            self.fusion_head.build_layers(
                {
                    name: probe_last_dims(pathways[name], kind, shapes.get(name))
                    for name, kind in self.fusion_head.needs_feats.items()
                }
            )

    @property
    def pathways(self) -> dict[str, BaseModel]:
        """The recognizers by name, 'local' and 'global'."""
        return {name: self.get_submodule(_key(name)) for name in PATHWAYS}  # type: ignore[misc]

    def parts(self) -> dict[str, tuple[str | None, BaseModel]]:
        """Return the recognizers that see the inputs at test, by name.

        Returns:
            'local' and 'global': the key of its clips in the inputs, and the recognizer.
        """
        return {name: (_key(name), pathway) for name, pathway in self.pathways.items()}

    def init_weights(self) -> None:
        """Initialise as MMEngine does, then load each pathway's own checkpoint."""
        super().init_weights()
        for name, checkpoint in self.checkpoints.items():
            if checkpoint is not None:
                load_recognizer(self.pathways[name], checkpoint, _key(name))

    def forward(
        self,
        inputs: Mapping[str, Tensor],
        data_samples: list[ActionDataSample] | None = None,
        mode: str = 'tensor',
        stage: str | None = None,
    ) -> dict[str, Any] | list[ActionDataSample]:
        """Run the model in one of MMEngine's modes.

        Args:
            inputs: ``local_pathway`` and ``global_pathway``, each (N, V, C, T, H, W), or
                (N, V·T, C, H, W) for a Recognizer2D.
            data_samples: one a video.
            mode: 'loss', 'predict' or 'tensor'.
            stage: of 'tensor', as MMAction2's: 'backbone', 'neck' or 'head'.

        Returns:
            In mode 'tensor' the logits of each pathway, (N, K), mean over the views; with a stage,
            its output in each pathway.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples or [])
        if mode == 'predict':
            return self.predict(inputs, data_samples or [])
        if mode == 'tensor' and stage is not None:
            return {
                name: pathway(inputs[_key(name)], data_samples, mode=mode, stage=stage)
                for name, pathway in self.pathways.items()
            }
        if mode == 'tensor':
            return {
                name: score_views(pathway, inputs[_key(name)]).logits.mean(1)
                for name, pathway in self.pathways.items()
            }
        raise ValueError(
            f"MBDRecognizer: mode must be 'loss', 'predict' or 'tensor', got {mode!r}."
        )

    def loss(
        self, inputs: Mapping[str, Tensor], data_samples: list[ActionDataSample]
    ) -> dict[str, Tensor]:
        """Compute (12) and (13), term by term.

        Args:
            inputs: see :meth:`forward`.
            data_samples: with ``gt_label``, one a video.

        Returns:
            Scalars: for each pathway the terms of its own head (``local/loss_cls``,
            ``local/top1_acc``, ...) and of ``distill_loss``; ``fused/top1_acc`` and, of a trained
            fusion head, ``fused/loss_cls``.

        Raises:
            ValueError: a label is no class, or soft where a setting needs one class.
            FloatingPointError: a loss is NaN or infinite; the pathway and the videos are named.
        """
        one_class_for = self.distill_loss.needs_one_class or self.fusion_head.needs_one_class
        targets = class_indices('MBDRecognizer', data_samples, self.num_classes, one_class_for)
        logits, feats, losses = {}, {}, {}
        last: dict[str, Tensor] = {}
        for name, pathway in self.pathways.items():
            with self._record_feature(name) as recorded:
                scored = score_views(pathway, inputs[_key(name)], data_samples)
            logits[name] = at_least_float32(scored.logits).mean(1)
            last |= self._last_feature(name, scored)
            own = {**pathway.cls_head.loss_by_feat(logits[name], data_samples), **scored.loss_aux}
            losses.update({f'{name}/{key}': value for key, value in own.items()})
            if recorded is not None:
                tokens = self.features[name].get('tokens', 'cls')
                feats[name] = pool_feature(recorded.output, inputs[_key(name)].shape, tokens)
        targets = targets.to(logits['local'].device)
        losses.update(self.distill_loss(logits, feats, targets))
        probs = {name: z.detach().softmax(1) for name, z in logits.items()}
        fused = self.fusion_head.loss(probs, targets, last)
        losses.update({f'fused/{key}': value for key, value in fused.items()})
        scores = {_key(name): z for name, z in logits.items()}
        check_losses('MBDRecognizer', losses, scores, dict(self.named_children()), data_samples)
        return losses

    def _record_feature(self, name: str) -> AbstractContextManager[Recorded | None]:
        if not self.distill_loss.needs_feats:
            return nullcontext()
        return record_output(self.pathways[name], self.features[name]['path'])

    def _last_feature(self, name: str, scored: ScoredViews) -> dict[str, Tensor]:
        """Return the feature that the fusion head needs, by the pathway's name; {} if none."""
        if name not in self.fusion_head.needs_feats:
            return {}
        videos, views = scored.logits.shape[:2]
        kind = self.fusion_head.needs_feats[name]
        return {name: last_feature(scored.feats, videos, views, kind)}

    def predict(
        self, inputs: Mapping[str, Tensor], data_samples: list[ActionDataSample]
    ) -> list[ActionDataSample]:
        """Predict fused scores, with the scores and weights of the pathways.

        With a ``gate`` in the fusion head the global pathway runs only on the videos with a local
        dominance below it.

        Args:
            inputs: see :meth:`forward`.
            data_samples: one a video; labels are not used.

        Returns:
            The samples with ``pred_score`` (K,) and ``pred_label`` (1,), fused, and for each
            pathway h: ``h_score`` (K,), ``h_weight`` and ``h_dominance``, scalars. Where the global
            pathway did not run, the fused score is the local one, ``global_weight`` is 0, and there
            is no ``global_score`` and no ``global_dominance``. With ``feature_extraction`` also
            ``h_feat``, (D,): the input of the classifier, averaged over space, time and views.

        Raises:
            FloatingPointError: a score is NaN or infinite; the pathway and the videos are named.
        """
        local, last = self._test_scores('local', inputs, data_samples)
        remaining = data_samples
        if self.fusion_head.gate is not None:
            alone = self.fusion_head.local_alone(local)
            index = (alone.dominance['local'] < self.fusion_head.gate).nonzero()[:, 0]
            remaining = [data_samples[i] for i in index.tolist()]
            if len(remaining) < len(data_samples):
                _write_predictions(data_samples, {'local': local}, alone)
                local = local[index]
                inputs = {_key('global'): inputs[_key('global')][index]}
        if remaining:
            global_, last_global = self._test_scores('global', inputs, remaining)
            probs = {'local': local, 'global': global_}
            fused = self.fusion_head(probs, feats=last | last_global)
            self._check('fusion_head', fused.score, remaining)
            _write_predictions(remaining, probs, fused)
        return data_samples

    def _test_scores(
        self, name: str, inputs: Mapping[str, Tensor], data_samples: list[ActionDataSample]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the mean softmax over a pathway's views, (N, K), and :meth:`_last_feature`."""
        scored = score_views(self.pathways[name], inputs[_key(name)], test_mode=True)
        probs = at_least_float32(scored.logits).softmax(2).mean(1)  # (N, V, K) -> (N, K)
        self._check(_key(name), probs, data_samples)
        if name in self.extracted:
            feats = video_features(scored.feats, len(data_samples))
            for sample, feat in zip(data_samples, feats, strict=True):
                sample.set_field(feat, f'{name}_feat')
        return probs, self._last_feature(name, scored)

    def _check(self, part: str, scores: Tensor, data_samples: list[ActionDataSample]) -> None:
        check_scores(
            'MBDRecognizer', {part: scores}, {part: self.get_submodule(part)}, data_samples
        )


def _write_predictions(
    data_samples: list[ActionDataSample], probs: Mapping[str, Tensor], fused: FusedScores
) -> None:
    fields = {
        **{f'{name}_score': values for name, values in probs.items()},
        **{f'{name}_weight': values for name, values in fused.weights.items()},
        **{f'{name}_dominance': values for name, values in fused.dominance.items()},
    }
    for i, sample in enumerate(data_samples):
        sample.set_pred_score(fused.score[i])
        sample.set_pred_label(fused.score[i].argmax(keepdim=True))
        for field, values in fields.items():
            sample.set_field(values[i], field)


def _key(name: str) -> str:
    """Return the key of a pathway in configs, inputs and weights; 'global' is a keyword."""
    return f'{name}_pathway'
