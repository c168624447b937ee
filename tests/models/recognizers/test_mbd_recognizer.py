"""MBDRecognizer: the terms of (12)-(13), fusion, and any recognizer as a pathway."""

import copy
import gc
import weakref

import mbd_oracle
import numpy as np
import pytest
import tiny_mbd
import torch
from autocast_types import AUTOCAST_TYPES
from mmengine.config import Config
from mmengine.registry import DefaultScope, init_default_scope

from mmaction_kd.models.dominance import PATHWAYS
from mmaction_kd.models.submodels.outputs import pool_to_vectors
from mmaction_kd.models.submodels.recognizer_config import split_recognizer_config
from mmaction_kd.registry import MODELS


def key(name):
    return f'{name}_pathway'


def test_the_loss_is_each_heads_own_plus_the_distillation_terms():
    model = tiny_mbd.build()
    inputs, samples = tiny_mbd.batch(5)
    losses = model(inputs, samples, mode='loss')
    for name, pathway in model.pathways.items():
        alone = pathway.loss(inputs[key(name)], samples)
        assert losses[f'{name}/loss_cls'].item() == pytest.approx(alone['loss_cls'].item())
        assert losses[f'{name}/top1_acc'] == alone['top1_acc']
    total, logged = model.parse_losses(losses)
    terms = [f'{h}/{t}' for h in PATHWAYS for t in ('loss_cls', 'loss_final', 'loss_intermediate')]
    assert sorted(terms) == sorted(k for k in losses if 'loss' in k)
    assert total.item() == pytest.approx(sum(losses[k].item() for k in terms))
    assert logged['local/dominance_share'] + logged['global/dominance_share'] == 1
    assert 0 <= logged['fused/top1_acc'] <= 1


def test_intermediate_features_are_cls_after_the_named_layer():
    """The MSE terms equal those of features computed by hand through the named layer."""
    model = tiny_mbd.build().double()
    inputs, samples = tiny_mbd.batch(4, dtype=torch.float64)
    losses = model(inputs, samples, mode='loss')
    feats, logits = {}, {}
    for name, pathway in model.pathways.items():
        outputs = []
        layer = pathway.backbone.temporal_encoder.layers[0]
        handle = layer.register_forward_hook(
            lambda _m, _i, out, outputs=outputs: outputs.append(out)
        )
        logits[name] = pathway.cls_head(pathway.backbone(inputs[key(name)][:, 0]))
        handle.remove()
        feats[name] = outputs[0][:, 0]
    targets = torch.stack([s.gt_label for s in samples])[:, 0]
    by_hand = model.distill_loss(logits, feats, targets)
    for term in ('local/loss_intermediate', 'global/loss_intermediate', 'local/loss_final'):
        assert losses[term].item() == pytest.approx(by_hand[term].item(), abs=1e-12)


def test_parts_score_the_clips_of_their_input_key():
    model = tiny_mbd.build().eval()
    inputs, _ = tiny_mbd.batch(2)
    logits = model(inputs)
    assert list(model.parts()) == list(PATHWAYS)
    for name, (input_key, recognizer) in model.parts().items():
        own = recognizer(inputs[input_key], mode='tensor', stage='head')
        torch.testing.assert_close(own, logits[name])


def test_predictions_fuse_the_stock_scores_of_both_pathways():
    model = tiny_mbd.build().eval()
    inputs, samples = tiny_mbd.batch(3, views=6)
    alone = {
        name: [
            s.pred_score.detach().double().numpy()
            for s in pathway.predict(inputs[key(name)], copy.deepcopy(samples))
        ]
        for name, pathway in model.pathways.items()
    }
    predicted = model(inputs, samples, mode='predict')
    score, w_local, w_global = mbd_oracle.eq14_15({h: np.stack(s) for h, s in alone.items()})
    for i, sample in enumerate(predicted):
        np.testing.assert_allclose(sample.pred_score.detach(), score[i], atol=1e-6)
        assert sample.pred_label.item() == score[i].argmax()
        for name, weight in zip(PATHWAYS, (w_local, w_global), strict=True):
            own = sample.get(f'{name}_score').detach()
            np.testing.assert_allclose(own, alone[name][i], atol=1e-6)
            assert sample.get(f'{name}_weight').item() == pytest.approx(weight[i], abs=1e-6)
            assert 0 < sample.get(f'{name}_dominance').item() <= 1


