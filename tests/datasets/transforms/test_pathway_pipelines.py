import importlib.util
import pickle
import random
from types import SimpleNamespace

import cv2
import decord
import mmaction.datasets.transforms as stock_transforms
import numpy as np
import pytest
import torch
from mmaction.apis.inferencers import ActionRecogInferencer
from mmaction.datasets import RawframeDataset
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import TRANSFORMS, init_default_scope

from mmaction_kd.datasets import PathwayPipelines
from mmaction_kd.datasets.transforms import SequentialOpenCVDecode, SequentialPyAVDecode
from mmaction_kd.datasets.video_names import video_path

READERS = dict(
    decord=('DecordInit', 'DecordDecode'),
    pyav=('PyAVInit', 'PyAVDecode'),
    opencv=('OpenCVInit', 'OpenCVDecode'),
)
WITHOUT_AV = pytest.mark.skipif(importlib.util.find_spec('av') is None, reason='needs PyAV')
BACKENDS = ['decord', pytest.param('pyav', marks=WITHOUT_AV), 'opencv']
META_KEYS = ('img_shape', 'original_shape', 'frame_inds', 'clip_len', 'num_clips', 'total_frames')


@pytest.fixture(autouse=True)
def mmaction_scope():
    init_default_scope('mmaction')


@TRANSFORMS.register_module()
class SeedForTest(BaseTransform):
    """Seed what stock transforms draw from, so that pipelines run in any order draw the same."""

    def transform(self, results):
        random.seed(0)
        np.random.seed(0)
        return results


@TRANSFORMS.register_module()
class SampleForTest(BaseTransform):
    def __init__(self, first, last):
        self.frame_inds = np.arange(first, last + 1)

    def transform(self, results):
        clip = dict(frame_inds=self.frame_inds, clip_len=len(self.frame_inds), num_clips=1)
        return {**results, **clip}


@TRANSFORMS.register_module()
class GiveUpForTest(BaseTransform):
    def transform(self, results):
        return None


def pathway(*spatial, backend='decord', stride=1, **sampling):
    """A stock pipeline of one pathway, 16 frames a clip."""
    init, decode = READERS[backend]
    sampler = dict(type='SampleFrames', clip_len=16, frame_interval=stride, **sampling)
    return [
        dict(type='SeedForTest'),
        dict(type=init),
        sampler,
        dict(type=decode),
        dict(type='SeedForTest'),
        *spatial,
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs', meta_keys=META_KEYS),
    ]


def unseeded(steps):
    return [step for step in steps if step['type'] != 'SeedForTest']


def train_pathways(backend='decord'):
    def spatial(side, crop):
        return (
            dict(type='Resize', scale=(-1, side)),
            dict(type='RandomResizedCrop'),
            dict(type='Resize', scale=(crop, crop), keep_ratio=False),
            dict(type='Flip', flip_ratio=0.5),
        )

    return dict(
        local_pathway=pathway(*spatial(32, 28), backend=backend),
        global_pathway=pathway(*spatial(40, 36), backend=backend, stride=8),
    )


def ten_clips_three_crops(backend='decord'):
    def spatial(side):
        return dict(type='Resize', scale=(-1, side)), dict(type='ThreeCrop', crop_size=side)

    views = dict(backend=backend, num_clips=10, test_mode=True)
    return dict(
        local_pathway=pathway(*spatial(32), **views),
        global_pathway=pathway(*spatial(40), **views, stride=8),
    )


def flip_and_leave():
    """Two pathways over the same frames, the first flips them in place."""
    return dict(flipped=pathway(dict(type='Flip', flip_ratio=1.0), num_clips=2), left=pathway())


def assert_equal_to_stock(pathways, video, backend='decord', stock_video=None):
    ours = PathwayPipelines(pathways, backend)(video)
    assert ours['inputs'].keys() == pathways.keys()
    for name, steps in pathways.items():
        # stock pipelines need what a stock VideoDataset adds to the filename
        stock = Compose(steps)({'start_index': 0, 'modality': 'RGB', **(stock_video or video)})
        assert torch.equal(ours['inputs'][name], stock['inputs'])
        got, expected = ours['data_samples'].pathways[name], stock['data_samples'].metainfo
        assert got.keys() == expected.keys()
        for key in expected:
            np.testing.assert_array_equal(got[key], expected[key])


