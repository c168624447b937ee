"""A recognizer of the zoo that a checkpoint is named for fetches nothing else."""

import pytest
import torch

from mmaction_kd.models.recognizers.recognizer_config import build_recognizer, load_recognizer

ZOO = {
    'swin/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb.py': dict(
        arch=dict(_delete_=True, embed_dims=12, depths=(1,) * 4, num_heads=(1,) * 4)
    ),
    'timesformer/timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb.py': dict(
        img_size=32, embed_dims=24, num_heads=2, num_transformer_layers=1
    ),
}


@pytest.mark.parametrize('name', ZOO, ids=lambda name: name.split('/')[0])
def test_a_transformer_of_the_zoo_starts_from_its_checkpoint(name, tmp_path):
    """Both configs name ImageNet weights by address; Swin would look for them at None, too."""
    path = tmp_path / 'whole.pth'
    cfg = dict(
        config=f'mmaction::recognition/{name}',
        backbone=ZOO[name],
        cls_head=dict(in_channels=96 if 'swin' in name else 24, num_classes=3),
        checkpoint=str(path),
    )
    trained, _ = build_recognizer(cfg)
    torch.save(trained.state_dict(), path)
    student, checkpoint = build_recognizer(cfg)
    student.init_weights()
    load_recognizer(student, checkpoint)
    for key, value in student.state_dict().items():
        assert value.equal(trained.state_dict()[key]), key