def test_predictions_do_not_look_at_labels():
    model = tiny_mbd.build().eval()
    inputs, samples = tiny_mbd.batch(4)
    first = [s.pred_score for s in model(inputs, copy.deepcopy(samples), mode='predict')]
    for sample in samples:
        sample.set_gt_label((sample.gt_label.item() + 1) % tiny_mbd.CLASSES)
    second = [s.pred_score for s in model(inputs, samples, mode='predict')]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_tensor_mode_gives_the_logits_of_each_pathway():
    model = tiny_mbd.build().eval()
    inputs, _ = tiny_mbd.batch(2, views=3)
    logits = model(inputs)
    for name in PATHWAYS:
        views = model.pathways[name](inputs[key(name)], mode='tensor', stage='head')
        assert torch.allclose(logits[name], views.reshape(2, 3, -1).mean(1))


def test_several_clips_in_training_are_one_video_each():
    """V views of a video give one prediction: N losses, not N·V."""
    model = tiny_mbd.build()
    inputs, samples = tiny_mbd.batch(2, views=1)
    doubled = {k: x.repeat(1, 2, 1, 1, 1, 1) for k, x in inputs.items()}
    once, twice = (model(x, samples, mode='loss') for x in (inputs, doubled))
    for name in once:
        assert twice[name].item() == pytest.approx(once[name].item(), abs=1e-5), name


def test_nothing_of_the_graph_is_held_after_a_step():
    model = tiny_mbd.build()
    kept = []
    layer = model.local_pathway.backbone.temporal_encoder.layers[0]
    handle = layer.register_forward_hook(lambda _m, _i, out: kept.append(weakref.ref(out)))
    inputs, samples = tiny_mbd.batch(2)
    losses = model(inputs, samples, mode='loss')
    handle.remove()
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    del losses
    gc.collect()
    assert kept
    assert all(ref() is None for ref in kept)
    assert not layer._forward_hooks


@pytest.mark.parametrize('settings', [
    dict(layers='final'), dict(layers='intermediate', teacher='local'), dict(teacher='global'),
    dict(final_align='mse', projection='teacher', group_reduction='batch'),
    dict(dominance=dict(labels='centers')), dict(dominance=dict(normalizer='batch_labels')),
])  # fmt: skip
def test_every_parameter_gets_a_gradient(settings):
    """Needed by DDP with find_unused_parameters=False, whatever the samples are."""
    model = tiny_mbd.build(distill_loss=dict(type='mmaction_kd.DominanceDistillLoss', **settings))
    losses = model(*tiny_mbd.batch(2), mode='loss')
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    without = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []


def test_only_the_final_layer_needs_no_features():
    final_only = dict(type='mmaction_kd.DominanceDistillLoss', layers='final')
    model = tiny_mbd.build(distill_loss=final_only, features=None)
    assert 'local/loss_intermediate' not in model(*tiny_mbd.batch(2), mode='loss')
    with pytest.raises(ValueError, match='set features for both pathways'):
        tiny_mbd.build(features=None)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (
            dict(features=dict(local_pathway='backbone.layer3', global_pathway='backbone')),
            r"'backbone.layer3': backbone has no module 'layer3'; it has \[.*temporal_encoder",
        ),
        (
            dict(global_pathway=dict(tiny_mbd.pathway(12, 8), cls_head=dict(
                type='mmaction_kd.VTNHead', num_classes=7, in_channels=12))),
            r"same classes, got \{'local': 4, 'global': 7\}",
        ),
        (dict(local_pathway=dict(backbone=dict())), 'must be named by type=, config='),
    ],
)  # fmt: skip
def test_a_config_that_can_not_work_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        tiny_mbd.build(**changes)


