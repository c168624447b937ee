"""Truth: the test of the model itself, and the host's own test pipelines."""

import argparse
import importlib.util
import json
import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import onnx_latency
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from random_recognizers import (
    FROZEN_MBD,
    MBD,
    ROOT,
    STUDENT,
    TSN,
    own_scope,  # noqa: F401
    random_recognizer,
    unchanged,
)

from mmaction_kd.deployment import compare_onnx, deployed, deployed_steps, quantize, write_onnx
from mmaction_kd.deployment.onnx_file import clips_of, first_layers, open_session


def few_clips(cfg):
    for steps in cfg.test_pipeline[0].get('pathways', {}).values():
        steps[0]['num_clips'] = 2


def gated(cfg):
    few_clips(cfg)
    cfg.model.fusion_head.gate = 1.0  # see recognizer


def trained_fusion(cfg):
    few_clips(cfg)
    cfg.model.fusion_head = dict(type='mmaction_kd.FeatureFusionHead')


def one_at_a_time(cfg):
    cfg.model.test_cfg = dict(max_testing_views=1)


MODELS = {
    'student': (STUDENT, one_at_a_time, None),
    'local': (MBD, few_clips, 'local'),
    'global': (MBD, gated, 'global'),
    'fused': (MBD, few_clips, None),
    'gated': (MBD, gated, None),
    'fused features': (MBD, trained_fusion, None),
    'frozen': (FROZEN_MBD, unchanged, None),
    'frozen global': (FROZEN_MBD, unchanged, 'global'),
    'TSN': (TSN, unchanged, None),
}
each_model = pytest.mark.parametrize('name', MODELS)


def recognizer(name):
    config, change, pathway = MODELS[name]
    model = random_recognizer(config, change)
    if change is gated:  # one of the three videos passes
        *_, second, _ = sorted(local_dominances(model))
        model.fusion_head.gate = second + 1e-9
    return model, pathway


def local_dominances(model):
    """Of the packed videos."""
    with torch.no_grad():
        samples = [model.test_step(pseudo_collate([data]))[0] for data in packed_videos(model)]
    return [float(sample.local_dominance) for sample in samples]


def made_up_video(frames=140, size=(48, 64), seed=0):
    """A video in memory, as the host's steps know it."""
    rng = np.random.default_rng(seed)
    shade = rng.integers(0, 256, (1, 1, 1, 3))
    array = (rng.integers(0, 256, (frames, *size, 3)) + 3 * shade) // 4
    return dict(
        array=array.astype(np.uint8),
        total_frames=frames,
        start_index=0,
        modality='RGB',
        label=seed % 4,
    )


def in_memory(pipeline):
    """The host's test pipeline, for a video in memory."""
    return Compose(
        [
            dict(type='ArrayDecode') if step['type'] in ('DecordDecode', 'RawFrameDecode') else step
            for step in pipeline
            if step['type'] != 'DecordInit'
        ]
    )


def packed_videos(model, count=3):
    steps = in_memory(model.cfg.test_pipeline)
    return [steps(made_up_video(seed=seed)) for seed in range(count)]


def graph_inputs(model, pathway):
    """The keys of the packed inputs that the graph takes."""
    return [f'{pathway}_pathway'] if pathway else list(deployed_steps(model.cfg.test_pipeline))


@each_model
def test_what_is_exported_gives_the_scores_of_the_test(name):
    model, pathway = recognizer(name)
    exported = deployed(model, pathway)
    outputs = getattr(exported, 'OUTPUTS', ('scores',))
    score = f'{pathway}_score' if pathway else 'pred_score'
    compared = []
    if pathway:
        model.fusion_head.gate = None
    for data in packed_videos(model):
        keys = graph_inputs(model, pathway)
        with torch.no_grad():
            [sample] = model.test_step(pseudo_collate([data]))
            found = exported(*map(torch.from_numpy, clips_of(data, keys).values()))
        found = found if isinstance(found, tuple) else (found,)
        for output, values in zip(outputs, found, strict=True):
            key = score if output == 'scores' else output.replace('scores', 'score')
            if key in sample:  # of a pathway that the gate holds back there is none
                assert (values[0] - sample.get(key)).abs().max() <= 1e-6, output
                compared.append(output)
    times = {output: compared.count(output) for output in outputs}
    held_back = dict(global_scores=2, global_dominance=2) if name == 'gated' else {}
    assert times == {output: held_back.get(output, 3) for output in outputs}