# ---------------------------------------------------------------- equal to stock pipelines


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('pathways', [train_pathways, ten_clips_three_crops])
@pytest.mark.parametrize('length', ['long', 'short'])
def test_equals_stock_pipelines(tiny_videos, length, pathways, backend):
    video = dict(filename=str(tiny_videos[length]), label=3)
    assert_equal_to_stock(pathways(backend), video, backend)


@pytest.mark.parametrize('backend', BACKENDS)
def test_equals_stock_pipelines_on_real_clips(real_data, backend):
    clips = sorted(real_data.glob('room8/videos/*/*.mp4'))[::150]
    for clip in [real_data / 'demo.mp4', *clips]:
        assert_equal_to_stock(train_pathways(backend), dict(filename=str(clip)), backend)


@pytest.mark.parametrize('length', ['long', 'short'])
def test_a_flip_in_place_changes_no_other_use_of_the_frame(tiny_videos, length):
    # In the short video every index is also used twice or more by one pathway.
    assert_equal_to_stock(flip_and_leave(), dict(filename=str(tiny_videos[length])))


def test_any_number_of_pathways(tiny_video):
    names = ['student', 'static_teacher', 'dynamic_teacher']
    pathways = {name: pathway(stride=k + 1) for k, name in enumerate(names)}
    assert_equal_to_stock(pathways, dict(filename=str(tiny_video)))
    assert_equal_to_stock(dict(only=pathway()), dict(filename=str(tiny_video)))


def test_array(tiny_video):
    array = decord.VideoReader(str(tiny_video)).get_batch(range(60)).asnumpy()
    before = array.copy()
    ours = PathwayPipelines(flip_and_leave())(
        dict(array=array, total_frames=60, start_index=0, modality='RGB')
    )
    assert video_path(ours['data_samples']) is None
    np.testing.assert_array_equal(array, before)
    # Not the stock ArrayDecode: it hands out views, so its Flip would turn the array itself.
    expected = PathwayPipelines(flip_and_leave())(dict(filename=str(tiny_video)))
    for name, inputs in expected['inputs'].items():
        assert torch.equal(ours['inputs'][name], inputs)


def test_rawframe_dataset(tmp_path):
    for index in range(1, 26):
        image = np.random.default_rng(index).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f'img_{index:05}.jpg'), image)
    (tmp_path / 'ann.txt').write_text('. 3 20 1\n')  # folder, offset, frames, label
    settings = dict(ann_file=str(tmp_path / 'ann.txt'), data_prefix=dict(img=str(tmp_path)))

    def dataset(pipeline):
        return RawframeDataset(pipeline=pipeline, with_offset=True, **settings)

    def rawframes(steps):
        kept = [step for step in steps if step['type'] != 'DecordInit']
        return [
            dict(type='RawFrameDecode') if step['type'] == 'DecordDecode' else step for step in kept
        ]

    pathways = {name: rawframes(steps) for name, steps in flip_and_leave().items()}
    ours = dataset([dict(type='mmaction_kd.PathwayPipelines', pathways=pathways)])[0]
    assert ours['data_samples'].gt_label == 1
    assert video_path(ours['data_samples']) == ours['data_samples'].frame_dir == f'{tmp_path}/.'
    for name, steps in pathways.items():
        assert torch.equal(ours['inputs'][name], dataset(steps)[0]['inputs'])


# ---------------------------------------------------------------- one open, one decode


@pytest.mark.parametrize('backend', BACKENDS)
def test_opens_and_decodes_once(tiny_video, monkeypatch, backend):
    init, decode = (getattr(stock_transforms, step) for step in READERS[backend])
    decode = dict(opencv=SequentialOpenCVDecode, pyav=SequentialPyAVDecode).get(backend, decode)
    asked = {init: [], decode: []}
    for step, calls in asked.items():

        def counted(self, results, transform=step.transform, calls=calls):
            calls.append(results.get('frame_inds'))
            return transform(self, results)

        monkeypatch.setattr(step, 'transform', counted)
    pipelines = PathwayPipelines(ten_clips_three_crops(backend), backend)
    sampled = pipelines(dict(filename=str(tiny_video)))['data_samples'].pathways.values()
    opened, decoded = asked.values()
    assert len(opened) == 1
    assert len(decoded) == 1
    union = sorted({int(index) for metainfo in sampled for index in metainfo['frame_inds']})
    assert decoded[0].tolist() == union


