"""The check finds what decoders hide, and lets all be that are only unusual."""

import cv2
import numpy as np
import pytest
from broken_videos import encode, header_first, rotated, twenty_bad, write_video, zeroed
from mmaction.datasets import RawframeDataset, VideoDataset
from mmengine.registry import DefaultScope
from strange_files import animated
from test_reader_process import crash, hang

from mmaction_kd.datasets.video_backends import with_auto
from mmaction_kd.datasets.video_check import check_frames, check_videos
from mmaction_kd.datasets.video_source import UnusableVideo

PIPELINE = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=1, test_mode=True),
    dict(type='DecordDecode'),
]


@pytest.fixture(autouse=True)
def mmaction_scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


def check(folder, names, pipeline=PIPELINE, timeout=60, workers=2) -> dict[str, str | None]:
    (folder / 'ann.txt').write_text('\n'.join(f'{name} 0' for name in names))
    prefix = dict(video=str(folder))
    dataset = VideoDataset(str(folder / 'ann.txt'), pipeline=pipeline, data_prefix=prefix)
    found = list(check_videos(dataset, workers, timeout))
    assert sorted(index for index, _ in found) == list(range(len(names)))
    return {names[index]: fault.reason if fault else None for index, fault in found}


def test_every_bad_video_and_no_other(tmp_path):
    good = write_video(tmp_path / 'good.mp4', 10).read_bytes()
    write_video(tmp_path / 'one_frame.mp4', 1)
    (tmp_path / 'web.mp4').write_bytes(header_first(good))
    (tmp_path / 'turned.mp4').write_bytes(rotated(good))
    bad = twenty_bad(good, tmp_path)
    for name, content in bad.items():
        if content is not None:
            (tmp_path / f'{name}.mp4').write_bytes(content)
    names = [f'{name}.mp4' for name in ('good', 'one_frame', 'web', 'turned', *bad)]
    found = check(tmp_path, names)
    assert {name for name, reason in found.items() if not reason} == set(names[:3])
    assert 'from_size == to_size' in found['turned.mp4']  # whole, but decord can not read it
    assert found['missing.mp4'] == 'the file: No such file or directory'
    assert found['zero_bytes.mp4'] == 'the file is empty'
    whole = len(good)
    assert found['web_60.mp4'] == f'the file ends after {whole * 60 // 100} of {whole} bytes'
    assert found['zeroed_middle.mp4'].endswith('can not be decoded')


@pytest.mark.parametrize('container', ['mp4', 'web', 'avi', 'mkv'])
def test_a_video_that_was_cut_anywhere(container, tmp_path):
    path = tmp_path / f'a.{container}'
    if container in ('mp4', 'web'):
        content = write_video(tmp_path / 'a.mp4', 20).read_bytes()
        content = header_first(content) if container == 'web' else content
    else:
        content = encode(path, 'mpeg4' if container == 'avi' else 'libx264').read_bytes()
    path = path.with_suffix('.mp4') if container == 'web' else path
    path.write_bytes(content)
    check_frames(dict(filename=str(path)))
    for length in np.linspace(0, len(content) - 1, 30).astype(int):
        path.write_bytes(content[:length])
        with pytest.raises(UnusableVideo):
            check_frames(dict(filename=str(path)))


def test_what_only_another_reader_reads_is_whole_for_a_pipeline_with_auto(tmp_path):
    animated(tmp_path / 'a.gif')
    assert 'pyav and opencv can read it' in check(tmp_path, ['a.gif'])['a.gif']
    assert check(tmp_path, ['a.gif'], with_auto(PIPELINE)) == {'a.gif': None}


UNUSUAL = dict(
    ten_bits=dict(pixels='yuv420p10le'),
    grey=dict(pixels='gray'),
    odd_sizes=dict(pixels='yuv444p', size=(65, 49)),
    variable_frame_rate=dict(times=np.cumsum([10, 200, 40, 33, 90] * 4)),
)


@pytest.mark.parametrize('container', ['mp4', 'mkv'])
@pytest.mark.parametrize('kind', UNUSUAL)
def test_unusual_videos_are_whole(kind, container, tmp_path):
    check_frames(dict(filename=str(encode(tmp_path / f'a.{container}', **UNUSUAL[kind]))))


def test_a_header_that_promises_more_than_there_is(tmp_path):
    """Of these files decord and OpenCV read what is there without a word."""
    whole = encode(tmp_path / 'a.mkv').read_bytes()
    start = whole.find(b'\x44\x89\x88') + 3  # Duration, 8 bytes, ms
    duration = np.frombuffer(whole, '>f8', 1, start)[0]
    assert 700 < duration < 900  # 20 frames
    for factor, is_good in ((1.05, True), (2.0, False)):
        longer = np.array(factor * duration, '>f8').tobytes()
        (tmp_path / 'a.mkv').write_bytes(whole[:start] + longer + whole[start + 8 :])
        if is_good:
            check_frames(dict(filename=str(tmp_path / 'a.mkv')))
        else:
            with pytest.raises(UnusableVideo, match=r'the frames end at 0.80 s of 1.60 s'):
                check_frames(dict(filename=str(tmp_path / 'a.mkv')))


def test_damage_behind_the_frames_that_a_clip_needs(tmp_path):
    good = header_first(write_video(tmp_path / 'a.mp4', 60).read_bytes())
    (tmp_path / 'a.mp4').write_bytes(zeroed(good, 0.8, 0.9))
    with pytest.raises(UnusableVideo, match=r'frame \d+ can not be decoded'):
        check_frames(dict(filename=str(tmp_path / 'a.mp4')))


def test_a_folder_of_frames(tmp_path):
    names = ('whole', 'gap', 'torn')
    for name in names:
        (tmp_path / name).mkdir()
        for t in range(1, 6):
            cv2.imwrite(str(tmp_path / name / f'img_{t:05}.png'), np.full((8, 9, 3), t, np.uint8))
    (tmp_path / 'gap/img_00004.png').unlink()
    torn = tmp_path / 'torn/img_00005.png'
    torn.write_bytes(torn.read_bytes()[:20])
    (tmp_path / 'ann.txt').write_text('\n'.join(f'{name} 5 0' for name in names))
    dataset = RawframeDataset(
        str(tmp_path / 'ann.txt'),
        data_prefix=dict(img=str(tmp_path)),
        filename_tmpl='img_{:05}.png',
        pipeline=[lambda results: results],
    )
    found = {index: fault and fault.reason for index, fault in check_videos(dataset, 2, 60)}
    assert found == {
        0: None,
        1: 'img_00004.png: No such file or directory',
        2: 'img_00005.png can not be decoded',
    }


def test_readers_that_hang_or_crash(tmp_path):
    """Others go on meanwhile, and each is looked at once."""
    write_video(tmp_path / '0.mp4', 3)
    for i in range(1, 6):
        (tmp_path / f'{i}.mp4').hardlink_to(tmp_path / '0.mp4')

    def step(results):
        {1: hang, 4: crash}.get(int(results['filename'][-5]), int)()
        return results

    found = check(tmp_path, [f'{i}.mp4' for i in range(6)], [step], timeout=3)
    assert found.pop('1.mp4') == 'the reader did not return in 3 s'
    assert found.pop('4.mp4') == 'the reader ends its process (signal 9)'
    assert set(found.values()) == {None} and len(found) == 4


def test_nothing_to_check(tmp_path):
    check_frames(dict(keypoint=np.zeros((1, 2, 17, 2)), frame_dir='a name'))  # a skeleton