def frozen_pipelines():
    return Config.fromfile(FROZEN_MBD).test_pipeline[0].pathways


PIPELINES = {
    'MBD': lambda: Config.fromfile(MBD).test_pipeline[0].pathways.global_pathway,
    'student': lambda: Config.fromfile(STUDENT).test_pipeline,
    'room8': lambda: Config.fromfile(ROOT / 'configs/dtkd/tiny_slowfast_room8.py').test_pipeline,
    'frozen local': lambda: frozen_pipelines().local_pathway,
    'frozen global': lambda: frozen_pipelines().global_pathway,
    'TSN': lambda: TSN['test_pipeline'],
    'large': lambda: [
        dict(type='SampleFrames', clip_len=4, frame_interval=3, num_clips=1, test_mode=True),
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(30, 40), lazy=False),
        dict(type='CenterCrop', crop_size=(20, 24)),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ],
}


@pytest.fixture(scope='module')
def predict_onnx():
    pytest.importorskip('onnxruntime')
    path = ROOT / 'tools/deployment/predict_onnx.py'
    spec = importlib.util.spec_from_file_location('predict_onnx', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('size', [(48, 64), (75, 41), (64, 64)])
@pytest.mark.parametrize('frames', [5, 47, 140])
@pytest.mark.parametrize('name', PIPELINES)
def test_predict_onnx_feeds_what_the_pipeline_packs(predict_onnx, name, frames, size):
    pipeline = PIPELINES[name]()
    pipeline = [
        dict(s, type='DecordDecode') if s['type'] == 'RawFrameDecode' else s for s in pipeline
    ]
    video = made_up_video(frames, size)
    expected = clips_of(in_memory(pipeline)(dict(video)), ['clips'])['clips']
    steps = json.loads(json.dumps(deployed_steps(pipeline)))['clips']
    inds = predict_onnx.sampled_frames(steps, frames)
    found = predict_onnx.clips_of(dict(enumerate(video['array'])), inds, steps)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ('step', 'size'),
    [
        (dict(type='CenterCrop', crop_size=32), (48, 31)),
        (dict(type='ThreeCrop', crop_size=32), (33, 48)),  # the host's asserts one equal side
    ],
)
def test_predict_onnx_refuses_frames_that_a_crop_does_not_fit(predict_onnx, step, size):
    with pytest.raises(ValueError, match=rf'{step["type"]} of 32 x 32 must fit the frames'):
        predict_onnx.crop_corners(step, *size)


def test_predict_onnx_refuses_a_file_of_another_tool(predict_onnx, tmp_path, monkeypatch):
    onnx = pytest.importorskip('onnx')
    value = onnx.helper.make_tensor_value_info
    ends = [value(name, onnx.TensorProto.FLOAT, [1]) for name in 'xy']
    node = onnx.helper.make_node('Relu', ['x'], ['y'])
    graph = onnx.helper.make_graph([node], 'of another tool', ends[:1], ends[1:])
    opset = [onnx.helper.make_opsetid('', 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), tmp_path / 'a.onnx')
    monkeypatch.setattr(sys, 'argv', ['predict_onnx', str(tmp_path / 'a.onnx'), str(tmp_path)])
    with pytest.raises(SystemExit, match=r'a.onnx must be a file of export.py, got one without'):
        predict_onnx.main()


@pytest.mark.parametrize(
    ('change', 'told'),
    [
        (dict(type='SampleFrames', clip_len=1, num_clips=5), r'knows, .*clip_len'),
        (dict(type='TenCrop', crop_size=32), r'steps that predict_onnx.py knows, .*TenCrop'),
        (dict(type='Resize', scale=(-1, 32), interpolation='bicubic'), 'knows, .*bicubic'),
        (dict(type='CenterCrop', crop_size=32, lazy=True), 'knows, .*lazy'),
        (dict(type='Resize', scale=(-1, 32)), r'end with a crop or .*, so that the size is fixed'),
    ],
)
def test_a_pipeline_that_predict_onnx_does_not_know_is_refused(change, told):
    pipeline = [dict(step) for step in TSN['test_pipeline']]
    pipeline[1 if change['type'] == 'SampleFrames' else 4] = change
    with pytest.raises(ValueError, match=told):
        deployed_steps(pipeline)


