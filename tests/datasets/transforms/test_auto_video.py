"""Each file is read by a reader that can, always by the same, or its error is clear."""

import importlib.util
import shutil

import numpy as np
import pytest
from broken_videos import encode, header_first, write_video, zeroed
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from strange_files import FRAMES, NO_VIDEOS, SECRET, WRITERS, animated, rendered

from mmaction_kd.datasets import PathwayPipelines, SkipBadVideos, video_backends
from mmaction_kd.datasets.transforms import AutoVideoDecode, AutoVideoInit, auto_video
from mmaction_kd.datasets.video_backends import readers_of, with_auto
from mmaction_kd.models.submodels.tested_recognizer import read_video

pytest.importorskip('av', reason='needs PyAV')


@pytest.fixture(autouse=True)
def mmaction_scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Writes a file of WRITERS where it is not there yet."""
    folder = tmp_path_factory.mktemp('strange')

    def path(name):
        made = folder / name
        return made if made.exists() else WRITERS[name](made)

    return path


def stock(**sampling):
    return [
        dict(type='DecordInit'),
        dict(type='SampleFrames', **sampling),
        dict(type='DecordDecode'),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]


ALL = dict(clip_len=FRAMES, frame_interval=1, test_mode=True)


def frames_of(path, backend='auto', **sampling):
    """(T, H, W, C), by PathwayPipelines."""
    pipelines = PathwayPipelines(dict(only=stock(**(sampling or ALL))), backend)
    clip = pipelines(dict(filename=str(path)))['inputs']['only']  # (1, C, T, H, W)
    return clip[0].permute(1, 2, 3, 0).numpy()


# ---------------------------------------------------------------------- what decord does not read


@pytest.mark.parametrize('name', WRITERS)
def test_auto_reads_the_frames_that_were_written(name, files):
    frames, expected = frames_of(files(name)), rendered(name)
    assert len(frames) == FRAMES
    for t, frame in enumerate(frames):
        errors = [np.abs(frame.astype(int) - other).mean() for other in expected]
        assert frame.shape == expected[t].shape
        assert np.argmin(errors) == t and errors[t] <= (0 if name.startswith('animated') else 12)


@pytest.mark.parametrize('name', WRITERS)
def test_without_auto_the_error_names_the_readers_that_can(name, files):
    with pytest.raises(RuntimeError, match=r'pyav.* can read it: set backend=.auto.') as raised:
        frames_of(files(name), 'decord')
    assert ('opencv' in str(raised.value)) == (name in ('animated.gif', 'stream.ts', 'turned.mp4'))


def test_what_decord_reads_is_its_own_to_the_last_bit(tiny_videos, tmp_path):
    shutil.copy(encode(tmp_path / 'a.mkv'), tmp_path / 'no_ending')
    views = dict(clip_len=8, frame_interval=2, num_clips=4, test_mode=True)
    for path in (*tiny_videos.values(), tmp_path / 'a.mkv', tmp_path / 'no_ending'):
        np.testing.assert_array_equal(frames_of(path), frames_of(path, 'decord'))
        np.testing.assert_array_equal(frames_of(path, **views), frames_of(path, 'decord', **views))


def test_the_steps_stand_in_a_stock_pipeline_with_its_arguments(tiny_video, files):
    steps = stock(**ALL)
    steps[0]['num_threads'] = 2
    auto = with_auto(steps)
    assert auto[0] == dict(
        type='mmaction_kd.AutoVideoInit', readers=dict(decord=dict(num_threads=2))
    )
    for name, path in (('tiny', tiny_video), ('gif', files('animated.gif'))):
        found = Compose(auto)(dict(filename=str(path), start_index=0, modality='RGB'))['inputs']
        expected = frames_of(path, 'decord' if name == 'tiny' else 'pyav')
        np.testing.assert_array_equal(found[0].permute(1, 2, 3, 0), expected)
    pathways = [dict(type='mmaction_kd.PathwayPipelines', pathways={}, backend='opencv')]
    assert with_auto(pathways)[0]['backend'] == 'auto'


# ------------------------------------------------------------------------------------- one reader


def reader(path):
    return AutoVideoInit()(dict(filename=str(path)))['video_backend']


def test_damage_further_on_changes_no_reader(tmp_path):
    """Of a damaged file some clips can be read; the others are an error, not another reader's."""
    good = header_first(write_video(tmp_path / 'a.mp4', 60).read_bytes())
    (tmp_path / 'a.mp4').write_bytes(zeroed(good, 0.8, 0.95))
    assert reader(tmp_path / 'a.mp4') == 'decord'
    assert len(frames_of(tmp_path / 'a.mp4', clip_len=8, test_mode=True)) == 8
    with pytest.raises(RuntimeError, match='must be readable, got DECORDError'):
        frames_of(tmp_path / 'a.mp4', clip_len=60, test_mode=True)


