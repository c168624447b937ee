"""Frames come out of video files and of folders alike, and a bad one says what is wrong."""

import io
import shutil

import cv2
import decord
import numpy as np
import pytest
from strange_files import WRITERS, rendered

from mmaction_kd.datasets import video_backends
from mmaction_kd.datasets.video_source import FrameFolder, UnusableVideo, VideoFile
from mmaction_kd.optical_flow.video_motion import MotionSettings, video_motion


@pytest.fixture
def frame_folder(tiny_video, tmp_path):
    """The first 6 frames of a video as PNG, numbered from 3."""
    video = decord.VideoReader(io.BytesIO(tiny_video.read_bytes()))
    for t in range(6):
        cv2.imwrite(str(tmp_path / f'f_{t + 3}.png'), video[t].asnumpy()[..., ::-1])
    return FrameFolder(str(tmp_path), 'f_{}.png', 3, 6)


def test_a_folder_of_its_frames_is_the_video(tiny_video, frame_folder):
    """To the last bit, and so is the motion."""
    num_frames, of_video = VideoFile(str(tiny_video)).open()
    num_images, of_folder = frame_folder.open()
    assert (num_frames, num_images) == (60, 6)
    for t in range(6):
        assert of_video(t).shape == (48, 64) and of_video(t).dtype == np.uint8
        np.testing.assert_array_equal(of_video(t), of_folder(t))
    assert not np.array_equal(of_video(0), of_video(1))

    class Cut:
        def open(self):
            return 6, of_video

    settings = MotionSettings(short_side=48)
    assert video_motion(Cut(), settings) == video_motion(frame_folder, settings) > 0


def test_without_an_extension_mp4_is_meant(tiny_video):
    assert VideoFile(str(tiny_video.with_suffix(''))).open()[0] == 60


@pytest.mark.parametrize('name', ['animated.gif', 'stream.ts'])
@pytest.mark.parametrize('without', ['', 'pyav'])
def test_what_decord_does_not_read_is_read_by_the_next_reader(name, without, tmp_path, monkeypatch):
    """Forward, again, and back."""
    monkeypatch.setattr(video_backends, 'is_installed', lambda backend: backend != without)
    num_frames, read = VideoFile(str(WRITERS[name](tmp_path / name))).open()
    gray = [cv2.cvtColor(np.array(f), cv2.COLOR_RGB2GRAY).astype(int) for f in rendered(name)]
    assert num_frames == len(gray)
    for t in (0, 1, 7, 7, 8, 2, 19):
        errors = [np.abs(read(t) - other).mean() for other in gray]
        assert np.argmin(errors) == t


def test_no_usable_file(tiny_video, tmp_path):
    (tmp_path / 'empty.mp4').touch()
    (tmp_path / 'text.mp4').write_text('no video')
    (tmp_path / 'cut.mp4').write_bytes(tiny_video.read_bytes()[:2000])
    (tmp_path / 'folder.mp4').mkdir()
    reasons = dict(
        missing='the file: No such file or directory',
        folder='the file: Is a directory',
        empty='the file is empty',
        text='the file can not be decoded',
        cut='the file can not be decoded',
    )
    for name, reason in reasons.items():
        with pytest.raises(UnusableVideo) as raised:
            VideoFile(str(tmp_path / f'{name}.mp4')).open()
        assert str(raised.value) == reason  # no path: the words hold on every machine


def test_no_usable_frame(frame_folder):
    _, read = frame_folder.open()
    folder = frame_folder.path
    shutil.move(f'{folder}/f_4.png', f'{folder}/f_9.png')
    with open(f'{folder}/f_5.png', 'w') as file:
        file.write('no image')
    open(f'{folder}/f_6.png', 'w').close()
    reasons = ['No such file or directory', 'f_5.png can not be decoded', 'f_6.png is empty']
    for t, reason in enumerate(reasons, 1):
        with pytest.raises(UnusableVideo, match=reason):
            read(t)