def test_uses_a_reader_that_is_already_open(tiny_video, monkeypatch):
    opened = []
    reader = decord.VideoReader
    monkeypatch.setattr(decord, 'VideoReader', lambda *a, **k: opened.append(1) or reader(*a, **k))
    pipelines = dict(type='mmaction_kd.PathwayPipelines', pathways=train_pathways())
    data = Compose([dict(type='DecordInit'), pipelines])(dict(filename=str(tiny_video)))
    assert set(data['inputs']) == {'local_pathway', 'global_pathway'}
    assert len(opened) == 1


def test_opens_anew_where_the_open_reader_is_of_another_backend(tiny_video):
    # decord's Init also leaves avg_fps, from which SampleFrames with target_fps would sample
    # other frames than it does after OpenCV's Init.
    video = Compose([dict(type='DecordInit')])(dict(filename=str(tiny_video)))
    pathways = dict(only=pathway(backend='opencv', target_fps=50, test_mode=True))
    assert_equal_to_stock(pathways, video, 'opencv', dict(filename=str(tiny_video)))


def test_releases_the_reader(tiny_video):
    keep = dict(type='PackActionInputs', meta_keys=('video_reader',))
    pathways = {name: [*steps[:-1], keep] for name, steps in train_pathways().items()}
    data_sample = PathwayPipelines(pathways)(dict(filename=str(tiny_video)))['data_samples']
    assert data_sample.pathways == {name: dict(video_reader=None) for name in pathways}


def test_keeps_the_arguments_of_the_pathways_own_init_and_decode(tiny_video, monkeypatch):
    threads = []
    reader = decord.VideoReader

    def recorded(file, num_threads):
        threads.append(num_threads)
        return reader(file, num_threads=num_threads)

    monkeypatch.setattr(decord, 'VideoReader', recorded)
    steps = pathway()
    steps[1] = dict(type='mmaction.DecordInit', num_threads=2)
    PathwayPipelines(dict(only=steps))(dict(filename=str(tiny_video)))
    assert threads == [2]


# ---------------------------------------------------------------- one pathway inside another


def inside(outer='global_pathway', **sampling):
    """The local pathway inside the global one, 16 frames 2 apart: 31 of the 60 of a long video."""
    pathways = dict(local_pathway=pathway(**sampling), global_pathway=pathway(stride=2))
    pathways = {name: unseeded(steps) for name, steps in pathways.items()}
    return PathwayPipelines(pathways, inside=dict(local_pathway=outer))


@pytest.mark.parametrize('length', [60, 10])
@pytest.mark.parametrize('stride', [1, 3])  # of 3 a clip is longer than the span: it is looped
def test_samples_inside_the_other_pathways_frames(length, stride):
    array = np.zeros((length, 8, 8, 3), np.uint8)
    video = dict(array=array, total_frames=length, start_index=0, modality='RGB')
    pipelines = inside(stride=stride)
    starts = set()
    for seed in range(150):
        np.random.seed(seed)
        sampled, _ = pipelines.decode(video)
        inner, outer = (sampled[name]['frame_inds'] for name in ('local_pathway', 'global_pathway'))
        assert outer.min() <= inner.min() and inner.max() <= outer.max()
        starts.add(inner[0] - outer[0])
    if length == 60 and stride == 1:
        assert starts == set(range(16))  # 16 consecutive ones of 31


def test_the_other_pathway_samples_first_whatever_its_name():
    video = dict(array=np.zeros((60, 8, 8, 3), np.uint8), total_frames=60, start_index=0)
    pipelines = PathwayPipelines(dict(a=pathway(), b=pathway(stride=2)), inside=dict(a='b'))
    sampled, _ = pipelines.decode(dict(**video, modality='RGB'))
    inner, outer = (sampled[name]['frame_inds'] for name in 'ab')
    assert outer.min() <= inner.min() and inner.max() <= outer.max()