@pytest.mark.parametrize('layer', [0, 1])
def test_the_mean_of_frame_tokens_is_a_feature_where_they_are_computed(layer):
    """The last layer of a VTN has [CLS] alone, unless it is built with cls_only=False."""
    feature = dict(path=f'backbone.temporal_encoder.layers.{layer}', tokens='mean')
    features = dict(local_pathway=feature, global_pathway=feature)
    if layer == 0:
        assert tiny_mbd.build(features=features)(*tiny_mbd.batch(2), mode='loss')
        return
    with pytest.raises(ValueError, match=r"tokens='mean' needs tokens beside \[CLS\].*cls_only"):
        tiny_mbd.build(features=features)
    pathways = {key(h): tiny_mbd.pathway(8, 1) for h in PATHWAYS}
    for pathway in pathways.values():
        pathway['backbone']['cls_only'] = False
    losses = tiny_mbd.build(features=features, **pathways)(*tiny_mbd.batch(2), mode='loss')
    assert losses['local/loss_intermediate'].isfinite()


def test_pooling_to_one_vector_a_video():
    maps = torch.randn(6, 5, 2, 3, 3)  # 2 videos of 3 views
    by_hand = maps.reshape(2, 3, 5, -1).mean((1, 3))
    assert torch.allclose(pool_to_vectors(maps, 2), by_hand, atol=1e-6)
    tokens = torch.randn(2, 4, 5)
    assert torch.equal(pool_to_vectors(tokens, 2), tokens[:, 0])
    assert torch.equal(pool_to_vectors(tokens, 2, 'mean'), tokens[:, 1:].mean(1))
    places = maps.permute(0, 2, 3, 4, 1)  # Swin's
    assert torch.allclose(pool_to_vectors(places, 2, 'places'), by_hand, atol=1e-6)
    frames = torch.randn(8, 5)  # 2 videos of 4 frames
    assert torch.allclose(pool_to_vectors(frames, 2), frames.reshape(2, 4, 5).mean(1))


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="got 'train'"):
        tiny_mbd.build()(*tiny_mbd.batch(1), mode='train')


@pytest.mark.parametrize('scope', [None, 'mmengine', 'mmaction', 'mmaction_kd'])
def test_builds_whatever_the_default_scope(scope):
    current = DefaultScope.get_current_instance()
    before = current.scope_name if current else None
    try:
        if scope is not None:
            init_default_scope(scope)
        model = MODELS.build(tiny_mbd.mbd_config())
    finally:
        if before is not None:
            init_default_scope(before)
    assert type(model.local_pathway).__module__.startswith('mmaction.')


STOCK = {
    'r2plus1d': 'r2plus1d/r2plus1d_r34_8xb8-8x8x1-180e_kinetics400-rgb.py',
    'tsm': 'tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb.py',
    'x3d': 'x3d/x3d_s_13x6x1_facebook-kinetics400-rgb.py',
}


@pytest.mark.parametrize(
    ('zoo', 'feature', 'dims', 'shape'),
    [
        ('r2plus1d', 'backbone.layer3', 256, (1, 3, 8, 32, 32)),
        ('x3d', 'backbone.layer3', 96, (1, 3, 4, 64, 64)),
        ('tsm', 'backbone.layer3', 1024, (8, 3, 32, 32)),
    ],
)
def test_a_model_zoo_config_by_path_is_a_pathway(zoo, feature, dims, shape):
    """Recognizer3D and Recognizer2D, trained and tested beside a VTN; feature sizes are found."""
    model = tiny_mbd.build(
        local_pathway=dict(
            config=f'mmaction::recognition/{STOCK[zoo]}',
            cls_head=dict(num_classes=tiny_mbd.CLASSES),
        ),
        features=dict(local_pathway=feature, global_pathway='backbone.temporal_encoder.layers.0'),
    )
    assert model.distill_loss.projectors['local_to_global'][0].in_features == dims
    inputs, samples = tiny_mbd.batch(2)
    inputs['local_pathway'] = torch.randn(2, *shape)
    losses = model(inputs, samples, mode='loss')
    assert all(value.isfinite() for value in losses.values())
    scores = [s.pred_score for s in model.eval()(inputs, samples, mode='predict')]
    assert torch.stack(scores).sum(1).detach().numpy() == pytest.approx(1, abs=1e-5)


