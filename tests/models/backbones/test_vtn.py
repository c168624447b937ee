import copy

import pytest
import torch
from mmaction.registry import MODELS as HOST_MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import DefaultScope
from mmpretrain.models.backbones import VisionTransformer

from mmaction_kd.models.backbones import VTN
from mmaction_kd.models.backbones.cls_only_vit import narrow_last_block
from mmaction_kd.models.heads import VTNHead

TINY_ARCH = dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48)
TINY_VIT = dict(type='mmpretrain.VisionTransformer', arch=TINY_ARCH, img_size=32)


def tiny_vtn(**settings):
    torch.manual_seed(0)
    return VTN(**{**dict(spatial_backbone=TINY_VIT, embed_dims=24, num_heads=2), **settings})


def randomise(module):
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return module


def test_parameters_of_the_default():
    with torch.device('meta'):
        parts = VTN(), VTNHead(num_classes=400)
    assert sum(p.numel() for part in parts for p in part.parameters()) == 113_502_352


@pytest.mark.parametrize(
    'settings',
    [dict(), dict(qkv_bias=False), dict(layer_scale_init_value=0.1)],
    ids=['plain', 'without qkv bias', 'with layer scale'],
)
def test_narrow_last_block_changes_neither_output_nor_gradient(settings):
    torch.manual_seed(0)
    stock = randomise(VisionTransformer(TINY_ARCH, img_size=32, **settings))
    narrow = copy.deepcopy(stock)
    narrow_last_block(narrow)
    assert stock.state_dict().keys() == narrow.state_dict().keys()

    images = torch.randn(3, 3, 32, 48)  # another size than the position table's
    direction = torch.randn(3, 24)
    outputs = [vit(images)[-1] for vit in (stock, narrow)]
    torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-5)
    for output in outputs:
        (output * direction).sum().backward()
    expected = dict(stock.named_parameters())
    for name, parameter in narrow.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name].grad, rtol=1e-4, atol=1e-5)
    block = {}
    narrow.layers[-1].register_forward_hook(lambda _, i, o: block.update(shape=o.shape))
    narrow(images)
    assert block['shape'] == (3, 1, 24)


def test_last_block_is_whole_where_other_tokens_are_asked_for():
    vit = VisionTransformer(TINY_ARCH, img_size=32, out_type='avg_featmap')
    last = vit.layers[-1]
    narrow_last_block(vit)
    assert vit.layers[-1] is last


def test_narrow_last_block_is_initialised_as_the_stock_one():
    def initialised(vit):
        torch.manual_seed(3)
        vit.init_weights()
        return vit.layers[-1].ffn.layers[0][0].weight

    stock = VisionTransformer(TINY_ARCH, img_size=32)
    narrow = copy.deepcopy(stock)
    narrow_last_block(narrow)
    torch.testing.assert_close(initialised(narrow), initialised(stock), rtol=0, atol=0)


def test_features_by_module_path():
    vtn = tiny_vtn()
    seen = {}
    for path in ('spatial_backbone', 'frame_projection', 'temporal_encoder.layers.1'):
        vtn.get_submodule(path).register_forward_hook(
            lambda _, inputs, output, path=path: seen.update({path: output})
        )
    output = vtn(torch.randn(2, 3, 8, 32, 32))
    assert seen['spatial_backbone'].shape == (16, 24)
    assert seen['frame_projection'].shape == (2, 8, 24)
    assert seen['temporal_encoder.layers.1'].shape == (2, 9, 24)
    assert output.shape == (2, 24)


def test_cls_only_does_not_change_the_feature():
    narrow, full = tiny_vtn(), tiny_vtn(cls_only=False)
    full.load_state_dict(randomise(narrow).state_dict())
    seen = {}
    for path in ('spatial_backbone.layers.1', 'temporal_encoder.layers.2'):
        full.get_submodule(path).register_forward_hook(
            lambda _, inputs, output, path=path: seen.update({path: output.shape})
        )
    clips = torch.randn(2, 3, 8, 32, 32)
    torch.testing.assert_close(narrow.eval()(clips), full.eval()(clips), rtol=1e-5, atol=1e-5)
    assert seen == {
        'spatial_backbone.layers.1': (16, 5, 24),
        'temporal_encoder.layers.2': (2, 9, 24),
    }


def test_clips_do_not_mix():
    vtn = tiny_vtn().eval()
    clips = torch.randn(3, 3, 8, 32, 32)
    alone = torch.cat([vtn(clip[None]) for clip in clips])
    torch.testing.assert_close(vtn(clips), alone, rtol=1e-5, atol=1e-5)


def test_frames_are_in_order():
    vtn = tiny_vtn().eval()
    clips = torch.randn(1, 3, 8, 32, 32)
    frames = []
    vtn.spatial_backbone.register_forward_pre_hook(lambda _, inputs: frames.append(inputs[0]))
    vtn(clips)
    torch.testing.assert_close(frames[0][5], clips[0, :, 5])


def rows_used(vtn):
    """Rows of the position table that an 8-frame clip takes: those that get a gradient."""
    vtn(torch.randn(2, 3, 8, 32, 32)).square().sum().backward()
    gradient = vtn.temporal_encoder.embeddings.positions.weight.grad
    return gradient.any(1).nonzero()[:, 0].tolist()


