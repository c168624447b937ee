"""Truth: the frames, decoded and encoded one by one; and that nothing else is ever served."""

import os
import shutil

import cv2
import decord
import numpy as np
import pytest
import torch
from conftest import write_video
from full_disk import files_up_to
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from mmaction_kd.datasets.transforms import SnapFrames, load_frame_features
from mmaction_kd.registry import MODELS, TRANSFORMS

MEAN, STD = [127, 120, 110], [128, 64, 70]
RESIZE = dict(type='Resize', scale=(40, 32), keep_ratio=False, interpolation='area')
STEPS = [dict(type='DecordInit'), dict(type='DecordDecode'), RESIZE]


@pytest.fixture(autouse=True)
def mmaction_scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """Two files of weights of one backbone."""
    folder = tmp_path_factory.mktemp('weights')
    found = []
    with DefaultScope.overwrite_default_scope('mmaction'):
        for seed in (0, 1):
            torch.manual_seed(seed)
            backbone = MODELS.build(backbone_config(None))
            backbone.init_weights()
            torch.save(backbone.state_dict(), folder / f'{seed}.pth')
            found.append(str(folder / f'{seed}.pth'))
    return found


def backbone_config(checkpoint):
    init = dict(type='Pretrained', checkpoint=checkpoint) if checkpoint else None
    return dict(type='mmpretrain.ResNet', depth=18, stem_channels=8, base_channels=8, init_cfg=init)


def step(checkpoint, folder, **settings):
    encoder = dict(
        type='mmaction_kd.FrozenFrameEncoder',
        backbone=backbone_config(checkpoint),
        mean=MEAN,
        std=STD,
    )
    given = dict(encoder=encoder, steps=STEPS, folder=folder, frame_interval=3, batch_size=4)
    return TRANSFORMS.build(dict(type='mmaction_kd.LoadFrameFeatures', **{**given, **settings}))


def load(transform, video):
    return transform(dict(filename=str(video), start_index=0, modality='RGB', label=0))


def features(transform, video):
    return load(transform, video)['array'].rows


def files(folder):
    return sorted(path for path in folder.rglob('*.npz'))


@pytest.fixture()
def counted(monkeypatch):
    """How many frames were encoded."""
    from mmaction_kd.models.backbones import FrozenFrameEncoder

    seen = []
    encode = FrozenFrameEncoder.features_to_store
    monkeypatch.setattr(
        FrozenFrameEncoder,
        'features_to_store',
        lambda self, frames: seen.append(len(frames)) or encode(self, frames),
    )
    return seen


@pytest.mark.parametrize('interval', [1, 3, 7])
def test_rows_are_the_features_of_every_nth_frame(tiny_video, weights, tmp_path, interval):
    results = load(step(weights[0], tmp_path, frame_interval=interval), tiny_video)
    assert (results['total_frames'], results['avg_fps']) == (60, 25)
    backbone = MODELS.build(backbone_config(None))
    backbone.load_state_dict(torch.load(weights[0]))
    backbone.eval()
    reader = decord.VideoReader(str(tiny_video))
    for index in range(0, 60, interval):
        frame = cv2.resize(reader[index].asnumpy(), (40, 32), interpolation=cv2.INTER_AREA)
        image = torch.from_numpy((frame - np.array(MEAN)) / np.array(STD)).float()
        with torch.no_grad():
            expected = backbone(image.permute(2, 0, 1)[None])[-1].mean((2, 3))[0]
        row = results['array'][index]
        assert row.shape == (1, 1, 64 + 4) and row.dtype == np.float32
        torch.testing.assert_close(torch.from_numpy(row[0, 0, :64]), expected, atol=1e-5, rtol=0)


def test_a_video_is_encoded_once(tiny_videos, weights, tmp_path, counted):
    """However many epochs, pipelines and processes there are."""
    first = {name: features(step(weights[0], tmp_path), v) for name, v in tiny_videos.items()}
    assert sum(counted) == 20 + 20 + 4
    again = {name: features(step(weights[0], tmp_path), v) for name, v in tiny_videos.items()}
    assert sum(counted) == 20 + 20 + 4
    for name in tiny_videos:
        assert np.array_equal(first[name], again[name])