def test_each_pathway_loads_its_own_checkpoint(tmp_path):
    source = tiny_mbd.build()
    for parameter in source.parameters():
        torch.nn.init.normal_(parameter)
    path = str(tmp_path / 'local.pth')
    torch.save(dict(state_dict=source.local_pathway.state_dict()), path)
    head = dict(type='mmaction_kd.VTNHead', num_classes=6, in_channels=8)
    model = tiny_mbd.build(
        local_pathway=dict(tiny_mbd.pathway(8, 1), checkpoint=path, cls_head=head),
        global_pathway=dict(
            tiny_mbd.pathway(12, 8), cls_head=dict(head, num_classes=6, in_channels=12)
        ),
    )
    before = {k: v.clone() for k, v in model.global_pathway.state_dict().items()}
    torch.manual_seed(3)
    model.init_weights()
    loaded, own = source.local_pathway.state_dict(), model.local_pathway.state_dict()
    assert all(torch.equal(loaded[k], own[k]) for k in own if k.startswith('backbone.'))
    classifier = [k for k in own if own[k].shape != loaded[k].shape]
    assert classifier
    assert len(before) == len(model.global_pathway.state_dict())


def test_the_config_that_names_a_recognizer_is_not_changed():
    """A checkpoint replaces the backbone's own weights; the caller's config still names them."""
    own = dict(type='Pretrained', checkpoint='backbone.pth')
    cfg = Config(dict(m=dict(tiny_mbd.pathway(8, 1), checkpoint='whole.pth'))).m
    cfg.backbone.init_cfg = own
    to_build, checkpoint = split_recognizer_config(cfg)
    assert (to_build.backbone.init_cfg, checkpoint) == (None, 'whole.pth')
    assert cfg.backbone.init_cfg == own
    assert cfg.checkpoint == 'whole.pth'


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    path = str(tmp_path / 'other.pth')
    torch.save(dict(state_dict={'encoder.weight': torch.zeros(3)}), path)
    model = tiny_mbd.build(local_pathway=dict(tiny_mbd.pathway(8, 1), checkpoint=path))
    with pytest.raises(ValueError, match=r"local_pathway: .*other.pth.*'encoder.weight'"):
        model.init_weights()
    missing = tiny_mbd.build(local_pathway=dict(tiny_mbd.pathway(8, 1), checkpoint='no/such.pth'))
    with pytest.raises(FileNotFoundError, match=r'local_pathway: .*no/such.pth'):
        missing.init_weights()


def test_a_pathways_weights_load_in_stock_mmaction(tmp_path):
    """The stock recognizer takes them out of the MBD checkpoint by their prefix."""
    from mmengine.model import PretrainedInit

    model = tiny_mbd.build()
    path = str(tmp_path / 'mbd.pth')
    torch.save(dict(state_dict=model.state_dict()), path)
    init_default_scope('mmaction')
    stock = MODELS.build(Config(dict(m=tiny_mbd.pathway(8, 1))).m)
    PretrainedInit(checkpoint=path, prefix='local_pathway')(stock)
    inputs, samples = tiny_mbd.batch(2)
    ours = model.local_pathway.eval().predict(inputs['local_pathway'], copy.deepcopy(samples))
    theirs = stock.eval().predict(inputs['local_pathway'], samples)
    assert all(torch.equal(a.pred_score, b.pred_score) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize('dtype', AUTOCAST_TYPES)
def test_a_step_under_autocast_is_finite_and_close(dtype):
    model = tiny_mbd.build()
    inputs, samples = tiny_mbd.batch(4)
    full = model(inputs, samples, mode='loss')
    with torch.autocast('cpu', dtype):
        half = model(inputs, samples, mode='loss')
    for name in full:
        if 'loss' in name:
            assert half[name].isfinite()
            assert half[name].item() == pytest.approx(full[name].item(), rel=0.1, abs=0.05), name