@pytest.mark.parametrize('stride', [2, 4, 8])
def test_positions_are_the_order_of_the_frames_or_their_distance(stride):
    """So a model that is fine-tuned at another stride takes the rows that it was trained with."""
    cls = 286
    assert rows_used(tiny_vtn(frame_interval=stride)) == [*range(8), cls]
    by_distance = tiny_vtn(frame_interval=stride, position_ids='frame_index')
    assert rows_used(by_distance) == [*range(0, 8 * stride, stride), cls]


def test_the_same_frames_at_another_stride_differ_by_distance_only():
    clips = torch.randn(2, 3, 8, 32, 32)

    def outputs(**settings):
        return [
            randomise(tiny_vtn(frame_interval=stride, **settings)).eval()(clips)
            for stride in (4, 8)
        ]

    assert torch.equal(*outputs())
    assert not torch.allclose(*outputs(position_ids='frame_index'), atol=1e-3)


def test_positions_are_relative_to_the_clip_and_wrap_at_286():
    vtn = randomise(tiny_vtn(frame_interval=4, position_ids='frame_index')).eval()
    encoder, given = vtn.temporal_encoder, []
    encoder.register_forward_pre_hook(lambda _, args: given.append(args))
    vtn(torch.randn(2, 3, 8, 32, 32))
    tokens, frame_inds = given[0]
    assert torch.equal(frame_inds, torch.arange(0, 32, 4).expand(2, -1))
    assert torch.equal(encoder(tokens, frame_inds), encoder(tokens, frame_inds + 286))
    assert not torch.allclose(encoder(tokens, frame_inds), encoder(tokens, frame_inds + 8))


def test_the_token_of_a_clip_is_drawn_as_the_temporal_encoder():
    """N(0, 0.02) (MBD, section 3.2); 768 draws, five standard errors."""
    vtn = tiny_vtn(embed_dims=768, num_heads=12, num_layers=1)
    vtn.init_weights()
    drawn = vtn.cls_token.detach().flatten()
    assert drawn.mean().abs() < 5 * 0.02 / 768**0.5
    assert (drawn.std() - 0.02).abs() < 5 * 0.02 / (2 * 768) ** 0.5


@pytest.mark.parametrize(
    ('spatial_backbone', 'width'),
    [
        (dict(type='mmpretrain.ResNet', depth=50), 2048),
        (dict(type='mmaction.ResNet', depth=18, norm_eval=False), 512),
        (dict(TINY_VIT, out_type='avg_featmap'), 24),
    ],
    ids=['mmpretrain ResNet-50', 'mmaction ResNet-18', 'patch mean of a ViT'],
)
def test_other_spatial_backbones(spatial_backbone, width):
    vtn = tiny_vtn(spatial_backbone=spatial_backbone, embed_dims=48, num_heads=12)
    assert vtn.frame_projection.weight.shape == (48, width)
    assert vtn(torch.randn(2, 3, 4, 64, 64)).shape == (2, 48)


def test_building_leaves_batch_statistics_alone():
    vtn = tiny_vtn(spatial_backbone=dict(type='mmpretrain.ResNet', depth=18))
    assert vtn.spatial_backbone.bn1.num_batches_tracked == 0
    assert vtn.spatial_backbone.training


def test_errors_name_the_rule():
    with pytest.raises(ValueError, match='num_heads must divide embed_dims, got 5 and 24'):
        tiny_vtn(num_heads=5)
    with pytest.raises(ValueError, match=r"a vector .* got \(1, 17, 24\); .* out_type='cls_token'"):
        tiny_vtn(spatial_backbone=dict(TINY_VIT, out_type='raw'))


def test_every_trainable_parameter_gets_a_gradient():
    """DDP with find_unused_parameters=False waits for each of them."""
    vtn = tiny_vtn()
    vtn(torch.randn(1, 3, 4, 32, 32))[:, 0].sum().backward()
    assert not [n for n, p in vtn.named_parameters() if p.requires_grad and p.grad is None]


def test_pretrained_spatial_backbone(tmp_path):
    stock = VisionTransformer(TINY_ARCH, img_size=32)
    randomise(stock)
    torch.save(dict(state_dict=stock.state_dict()), tmp_path / 'vit.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'vit.pth'))
    vtn = tiny_vtn(spatial_backbone=dict(TINY_VIT, init_cfg=init_cfg))
    vtn.init_weights()
    for name, value in stock.state_dict().items():
        assert torch.equal(vtn.spatial_backbone.state_dict()[name], value), name
    assert vtn.temporal_encoder.layers[0].ffn[0].weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_stock_recognizer_trains_and_predicts():
    recognizer = dict(
        type='Recognizer3D',
        backbone=dict(
            type='mmaction_kd.VTN', spatial_backbone=TINY_VIT, embed_dims=24, num_heads=2
        ),
        cls_head=dict(
            type='mmaction_kd.VTNHead', num_classes=6, in_channels=24, average_clips='prob'
        ),
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = HOST_MODELS.build(recognizer)
    clips = torch.randn(2, 3, 3, 8, 32, 32)  # (N, V, C, T, H, W)
    samples = [ActionDataSample().set_gt_label(label) for label in (1, 4)]
    losses = model(clips[:, :1], samples, mode='loss')
    losses['loss_cls'].backward()
    assert losses['loss_cls'].isfinite()
    model.eval()
    predictions = model(clips, samples, mode='predict')
    assert [len(sample.pred_score) for sample in predictions] == [6, 6]
    assert predictions[0].pred_score.sum().item() == pytest.approx(1)
