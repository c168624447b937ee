"""Methods of MMAction2's models that do less than their callers expect."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mmaction_kd.host_fixes.fix import Fix, source_of

# Where scores reach NumPy, which has no bfloat16. Every other head inherits these.
_SCORE_METHODS = {
    'BaseHead': ('loss_by_feat', 'predict_by_feat'),
    'OmniHead': ('loss_by_feat',),
    'RGBPoseHead': ('loss_by_scores', 'predict_by_scores'),
}


def _heads_refuse_bfloat16() -> bool:
    return 'cls_scores.detach().cpu().numpy()' in source_of('mmaction.models.heads.base')


def _on_float_scores(method: Callable) -> Callable:
    import torch

    @functools.wraps(method)
    def with_float_scores(self: Any, cls_scores: Any, *args: Any, **kwargs: Any) -> Any:
        if cls_scores.dtype is torch.bfloat16:
            cls_scores = cls_scores.float()
        return method(self, cls_scores, *args, **kwargs)

    return with_float_scores


def _score_in_float(heads: Any) -> None:
    for head, methods in _SCORE_METHODS.items():
        for method in methods:
            owner = getattr(heads, head)
            setattr(owner, method, _on_float_scores(vars(owner)[method]))


def _train_returns_none() -> bool:
    return 'def train(self, mode: bool = True) -> None:' in source_of(
        'mmaction.models.backbones.resnet3d'
    )


def _returning_self(train: Callable) -> Callable:
    @functools.wraps(train)
    def train_and_return(self: Any, mode: bool = True) -> Any:
        train(self, mode)
        return self

    return train_and_return


def _return_self(backbones: Any) -> None:
    exported = [vars(backbones)[name] for name in backbones.__all__]
    classes = {base for backbone in exported for base in backbone.__mro__}
    for owner in classes:
        if owner.__module__.startswith('mmaction.') and 'train' in vars(owner):
            owner.train = _returning_self(vars(owner)['train'])


def _testing_views_want_one_video() -> bool:
    return "'max_testing_views is only compatible '" in source_of(
        'mmaction.models.recognizers.recognizer3d'
    )


def _test_views_of_any_batch(module: Any) -> None:
    host_extract = module.Recognizer3D.extract_feat

    @functools.wraps(host_extract)
    def extract_feat(self: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        views = (self.test_cfg or {}).get('max_testing_views')
        if views and kwargs.get('test_mode'):
            inputs = inputs.flatten(0, 1)[None]  # (N, V, ...) -> (1, N V, ...): the same rows
        return host_extract(self, inputs, *args, **kwargs)

    module.Recognizer3D.extract_feat = extract_feat


def _tanet_fetches_when_built() -> bool:
    constructor = source_of('mmaction.models.backbones.tanet').partition('class TANet')[2]
    return 'super().init_weights()' in constructor.partition('def init_weights')[0]


def _fetch_when_initialised(module: Any) -> None:
    tanet, resnet = module.TANet, module.ResNet
    host_init = tanet.__init__

    @functools.wraps(host_init)
    def init(self: Any, *args: Any, pretrained: str | None = None, **kwargs: Any) -> None:
        host_init(self, *args, pretrained=None, **kwargs)
        self.pretrained = pretrained

    def init_weights(self: Any) -> None:
        if self.pretrained is None:
            return
        # The weights have the names of the plain blocks, which TANet wraps.
        wrapped = {name: self.get_submodule(name) for name in self.res_layers}
        for name, blocks in wrapped.items():
            setattr(self, name, module.nn.Sequential(*(block.block for block in blocks)))
        resnet.init_weights(self)
        for name, blocks in wrapped.items():
            setattr(self, name, blocks)

    tanet.__init__, tanet.init_weights = init, init_weights


FIXES = (
    Fix(
        name='max_testing_views is only compatible with batch_size == 1',
        hosts=('mmaction2',),
        module='mmaction.models.recognizers.recognizer3d',
        fault=_testing_views_want_one_video,
        patch=_test_views_of_any_batch,
        remedy='test with batch_size=1',
    ),
    Fix(
        name='TANet fetches its pretrained weights when it is built, whatever is loaded then',
        hosts=('mmaction2',),
        module='mmaction.models.backbones.tanet',
        fault=_tanet_fetches_when_built,
        patch=_fetch_when_initialised,
        remedy='set backbone.pretrained=None where a checkpoint is loaded',
    ),
    Fix(
        name='Got unsupported ScalarType BFloat16: heads under bfloat16 autocast',
        hosts=('mmaction2',),
        module='mmaction.models.heads',
        fault=_heads_refuse_bfloat16,
        patch=_score_in_float,
        remedy='train in float16 or float32',
    ),
    Fix(
        name="backbone.eval() returns None and can't be chained",
        hosts=('mmaction2',),
        module='mmaction.models.backbones',
        fault=_train_returns_none,
        patch=_return_self,
        remedy='call .train() and .eval() in a line of their own',
    ),
)