def test_the_other_pathway_draws_as_if_it_were_alone(tiny_video):
    np.random.seed(3)
    sampled, _ = inside().decode(dict(filename=str(tiny_video)))
    np.random.seed(3)
    alone = Compose(unseeded(pathway(stride=2))[:2])(dict(filename=str(tiny_video), start_index=0))
    np.testing.assert_array_equal(sampled['global_pathway']['frame_inds'], alone['frame_inds'])


def test_a_pathway_inside_another_still_knows_the_whole_video(tiny_video):
    packed = inside()(dict(filename=str(tiny_video)))['data_samples'].pathways
    assert packed['local_pathway']['total_frames'] == 60
    sampled, _ = inside().decode(dict(filename=str(tiny_video)))
    assert sampled['local_pathway']['start_index'] == 0


@pytest.mark.parametrize('outer', ['local_pathway', 'other'])
def test_refuses_to_sample_inside_no_other_pathway(outer):
    with pytest.raises(ValueError, match='inside must map pathways to others that sample in the'):
        inside(outer)


# ---------------------------------------------------------------- inference


@pytest.mark.parametrize('input_format', ['video', 'rawframes', 'array'])
def test_inferencer_of_mmaction(tiny_video, tmp_path, input_format):
    frames = decord.VideoReader(str(tiny_video)).get_batch(range(60)).asnumpy()
    for index, frame in enumerate(frames, start=1):
        cv2.imwrite(str(tmp_path / f'img_{index:05}.png'), frame[..., ::-1])
    given = dict(video=str(tiny_video), rawframes=str(tmp_path), array=frames)[input_format]
    pack_cfg = dict(filename_tmpl='img_{:05}.png') if input_format == 'rawframes' else {}
    pipelines = dict(type='mmaction_kd.PathwayPipelines', pathways=ten_clips_three_crops())
    cfg = Config(
        dict(model=dict(type='X'), test_dataloader=dict(dataset=dict(pipeline=[pipelines])))
    )
    inferencer = SimpleNamespace(input_format=input_format, pack_cfg=pack_cfg)
    pipeline = ActionRecogInferencer._init_pipeline(inferencer, cfg)
    inputs = pipeline(given)['inputs']
    expected = PathwayPipelines(ten_clips_three_crops())(dict(filename=str(tiny_video)))['inputs']
    assert inputs['local_pathway'].shape == (30, 3, 16, 32, 32)
    for name in expected:
        assert torch.equal(inputs[name], expected[name])


def test_a_dumped_config_and_a_worker_process_repeat_the_run(tiny_video, tmp_path):
    pathways = {name: unseeded(steps) for name, steps in train_pathways().items()}
    path = tmp_path / 'config.py'
    Config(dict(pipeline=[dict(type='mmaction_kd.PathwayPipelines', pathways=pathways)])).dump(path)
    dumped = Config.fromfile(path).pipeline
    assert list(dumped[0].pathways) != list(pathways)  # MMEngine sorts the keys
    repeats = [Compose(dumped), pickle.loads(pickle.dumps(PathwayPipelines(pathways)))]
    inputs = []
    for pipeline in [PathwayPipelines(pathways), *repeats]:
        SeedForTest()({})
        inputs.append(pipeline(dict(filename=str(tiny_video)))['inputs'])
    for name in pathways:
        assert all(torch.equal(repeat[name], inputs[0][name]) for repeat in inputs[1:])


# ---------------------------------------------------------------- what is packed


def test_label_and_fields_and_metainfo_of_all_pathways(tiny_video):
    pathways = train_pathways()
    pathways['local_pathway'][-1] = dict(
        type='PackActionInputs', collect_keys=('imgs',), algorithm_keys=('frame_interval',)
    )
    data = PathwayPipelines(pathways)(dict(filename=str(tiny_video), label=7))
    sample = data['data_samples']
    assert sample.gt_label.tolist() == [7]
    assert video_path(sample) == sample.filename == str(tiny_video)
    assert sample.img_shape == (36, 36)
    assert sample.pathways['local_pathway'] == dict(img_shape=(28, 28))
    assert sample.frame_interval == 1
    assert data['inputs']['local_pathway']['imgs'].shape == (1, 3, 16, 28, 28)


def test_no_label_where_the_input_has_none(tiny_video):
    data = PathwayPipelines(train_pathways())(dict(filename=str(tiny_video)))
    assert 'gt_label' not in data['data_samples']


