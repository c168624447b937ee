"""A recognizer of the zoo that a checkpoint is named for fetches nothing else."""

import socket

import pytest
import torch

from mmaction_kd.models.submodels.recognizer_config import (
    build_recognizer,
    load_recognizer,
    split_recognizer_config,
)

TINY_CLIP = dict(
    width=16,
    heads=2,
    layers=2,
    return_list=[0, 1],
    n_layers=2,
    n_dim=16,
    n_head=2,
    mlp_dropout=[0.5, 0.5],
    input_resolution=32,
)
TINY_MVIT = dict(_delete_=True, embed_dims=12, num_layers=2, num_heads=1, downscale_indices=[1])
# What each config would fetch stands in other settings: the addresses of ImageNet's weights
# (TimeSformer), where they are None (Swin, TSM by its default), CLIP's, and an own initialiser's.
ZOO = {
    'swin/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb.py': (
        dict(arch=dict(_delete_=True, embed_dims=12, depths=(1,) * 4, num_heads=(1,) * 4)),
        96,
    ),
    'timesformer/timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb.py': (
        dict(img_size=32, embed_dims=24, num_heads=2, num_transformer_layers=1),
        24,
    ),
    'tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb.py': (dict(depth=18), 512),
    'tsm/tsm_imagenet-pretrained-mobileone-s4_8xb16-1x1x16-50e_kinetics400-rgb.py': (
        dict(arch='s0'),
        1024,
    ),
    'uniformerv2/uniformerv2-base-p16-res224_clip_8xb32-u8_kinetics400-rgb.py': (TINY_CLIP, 16),
    'mvit/mvit-small-p244_k400-maskfeat-pre_8xb32-16x4x1-100e_kinetics400-rgb.py': (
        dict(arch=TINY_MVIT),
        24,
    ),
}


@pytest.mark.parametrize('name', ZOO, ids=lambda name: name.split('/')[1][:15])
def test_a_model_of_the_zoo_starts_from_its_checkpoint(name, tmp_path, monkeypatch):
    """And nothing else is fetched, whatever the zoo's config names."""
    monkeypatch.setattr(socket, 'getaddrinfo', lambda *_, **__: pytest.fail('asked the network'))
    path = tmp_path / 'whole.pth'
    backbone, width = ZOO[name]
    cfg = dict(
        config=f'mmaction::recognition/{name}',
        backbone=backbone,
        cls_head=dict(in_channels=width, num_classes=3),
        checkpoint=str(path),
    )
    trained, _ = build_recognizer(cfg)
    torch.save(trained.state_dict(), path)
    student, checkpoint = build_recognizer(cfg)
    student.init_weights()
    load_recognizer(student, checkpoint)
    for key, value in student.state_dict().items():
        assert value.equal(trained.state_dict()[key]), key


def test_only_weights_are_dropped_and_only_for_a_checkpoint():
    """Wherever they stand: VTN names ImageNet's in its spatial backbone."""
    pretrained = dict(type='Pretrained', checkpoint='torchvision://resnet50')
    kaiming = dict(type='Kaiming', layer='Conv2d')
    resnet = dict(type='mmpretrain.ResNet', depth=50, init_cfg=pretrained)
    backbone = dict(type='mmaction_kd.VTN', spatial_backbone=resnet, init_cfg=kaiming)
    own = dict(type='torchvision.resnet18', pretrained=True, weights='IMAGENET1K_V1')
    for given in (backbone, dict(backbone, spatial_backbone=dict(resnet, init_cfg=[pretrained]))):
        kept, _ = split_recognizer_config(dict(type='Recognizer3D', backbone=given))
        assert kept.backbone == given
        cfg, path = split_recognizer_config(
            dict(type='Recognizer3D', backbone=given, checkpoint='a.pth')
        )
        assert path == 'a.pth'
        assert cfg.backbone.spatial_backbone == dict(resnet, init_cfg=None)
        assert cfg.backbone.init_cfg == kaiming
    cfg, _ = split_recognizer_config(dict(type='Recognizer2D', backbone=own, checkpoint='a.pth'))
    assert cfg.backbone == dict(own, pretrained=None, weights=None)