def test_another_encoder_interval_or_frame_is_another_feature(tiny_video, weights, tmp_path):
    flip = dict(type='Flip', flip_ratio=1)
    found = [
        features(step(weights[0], tmp_path), tiny_video),
        features(step(weights[1], tmp_path), tiny_video),
        features(step(weights[0], tmp_path, steps=[*STEPS, flip]), tiny_video),
        features(step(weights[0], tmp_path, frame_interval=4), tiny_video),
    ]
    assert len(files(tmp_path)) == 4
    assert len({path.parent for path in files(tmp_path)}) == 4
    firsts = {rows[0].tobytes() for rows in found[:3]}
    assert len(firsts) == 3 and len(found[3]) == 15


def test_weights_under_the_same_name_are_told_apart(tiny_video, weights, tmp_path):
    """A converter may write another encoder under the path that a config names."""
    path = tmp_path / 'encoder.pth'
    shutil.copy(weights[0], path)
    first = features(step(str(path), tmp_path), tiny_video)
    shutil.copy(weights[1], path)
    load_frame_features._built_encoder.cache_clear()  # as in a new process
    second = features(step(str(path), tmp_path), tiny_video)
    assert not np.array_equal(first, second)
    assert np.array_equal(second, features(step(weights[1], tmp_path), tiny_video))


def test_a_video_that_was_changed_is_encoded_again(weights, tmp_path):
    """By its time alone, too: of the same size."""
    new = write_video(tmp_path / 'new.mp4', 30).read_bytes()
    video = write_video(tmp_path / 'video.mp4', 12)
    video.write_bytes(video.read_bytes().ljust(len(new), b'\0'))
    os.utime(video, (1e9, 1e9))
    before = features(step(weights[0], tmp_path / 'features'), video)
    video.write_bytes(new.ljust(video.stat().st_size, b'\0'))
    after = features(step(weights[0], tmp_path / 'features'), video)
    assert len(before) == 4 and len(after) == 10


def test_two_videos_of_one_name_size_and_time_are_two(weights, tmp_path):
    (tmp_path / 'a').mkdir()
    videos = [write_video(tmp_path / 'v.mp4', 12), write_video(tmp_path / 'a/v.mp4', 30)]
    largest = max(video.stat().st_size for video in videos)
    for video in videos:
        video.write_bytes(video.read_bytes().ljust(largest, b'\0'))
        os.utime(video, (1e9, 1e9))
    lengths = [len(features(step(weights[0], tmp_path / 'features'), v)) for v in videos]
    assert lengths == [4, 10]


def test_a_damaged_file_is_made_again(tiny_video, weights, tmp_path, counted):
    first = features(step(weights[0], tmp_path), tiny_video)
    (file,) = files(tmp_path)
    content = file.read_bytes()
    for damaged in (
        b'',
        content[:1000],
        content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    ):
        counted.clear()
        file.write_bytes(damaged)
        assert np.array_equal(features(step(weights[0], tmp_path), tiny_video), first)
        assert sum(counted) == 20


def test_a_full_disk_leaves_no_file(tiny_video, weights, tmp_path):
    transform = step(weights[0], tmp_path)
    load(transform, tiny_video)
    (file,) = files(tmp_path)
    os.unlink(file)
    with files_up_to(1000), pytest.raises(OSError, match='there must be room for'):
        load(transform, tiny_video)
    assert files(tmp_path) == []
    assert len(features(transform, tiny_video)) == 20


def test_frames_that_are_not_stored_are_refused(tiny_video, weights, tmp_path):
    array = load(step(weights[0], tmp_path), tiny_video)['array']
    array[57]
    with pytest.raises(ValueError, match=r'of every 3-th frame, got frame 58; add .*SnapFrames'):
        array[58]


