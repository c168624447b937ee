"""Features at test, by the settings that MMAction2 has for them."""

import pytest
import tiny_dtkd
import tiny_mbd
import torch
from short_runs import tiny_model

from mmaction_kd.registry import MODELS

EXTRACT = dict(feature_extraction=True)


def hosts_features(recognizer, config, inputs, samples):
    """What the recognizer's backbone gives under MMAction2's FeatureHead."""
    head = dict(type='FeatureHead', average_clips='score')
    host = MODELS.build(dict(config, cls_head=head, test_cfg=None, _scope_='mmaction')).eval()
    host.load_state_dict(recognizer.state_dict(), strict=False)
    return host.predict(inputs, samples)


@pytest.mark.parametrize('where', ['model', 'pathway'])
def test_mbd_gives_the_features_of_the_pathways(where):
    """Of several views, the mean; the scores are as without."""
    local = tiny_model('mbd')['local_pathway']
    settings = dict(local_pathway=local, features=tiny_model('mbd')['features'])
    plain = tiny_mbd.build(**settings).eval()
    if where == 'model':
        settings['test_cfg'] = EXTRACT
    else:
        settings['local_pathway'] = dict(local, test_cfg=EXTRACT)
    model = tiny_mbd.build(**settings).eval()
    model.load_state_dict(plain.state_dict())
    inputs, samples = tiny_mbd.batch(3, views=2)
    with torch.no_grad():
        found = model(inputs, samples, mode='predict')
        expected = plain(inputs, tiny_mbd.batch(3, views=2)[1], mode='predict')
        local_inputs = inputs['local_pathway']
        feats = hosts_features(model.local_pathway, local, local_inputs, samples)
        tokens, _ = model.global_pathway.extract_feat(inputs['global_pathway'], test_mode=True)
    assert feats.shape == (3, 16) and feats.std() > 0
    for sample, other, feat in zip(found, expected, feats, strict=True):
        assert torch.allclose(sample.local_feat, feat, atol=1e-6)
        assert torch.equal(sample.pred_score, other.pred_score)
        assert 'local_feat' not in other and 'global_feat' not in other
        assert ('global_feat' in sample) is (where == 'model')
    if where == 'model':
        cls = tokens.flatten(1, -2)[:, 0] if tokens.dim() > 2 else tokens  # (N V, D)
        mean = cls.unflatten(0, (3, 2)).mean(1)
        assert torch.allclose(torch.stack([x.global_feat for x in found]), mean, atol=1e-6)


def test_mbd_gives_each_stage_as_the_pathways_do():
    model = tiny_mbd.build().eval()
    inputs, _ = tiny_mbd.batch(2)
    for stage in ('backbone', 'head'):
        found = model(inputs, mode='tensor', stage=stage)
        for name, pathway in model.pathways.items():
            expected = pathway(inputs[f'{name}_pathway'], mode='tensor', stage=stage)
            assert torch.equal(found[name], expected)


def test_a_gate_holds_no_features_back():
    fusion = dict(type='mmaction_kd.AdaptiveFusionHead', gate=0.5)
    with pytest.raises(ValueError, match=r'feature_extraction must see every video, got a gate'):
        tiny_mbd.build(fusion_head=fusion, test_cfg=EXTRACT)


def test_a_student_gives_its_features():
    student = tiny_dtkd.recognizer(test_cfg=EXTRACT)
    model = tiny_dtkd.build(tiny_dtkd.distiller_config(student=student)).eval()
    inputs, samples = tiny_dtkd.batch([0, 1, 2], views=2)
    with torch.no_grad():
        found = model(inputs, samples, mode='predict')
        feats = hosts_features(model.student, tiny_dtkd.recognizer(), inputs, samples)
    assert torch.allclose(torch.stack([x.feat for x in found]), feats, atol=1e-6)
    assert all(abs(x.pred_score.sum() - 1) < 1e-5 for x in found)