def test_samplers_draw_first_in_the_order_of_the_names(tiny_video):
    flip = dict(type='Flip', flip_ratio=0.5)
    pathways = {name: unseeded(pathway(flip)) for name in 'bac'}
    np.random.seed(5)
    sample = PathwayPipelines(pathways)(dict(filename=str(tiny_video)))['data_samples']
    np.random.seed(5)
    for name in 'abc':
        sampler = Compose([pathways[name][1]])
        drawn = sampler(dict(total_frames=60, start_index=0))['frame_inds']
        np.testing.assert_array_equal(sample.pathways[name]['frame_inds'], drawn)


def test_a_step_that_gives_up_gives_the_sample_up(tiny_video):
    pathways = dict(a=pathway(), b=pathway(dict(type='GiveUpForTest')))
    assert PathwayPipelines(pathways)(dict(filename=str(tiny_video))) is None


def test_the_input_is_left_as_it_was(tiny_video):
    video = dict(filename=str(tiny_video), label=7)
    PathwayPipelines(train_pathways())(video)
    assert video == dict(filename=str(tiny_video), label=7)


def test_a_step_can_not_change_what_another_pathway_sees(tiny_video):
    keypoint = np.arange(12.0).reshape(1, 2, 3, 2)
    flip = dict(type='Flip', flip_ratio=1.0)  # turns keypoints in place
    pack = dict(type='PackActionInputs', collect_keys=('keypoint',))
    pathways = dict(flipped=[*pathway(flip)[:-1], pack], left=[*pathway()[:-1], pack])
    inputs = PathwayPipelines(pathways)(dict(filename=str(tiny_video), keypoint=keypoint))['inputs']
    np.testing.assert_array_equal(inputs['left']['keypoint'], np.arange(12.0).reshape(1, 2, 3, 2))


def test_repr():
    pathways = dict(near=pathway(), far=pathway(dict(type='Flip')))
    text = repr(PathwayPipelines(pathways, backend='opencv', inside=dict(near='far')))
    assert text.endswith("inside={'near': 'far'}, decode_short_side=None)")
    assert text.startswith("PathwayPipelines(backend='opencv', pathways=dict(far=[")
    assert 'SampleFrames(clip_len=16' in text
    assert 'near=[' in text
    assert 'Flip(' in text


# ---------------------------------------------------------------- errors


def test_needs_a_pathway():
    with pytest.raises(ValueError, match='must hold at least one pipeline'):
        PathwayPipelines({})


@pytest.mark.parametrize('name', ['global', 'local pathway', ''])
def test_refuses_a_name_that_a_config_can_not_hold(name):
    with pytest.raises(ValueError, match=f"identifier and no keyword.*got '{name}'"):
        PathwayPipelines({name: pathway()})


@pytest.mark.parametrize('backend', ['cuda', 'rawframes'])
def test_refuses_an_unknown_backend(backend):
    choices = r"must be one of \['decord', 'pyav', 'opencv', 'auto'\], got"
    with pytest.raises(ValueError, match=f"{choices} '{backend}'"):
        PathwayPipelines(train_pathways(), backend)


def test_names_a_missing_package(monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r"'pyav' needs the package 'av'.*pip install av"):
        PathwayPipelines(train_pathways('pyav'), backend='pyav')


@pytest.mark.parametrize('count', [0, 2])
def test_needs_exactly_one_decode_step(count):
    steps = pathway()
    steps[3:4] = [dict(type='DecordDecode')] * count
    with pytest.raises(ValueError, match=f'b must have exactly one Decode step, got {count} in'):
        PathwayPipelines(dict(a=pathway(), b=steps))


def test_needs_a_sampler():
    steps = [dict(type='DecordInit'), *pathway()[3:]]
    with pytest.raises(ValueError, match='a must sample frames before DecordDecode'):
        PathwayPipelines(dict(a=steps))


def test_needs_packed_inputs():
    with pytest.raises(ValueError, match=r'a must end by packing its inputs.*PackActionInputs'):
        PathwayPipelines(dict(a=pathway()[:-1]))


def test_refuses_readers_that_differ():
    other = pathway()
    other[1] = dict(type='DecordInit', num_threads=2)
    with pytest.raises(ValueError, match='DecordInit must have the same arguments'):
        PathwayPipelines(dict(a=pathway(), b=other))


