"""The tool on files, for a config whose test loads stored features."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from tool_runs import ROOT, run_tool

from mmaction_kd.registry import MODELS

CONFIG = 'configs/dtkd/tiny_efficientnet_tcn.py'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """Random weights, other than those of the config's encoder."""
    path = tmp_path_factory.mktemp('student') / 'student.pth'
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(Config.fromfile(ROOT / CONFIG).model)
    model.cls_head.fc_cls.weight.data.normal_()
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


@pytest.mark.slow
def test_the_file_takes_frames_and_is_calibrated_on_the_list(checkpoint, demo_set, tmp_path):
    """Of black frames: behind the layers that stay in float, their range with 0 is in the file."""
    onnx = pytest.importorskip('onnx')
    videos, black = demo_set / 'videos', tmp_path / 'black.mp4'
    writer = cv2.VideoWriter(str(black), cv2.VideoWriter.fourcc(*'mp4v'), 25, (64, 48))
    for _ in range(60):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    (tmp_path / 'calibration.txt').write_text(f'{black} 0\n')
    dataset = 'test_dataloader.dataset'
    wrapped = [
        f'{dataset}.ann_file={demo_set / "test.txt"}',
        f'{dataset}.data_prefix.video={videos}',
    ]
    output = run_tool(
        *('tools/deployment/export.py', CONFIG, checkpoint, '--out', tmp_path / 'a.onnx'),
        *('--check', -1, '--int8', tmp_path / 'calibration.txt', '--cfg-options', *wrapped),
    )
    assert 'a.onnx: ' in output and 'a.int8.onnx: ' in output
    assert 'of 4 test videos 4 have the same top-1 as in PyTorch' in output
    graph = onnx.load(tmp_path / 'a.int8.onnx').graph
    made_by = {name: node for node in graph.node for name in node.output}
    inputs = [[made_by.get(name) for name in n.input] for n in graph.node if n.op_type == 'Conv']
    kinds = [before[0].op_type for before in inputs]
    floats = kinds.index('DequantizeLinear')
    assert 0 < floats < 12 and set(kinds[floats:]) == {'DequantizeLinear'}
    # A range before a ReLU6 would leave few of 256 steps to [0, 6].
    clips = [made_by[node.input[0]].op_type for node in graph.node if node.op_type == 'Clip']
    assert clips and set(clips) == {'Conv'}
    frames, weight, *_ = inputs[floats]
    layer = weight.input[0].split('timm_model.')[1].split('.weight')[0]
    values = {x.name: onnx.numpy_helper.to_array(x) for x in graph.initializer}
    assert 255 * values[frames.input[1]] == pytest.approx(range_of_black(checkpoint, layer), 1e-3)


def range_of_black(checkpoint, layer):
    """The range of what comes to a layer, with 0."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(Config.fromfile(ROOT / CONFIG).model).eval()
    model.load_state_dict(torch.load(checkpoint)['state_dict'])
    encoder, seen = model.backbone.spatial_backbone, []
    layer = encoder.backbone.timm_model.get_submodule(layer)
    layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    encoder(torch.zeros(1, 3, 128, 128))
    return float(seen[0].max().clamp(min=0) - seen[0].min().clamp(max=0))


def test_settings_reach_a_data_set_inside_its_wrappers():
    import runpy

    changed = runpy.run_path(str(ROOT / 'tools/deployment/export.py'))['changed']
    config = dict(type='SkipBadVideos', dataset=dict(type='VideoDataset', ann_file='a.txt'))
    found = changed(config, dict(ann_file='b.txt', pipeline=[]))
    inner = dict(type='VideoDataset', ann_file='b.txt', pipeline=[])
    assert found == dict(type='SkipBadVideos', dataset=inner)
    assert config['dataset'] == dict(type='VideoDataset', ann_file='a.txt')