def test_a_file_that_is_cut_goes_to_no_other_reader(tmp_path):
    content = header_first(write_video(tmp_path / 'a.mp4', 20).read_bytes())
    (tmp_path / 'a.mp4').write_bytes(content[: len(content) // 2])
    with pytest.raises(RuntimeError, match=rf'ends after {len(content) // 2} of {len(content)}'):
        frames_of(tmp_path / 'a.mp4')
    assert readers_of(str(tmp_path / 'a.mp4')) == []


def test_an_earlier_auto_step_is_used_and_another_is_not(files, tiny_video):
    pipelines = PathwayPipelines(dict(only=stock(**ALL)), 'auto')
    opened = AutoVideoInit()(dict(filename=str(files('animated.gif'))))
    container = opened['video_reader']
    assert pipelines._open(opened)['video_reader'] is container
    opened = Compose([dict(type='DecordInit')])(dict(filename=str(tiny_video)))
    assert pipelines._open(opened)['video_reader'] is not opened['video_reader']


def test_the_log_says_once_for_each_kind_which_reader_it_was(files, tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(auto_video, '_logged', set())
    monkeypatch.setattr(auto_video, 'print_log', lambda text, **_: lines.append(text))
    shutil.copy(write_video(tmp_path / 'a.mp4', 3), tmp_path / 'a')
    for path in (files('animated.gif'), animated(tmp_path / 'other.GIF'), tmp_path / 'a.mp4'):
        for _ in range(2):
            reader(path)
    reader(files('av1.mp4'))
    reader(tmp_path / 'a')
    starts = [line.removeprefix('AutoVideoInit: ').partition(' such as')[0] for line in lines]
    kinds = ['pyav reads .gif files', 'decord reads .mp4 files', 'pyav reads .mp4 files']
    assert starts == [*kinds, 'decord reads files without an ending']
    assert 'which others do not (decord: DECORDError' in lines[0]


def test_the_next_reader_where_one_is_not_installed(files, monkeypatch):
    monkeypatch.setattr(auto_video, 'is_installed', lambda name: name != 'pyav')
    assert reader(files('animated.gif')) == 'opencv'
    with pytest.raises(RuntimeError, match=r'no reader can read it \(decord: .*pyav: not install'):
        reader(files('av1.mp4'))


@pytest.mark.parametrize('step', [AutoVideoInit, AutoVideoDecode])
def test_refuses_arguments_of_a_reader_that_there_is_not(step):
    with pytest.raises(ValueError, match=r"readers must be one of \['decord'.* got 'ffmpeg'"):
        step(dict(ffmpeg={}))


def test_pyav_counts_what_the_header_does_not_tell(tmp_path):
    for name in ('a.mkv', 'a.ts'):
        path = encode(tmp_path / name)
        np.testing.assert_array_equal(
            frames_of(path, 'pyav'), frames_of(path, 'opencv' if name == 'a.ts' else 'decord')
        )


# -------------------------------------------------------------------------- who tells what, where


class OneFile:
    """A data set of one video and a stock pipeline."""

    test_mode, metainfo = False, {}

    def __init__(self, path, pipeline):
        self.path, self.pipeline = path, Compose(pipeline)

    def full_init(self): ...

    def __len__(self):
        return 1

    def get_data_info(self, idx):
        return dict(filename=str(self.path), label=0, start_index=0, modality='RGB')

    def prepare_data(self, idx):
        return self.pipeline(self.get_data_info(idx))


@pytest.mark.parametrize('pathways', [False, True])
def test_a_bad_videos_reason_names_the_reader_that_can(pathways, files):
    steps = stock(**ALL)
    if pathways:
        steps = [dict(type='mmaction_kd.PathwayPipelines', pathways=dict(only=steps))]
    with pytest.raises(RuntimeError, match=r'pyav and opencv can read it: set backend=.auto.'):
        SkipBadVideos(OneFile(files('animated.gif'), steps))[0]
    assert SkipBadVideos(OneFile(files('animated.gif'), with_auto(steps)))[0]['inputs'] is not None


def test_a_reader_that_can_is_not_named_for_another_fault(tiny_video):
    steps = [*stock(**ALL), lambda results: 1 / 0]
    with pytest.raises(ValueError, match=r'got ZeroDivisionError: division by zero$'):
        read_video(steps, tiny_video, 'predict')


# ------------------------------------------------------------------------- what is in other files


@pytest.mark.parametrize('backend', ['decord', 'pyav', 'opencv', 'auto'])
@pytest.mark.parametrize('name', NO_VIDEOS)
def test_the_content_of_a_file_that_is_no_video_comes_through_nowhere(
    name, backend, tmp_path, capfd, caplog
):
    (tmp_path / name).write_text(NO_VIDEOS[name])
    with pytest.raises(RuntimeError, match=rf'{name} must be readable') as raised:
        frames_of(tmp_path / name, backend)
    error, seen = raised.value, [str(part) for part in capfd.readouterr()]
    while error is not None:
        seen.append(str(error))
        error = error.__cause__ or error.__context__
    assert not any(SECRET in text for text in (*seen, caplog.text)), seen


# ------------------------------------------------------------------------ names without an ending


@pytest.mark.parametrize('init', ['DecordInit', 'ResizingDecordInit', 'PyAVInit', 'OpenCVInit'])
def test_a_file_without_an_ending_is_read_as_it_is(init, tiny_videos, tmp_path):
    shutil.copy(tiny_videos['short'], tmp_path / 'clip')
    shutil.copy(tiny_videos['long'], tmp_path / 'clip.mp4')  # which is not meant
    step = dict(type=init)
    if init == 'ResizingDecordInit':
        step = dict(type=f'mmaction_kd.{init}', short_side=32)
    assert Compose([step])(dict(filename=str(tmp_path / 'clip')))['total_frames'] == 10


def test_mp4_is_meant_where_there_is_only_that(tiny_videos, tmp_path):
    shutil.copy(tiny_videos['short'], tmp_path / 'clip.mp4')
    step = Compose([dict(type='DecordInit')])
    assert step(dict(filename=str(tmp_path / 'clip')))['total_frames'] == 10
    with pytest.raises(FileNotFoundError, match=r"missing'$"):
        step(dict(filename=str(tmp_path / 'missing')))


def test_nobody_is_asked_about_a_file_elsewhere(monkeypatch):
    monkeypatch.setattr(video_backends, 'usual_steps', lambda name: pytest.fail('was asked'))
    assert readers_of('s3://bucket/a.mp4') == []
    assert importlib.util.find_spec('av')