@pytest.mark.parametrize(
    'random',
    [dict(type='RandomCrop', size=24), dict(type='Flip'), dict(type='ColorJitter')],
    ids=lambda step: step['type'],
)
def test_random_steps_are_refused(tiny_video, weights, tmp_path, random):
    with pytest.raises(ValueError, match='steps must give the same of the same frame'):
        load(step(weights[0], tmp_path, steps=[*STEPS, random]), tiny_video)
    assert files(tmp_path) == []


def test_several_crops_are_refused(tiny_video, weights, tmp_path):
    crops = dict(type='ThreeCrop', crop_size=32)
    with pytest.raises(ValueError, match='one image a frame'):
        load(step(weights[0], tmp_path, steps=[*STEPS, crops]), tiny_video)


def test_bad_settings_and_inputs_are_refused(tiny_video, weights, tmp_path):
    for steps in (STEPS[:1], STEPS + STEPS):
        with pytest.raises(ValueError, match='exactly one Decode step'):
            step(weights[0], tmp_path, steps=steps)
    with pytest.raises(ValueError, match='frame_interval must be at least 1'):
        step(weights[0], tmp_path, frame_interval=0)
    with pytest.raises(ValueError, match='must be a video file'):
        step(weights[0], tmp_path)(dict(frame_dir='frames', start_index=1, total_frames=9))
    with pytest.raises(FileNotFoundError):
        load(step(weights[0], tmp_path), tmp_path / 'none.mp4')


def test_random_numbers_of_a_training_are_the_same_with_stored_and_new(
    tiny_video, weights, tmp_path
):
    drawn = []
    for _ in range(2):  # made, then read
        load_frame_features._built_encoder.cache_clear()
        np.random.seed(0)
        torch.manual_seed(0)
        load(step(weights[0], tmp_path), tiny_video)
        drawn.append((np.random.rand(), torch.rand(1).item()))
    assert drawn[0] == drawn[1]


def test_clips_are_the_features_of_their_frames(tiny_video, weights, tmp_path):
    """Behind stock steps, and in front of several pathways at once."""
    transform = step(weights[0], tmp_path)
    rows = features(transform, tiny_video)

    def pathway(clip_len, interval):
        return [
            dict(type='SampleFrames', clip_len=clip_len, frame_interval=interval, test_mode=True),
            dict(type='mmaction_kd.SnapFrames', frame_interval=3),
            dict(type='ArrayDecode'),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs'),
        ]

    pathways = dict(local_pathway=pathway(4, 3), global_pathway=pathway(5, 9))
    found = Compose([transform, dict(type='mmaction_kd.PathwayPipelines', pathways=pathways)])(
        dict(filename=str(tiny_video), start_index=0, modality='RGB', label=0)
    )
    for name, (clip_len, interval) in dict(local_pathway=(4, 3), global_pathway=(5, 9)).items():
        start = (60 - ((clip_len - 1) * interval + 1)) // 2 // 3
        places = start + np.arange(clip_len) * interval // 3
        clip = found['inputs'][name]  # (V, C, T, H, W)
        assert clip.shape == (1, 68, clip_len, 1, 1)
        assert np.array_equal(clip[0, :, :, 0, 0].numpy().T, rows[places])
    assert found['data_samples'].metainfo['filename'] == str(tiny_video)


@pytest.mark.parametrize('interval', [1, 2, 3, 8])
@pytest.mark.parametrize('start_index', [0, 1])
def test_frames_are_snapped_to_the_nearest_before(interval, start_index):
    inds = np.arange(start_index, start_index + 30, dtype=np.int32)
    found = SnapFrames(interval)(dict(frame_inds=inds.copy(), start_index=start_index))
    grid = range(start_index, start_index + 30, interval)
    expected = [max(place for place in grid if place <= index) for index in inds]
    assert found['frame_inds'].tolist() == expected and found['frame_inds'].dtype == inds.dtype