def test_a_pathway_that_samples_inside_another_is_refused():
    pipeline = [dict(Config.fromfile(MBD).test_pipeline[0], inside=dict(local_pathway='global'))]
    with pytest.raises(ValueError, match='PathwayPipelines must have no `inside`'):
        deployed_steps(pipeline)


@pytest.mark.parametrize('place', [0, 1])
def test_pathways_beside_a_step_of_both_are_refused(place):
    """Dropped, the step would be missing in predict_onnx.py."""
    pipeline = [*Config.fromfile(MBD).test_pipeline]
    pipeline.insert(place, dict(type='ColorJitter'))
    with pytest.raises(ValueError, match=r'must be of steps that predict_onnx.py knows'):
        deployed_steps(pipeline)


def test_a_pathway_is_asked_of_mbd_only():
    model, _ = recognizer('student')
    with pytest.raises(ValueError, match='must be an MBDRecognizer, got Recognizer3D'):
        deployed(model, 'local')


def of_another_kind(part):
    part.data_preprocessor.__class__ = type('Augmenting', (ActionDataPreprocessor,), {})


def of_another_layout(part):
    part.data_preprocessor.format_shape = 'NPTCHW'


def views_apart(part):
    part.cls_head.average_clips = None


@pytest.mark.parametrize(
    ('name', 'change', 'told'),
    [
        (
            'student',
            of_another_kind,
            'must be an ActionDataPreprocessor .*, got Augmenting',
        ),
        ('student', of_another_layout, "must be an .*, got ActionDataPreprocessor with 'NPTCHW'"),
        ('student', views_apart, 'cls_head.average_clips must be .*, got None'),
        ('fused', of_another_layout, "must be an .*, got ActionDataPreprocessor with 'NPTCHW'"),
    ],
)
def test_a_model_that_would_be_exported_as_another_is_refused(name, change, told):
    model, _ = recognizer(name)
    change(model.global_pathway if name == 'fused' else model)
    with pytest.raises(ValueError, match=f'export: .*{told}'):
        deployed(model)


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Writes the ONNX file of a model once."""
    for package in ('onnx', 'onnxruntime', 'onnxscript'):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp('onnx')

    def written(name):
        model, pathway = recognizer(name)
        videos = packed_videos(model)
        steps = deployed_steps(model.cfg.test_pipeline)
        keys = graph_inputs(model, pathway)
        if pathway:
            steps = dict(clips=steps[keys[0]])
        clips = dict(zip(steps, clips_of(videos[0], keys).values(), strict=True))
        path = folder / f'{name}.onnx'
        if not path.exists():
            write_onnx(deployed(model, pathway), clips, path, steps, ['a', 'b', 'c', 'd'])
        return path, model, pathway, videos

    return written


@pytest.mark.slow
@each_model
def test_onnx_runtime_gives_the_scores_of_pytorch(name, files):
    path, model, pathway, videos = files(name)
    found = compare_onnx(path, model, videos, pathway)
    assert found.videos == found.same_top1 == len(videos)
    assert 0 < found.difference <= 1e-4
    # Other numbers of videos, and of views where they are free.
    session = open_session(path)
    rng = np.random.default_rng(0)
    feed = {}
    for graph_input in session.get_inputs():
        shape = [size if isinstance(size, int) else 3 for size in graph_input.shape]
        feed[graph_input.name] = rng.integers(0, 256, shape, np.uint8)
    assert all(x.shape[0] == 3 and (x.ndim == 5 or x.shape[1] == 3) for x in feed.values())
    with torch.no_grad():
        expected = deployed(model, pathway)(*map(torch.from_numpy, feed.values()))
    expected = expected if isinstance(expected, tuple) else (expected,)
    for values, truth in zip(session.run(None, feed), expected, strict=True):
        assert np.abs(values - truth.numpy()).max() <= 1e-4


@pytest.mark.slow
def test_int8_is_smaller_and_keeps_what_the_file_tells(files, tmp_path):
    path, model, pathway, videos = files('student')
    out = tmp_path / 'student.int8.onnx'
    quantize(path, out, videos, pathway)
    assert out.stat().st_size < 0.5 * path.stat().st_size
    assert list(tmp_path.iterdir()) == [out]
    told = [open_session(p).get_modelmeta().custom_metadata_map for p in (path, out)]
    assert told[0]['mmaction_kd'] == told[1]['mmaction_kd']
    found = compare_onnx(out, model, videos)
    assert 1e-4 < found.difference < 0.2  # quantised, and near


def test_the_first_layers_of_each_input_stay_in_float():
    """Of 4, 396 and 400 weights a branch: 1 in 200."""
    onnx = pytest.importorskip('onnx')
    sizes = dict(one=4, two=396, three=400)
    nodes, weights = [], []
    for branch in 'ab':
        for before, (name, size) in zip(('', 'one', 'two'), sizes.items(), strict=True):
            inputs, name = [branch + before, f'w_{branch}{name}'], branch + name
            nodes.append(onnx.helper.make_node('MatMul', inputs, [name], name))
            weights.append(onnx.numpy_helper.from_array(np.zeros((2, size // 2)), inputs[1]))
    graph = onnx.helper.make_graph(nodes, 'two branches', [], [], weights)
    assert first_layers(graph) == ['aone', 'bone']


@pytest.mark.slow
def test_the_benchmark_sets_a_file_beside_the_model(files):
    path, *_ = files('student')
    parser = argparse.ArgumentParser()
    onnx_latency.add_arguments(parser)
    args = parser.parse_args([str(path), '--config', STUDENT, '--views', '2'])
    args.pairs = 2
    results = onnx_latency.run(args)
    size = results['student.onnx, size']
    assert results['student.onnx, 2 views']['pairs'] == 2
    assert size['ours_mb'] == path.stat().st_size / 1e6
    assert 0.9 < size['theirs_mb'] / size['ours_mb'] < 1.1  # the graph itself is small


@pytest.mark.slow
def test_predict_onnx_runs_without_pytorch(files, tmp_path, tiny_video):
    """An environment of its own that holds numpy, OpenCV and ONNX Runtime alone."""
    path, model, *_ = files('fused')
    venv.create(tmp_path / 'env', with_pip=False, symlinks=True)
    python = tmp_path / 'env/bin/python'
    (packages,) = (tmp_path / 'env').glob('lib/*/site-packages')
    for name in ('numpy', 'opencv-python', 'onnxruntime'):
        for file in distribution(name).files:
            top = Path(distribution(name).locate_file(file.parts[0]))
            if file.parts[0] != '..' and not (packages / top.name).exists():
                (packages / top.name).symlink_to(top)
    missing = [python, '-c', 'import numpy, cv2, onnxruntime; import torch']
    done = subprocess.run(missing, capture_output=True, text=True, env={})
    assert "No module named 'torch'" in done.stderr
    command = [python, ROOT / 'tools/deployment/predict_onnx.py', path, tiny_video]
    done = subprocess.run(command, capture_output=True, text=True, env={})
    assert done.returncode == 0, done.stderr
    data = dict(filename=str(tiny_video), label=-1, start_index=0, modality='RGB')
    with torch.no_grad():
        [sample] = model.test_step(pseudo_collate([Compose(model.cfg.test_pipeline)(data)]))

    def words(score, count):
        best = sorted(zip(score.tolist(), 'abcd', strict=True), reverse=True)[:count]
        return ', '.join(f'{name} {value:.2f}' for value, name in best)

    assert done.stdout.splitlines() == [
        str(tiny_video),
        f'  {words(sample.pred_score, 4)}',
        *(
            f'    {n:6} (weight {sample.get(f"{n}_weight"):.2f}): '
            f'{words(sample.get(f"{n}_score"), 2)}'
            for n in ('local', 'global')
        ),
    ]


def test_an_extra_that_is_missing_is_named(monkeypatch):
    from mmaction_kd.deployment import onnx_file

    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ImportError, match=r'extra `deploy` must be installed, got .*onnxruntime'):
        onnx_file.check_installed()
