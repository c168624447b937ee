"""Cost and loss of the flow tool's settings are of the very same videos."""

import argparse

import pytest
from benchmarks import flow, flow_agreement
from benchmarks.flow import FULL, QUICK, motion_settings, text_of

from mmaction_kd.datasets.video_source import UnusableVideo, VideoFile
from mmaction_kd.optical_flow.video_motion import MotionSettings

SLOW = MotionSettings('dis', short_side=64)


def parsed(measurement, *arguments):
    parser = argparse.ArgumentParser()
    measurement.add_arguments(parser)
    return parser.parse_args([str(argument) for argument in arguments])


@pytest.fixture
def clock(monkeypatch):
    """Time passes only while a video is measured: 8, 2 and 1 s by the settings.

    The motion is the number in the name, with QUICK that of the class 1 upside down; the video 13
    can not be measured with QUICK.
    """
    calls, now = [], [0.0]

    def measured(source, settings):
        number = float(source.path.rpartition('/')[2].removesuffix('.mp4'))
        calls.append((number, settings))
        now[0] += {FULL: 8, SLOW: 2, QUICK: 1}[settings]
        if settings == QUICK and number == 13:
            raise UnusableVideo('broken')
        return 30 - number if settings == QUICK and 10 <= number < 20 else number

    monkeypatch.setattr(flow_agreement, 'video_motion', measured)
    monkeypatch.setattr(flow_agreement.time, 'perf_counter', lambda: now[0])
    return calls


@pytest.fixture
def lists(tmp_path):
    """Two annotation files; the videos 21 and 22 stand in both."""
    lines = dict(
        a=['1 0', '2 0', '11 1', '13 1', '14 1', '21 2', '22 2'], b=['3 0', '21 2', '22 2']
    )
    for name, own in lines.items():
        text = ''.join(f'{line.replace(" ", ".mp4 ")}\n' for line in own)
        (tmp_path / f'{name}.txt').write_text(text)
    return [tmp_path / f'{name}.txt' for name in lines]


def test_table(clock, lists):
    settings = [text_of(settings) for settings in (SLOW, QUICK)]
    args = parsed(flow_agreement, *lists, '--videos', 'folder', '--settings', *settings)
    found = flow_agreement.run(args)
    slow, quick = settings
    first, second = lists
    names = ['', f' {first}', f' {second}']
    assert list(found) == [f'{text}{name}' for text in settings for name in names]
    equal = dict(class_rank=1, video_rank=1, same_q1=1, same_q2=1, same_q3=1)
    # 7 of the 8 videos could be measured; a second for each with QUICK.
    assert found[slow] == pytest.approx(
        dict(seconds=14, of_full=1 / 4, videos=7, classes=3, **equal)
    )
    assert found[f'{slow} {second}'] == pytest.approx(dict(videos=3, classes=2, **equal))
    assert found[quick]['seconds'] == 7 and found[quick]['of_full'] == 1 / 8
    # 1 2 3 | 19 16 | 21 22 against 1 2 3 | 11 14 | 21 22
    assert found[quick]['class_rank'] == pytest.approx(1)
    assert found[quick]['video_rank'] == pytest.approx(1 - 6 * 2 / (7**3 - 7))
    assert found[f'{quick} {first}']['video_rank'] == pytest.approx(1 - 6 * 2 / (6**3 - 6))
    assert found[f'{quick} {second}'] == found[f'{slow} {second}']


def test_each_video_once_and_each_of_the_settings_first_in_turn(clock, lists):
    settings = [text_of(settings) for settings in (QUICK, SLOW, FULL)]  # the reference twice
    flow_agreement.run(parsed(flow_agreement, *lists, '--videos', 'v', '--settings', *settings))
    videos = list(dict.fromkeys(number for number, _ in clock))
    assert sorted(videos) == [1, 2, 3, 11, 13, 14, 21, 22]
    order = {video: [own for number, own in clock if number == video] for video in videos}
    assert [order[video][0] for video in videos[:4]] == [FULL, QUICK, SLOW, FULL]
    for video, own in order.items():
        assert len(own) == len(set(own)) and (len(own) == 3 or video == 13)


def test_the_reference_is_farneback_at_full_size(tiny_videos):
    """With the files' own 48 pixels named, to the last bit; with another algorithm it is not."""
    settings = [MotionSettings('farneback', 48), MotionSettings('dis', 48)]
    sources = {path.name: VideoFile(str(path)) for path in tiny_videos.values()}
    _, motions = flow_agreement.measure(sources, [FULL, *settings])
    assert motions[settings[0]] == motions[FULL] != motions[settings[1]]


def test_one_thread_is_for_the_measurement_alone(monkeypatch):
    set_to = []
    monkeypatch.setattr(flow.cv2, 'getNumThreads', lambda: 7)
    monkeypatch.setattr(flow.cv2, 'setNumThreads', set_to.append)
    with flow.one_thread():
        assert set_to == [1]
    assert set_to == [1, 7]


# --- Settings on the command line ---------------------------------------------------------------


def test_settings_are_read_as_they_are_written():
    for settings in (FULL, QUICK, MotionSettings(), MotionSettings('dis', 64, 2, 4, 8, 0.5)):
        assert motion_settings(text_of(settings)) == settings
    assert text_of(MotionSettings(segments=3)) == 'algorithm=dis,short_side=128,segments=3'
    assert motion_settings('stride=2') == MotionSettings(stride=2)
    assert parsed(flow, 'a.mp4').settings == QUICK


@pytest.mark.parametrize('text, words', [
    ('size=3', "with the keys ['algorithm', 'short_side', "),
    ('dis', "got 'dis'"),
    ('stride=two', "got 'stride=two'"),
    ('stride=0', 'MotionSettings: stride must be at least 1, got 0'),
    ('algorithm=raft', "optical_flow: algorithm must be one of ['dis', "),
])  # fmt: skip
def test_settings_that_can_not_be(capsys, text, words):
    with pytest.raises(SystemExit):
        parsed(flow, 'a.mp4', '--settings', text)
    assert words in ' '.join(capsys.readouterr().err.split())