def test_needs_something_to_read():
    with pytest.raises(ValueError, match=r"must hold 'filename'.*got the keys \['audio_path'\]"):
        PathwayPipelines(train_pathways())(dict(audio_path='x.npy'))


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('content', [None, b'', b'no video'])
def test_names_a_missing_empty_or_broken_file(tmp_path, backend, content):
    path = tmp_path / 'broken.mp4'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((RuntimeError, ValueError), match=r'PathwayPipelines: .*broken\.mp4 must'):
        PathwayPipelines(train_pathways(backend), backend)(dict(filename=str(path)))


def test_names_a_folder_without_frames():
    folder = dict(frame_dir='none', filename_tmpl='{}.jpg', total_frames=0, start_index=1)
    expected = 'none must hold at least one frame, got total_frames=0'
    with pytest.raises(ValueError, match=expected):
        PathwayPipelines(train_pathways())(dict(**folder, modality='RGB'))


def test_names_a_file_whose_frames_can_not_be_read(tiny_video, monkeypatch):
    def broken(self, inds):
        raise decord.DECORDError('bad packet')

    monkeypatch.setattr(decord.VideoReader, 'get_batch', broken)
    with pytest.raises(
        RuntimeError, match=r'long\.mp4 must be readable, got DECORDError: bad pack'
    ):
        PathwayPipelines(train_pathways())(dict(filename=str(tiny_video)))


@pytest.mark.parametrize(
    'first, last, outside', [(-3, 12, '-3, -2, -1'), (48, 63, '60, 61, 62, 63')]
)
def test_names_frames_that_the_video_does_not_have(tiny_video, first, last, outside):
    steps = pathway()
    steps[2] = dict(type='SampleForTest', first=first, last=last)
    expected = rf'b must sample frames 0 to 59 of .*long\.mp4, got \[{outside}\]'
    with pytest.raises(IndexError, match=expected):
        PathwayPipelines(dict(a=pathway(), b=steps))(dict(filename=str(tiny_video)))


def test_refuses_pathways_that_disagree_on_the_label(tiny_video):
    swap = dict(type='Flip', flip_ratio=1.0, flip_label_map={3: 4})
    with pytest.raises(ValueError, match=r"agree on the label, got {'a': \[3\], 'b': \[4\]}"):
        PathwayPipelines(dict(a=pathway(), b=pathway(swap)))(
            dict(filename=str(tiny_video), label=3)
        )


@pytest.mark.parametrize('backend', BACKENDS)
def test_a_target_frame_rate_is_that_of_the_video(tiny_video, backend):
    """Half of the video's own: the clip lasts twice as long, whatever reads it."""
    rate = cv2.VideoCapture(str(tiny_video)).get(cv2.CAP_PROP_FPS)

    def steps(**sampling):
        return [
            dict(type='SampleFrames', clip_len=8, test_mode=True, **sampling),
            dict(type=READERS[backend][1]),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs', meta_keys=('frame_inds',)),
        ]

    for factor in (1, 2):
        pipeline = dict(only=steps(target_fps=rate / factor))
        sample = PathwayPipelines(pipeline, backend)(dict(filename=str(tiny_video), label=0))
        inds = sample['data_samples'].metainfo['pathways']['only']['frame_inds']
        assert np.ptp(inds) == factor * 8 - 1
    plain = Compose([dict(type=READERS[backend][0]), *steps(target_fps=rate / 2)])
    stock = plain(dict(filename=str(tiny_video), label=0, start_index=0))
    assert np.array_equal(stock['data_samples'].metainfo['frame_inds'], inds)


def test_a_target_frame_rate_of_what_has_none_is_refused():
    video = dict(array=np.zeros((40, 8, 8, 3), np.uint8), total_frames=40, start_index=0, label=0)
    steps = [
        dict(type='SampleFrames', clip_len=8, target_fps=5),
        dict(type='ArrayDecode'),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    transform = PathwayPipelines(dict(only=steps))
    with pytest.raises(ValueError, match=r'as only samples with target_fps=5, got none; give'):
        transform(dict(video, modality='RGB'))
    assert transform(dict(video, modality='RGB', avg_fps=10.0))['inputs']['only'].shape[2] == 8
