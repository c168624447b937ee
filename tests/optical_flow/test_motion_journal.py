"""What is finished is read again, whatever moment the writer was killed at."""

import json
from pathlib import Path

import pytest

from mmaction_kd.datasets.video_source import FrameFolder, VideoFile
from mmaction_kd.optical_flow.motion_journal import MotionJournal
from mmaction_kd.optical_flow.video_motion import MotionSettings

VIDEOS = {name: VideoFile(f'videos/{name}.mp4') for name in 'abc'}
MOTIONS = dict(a=0.1, b=1 / 3, c=2.0)


def write(journal, names):
    for name in names:
        journal.append(name, VIDEOS[name], MOTIONS[name])


def finished(journal):
    found = journal.read()
    return {name: found[journal.key(v)] for name, v in VIDEOS.items() if journal.key(v) in found}


def test_a_kill_at_any_byte_costs_at_most_the_last_video(tmp_path):
    whole = MotionJournal(tmp_path / 'whole', MotionSettings())
    write(whole, 'ab')
    content = whole.path.read_bytes()
    line_a, line_b = content.splitlines(keepends=True)
    for cut in range(len(content) + 1):
        journal = MotionJournal(tmp_path / str(cut), MotionSettings())
        journal.folder.mkdir()
        journal.path.write_bytes(content[:cut])
        expected = {'a'} if cut >= len(line_a) - 1 else set()
        if cut >= len(line_a + line_b) - 1:
            expected = {'a', 'b'}
        assert finished(journal).keys() == expected
        write(journal, 'c')
        assert finished(journal) == {name: MOTIONS[name] for name in expected | {'c'}}


def test_all_ranks_are_read_whatever_their_number(tmp_path):
    for rank, name in enumerate('abc'):
        write(MotionJournal(tmp_path, MotionSettings(), rank), name)
    assert finished(MotionJournal(tmp_path, MotionSettings())) == MOTIONS


def test_a_line_is_one_video_for_people_too(tmp_path):
    journal = MotionJournal(tmp_path, MotionSettings(), 3)
    write(journal, 'b')
    (line,) = (tmp_path / 'rank_3.jsonl').read_text().splitlines()
    record = json.loads(line)
    assert (record['video'], record['motion']) == ('b', 1 / 3)


@pytest.mark.parametrize('other', [
    dict(algorithm='farneback'),
    dict(short_side=64),
    dict(short_side=0),
    dict(stride=2),
    dict(pair_stride=1),
    dict(pair_stride=4),
    dict(segments=4),
    dict(centre_crop=0.5),
])  # fmt: skip
def test_other_settings_are_not_taken(tmp_path, other):
    write(MotionJournal(tmp_path, MotionSettings()), 'abc')
    assert finished(MotionJournal(tmp_path, MotionSettings(**other))) == {}


def test_another_version_of_opencv_is_not_taken(tmp_path, monkeypatch):
    write(MotionJournal(tmp_path, MotionSettings()), 'abc')
    monkeypatch.setattr('cv2.__version__', '9.9')
    assert finished(MotionJournal(tmp_path, MotionSettings())) == {}


def test_another_copy_of_a_video_is_another_video():
    sources = [
        VideoFile('x/a'),
        VideoFile('y/a'),
        FrameFolder('x/a', '{}.jpg', 1, 9),
        FrameFolder('x/a', '{}.png', 1, 9),
        FrameFolder('x/a', '{}.jpg', 5, 9),
        FrameFolder('x/a', '{}.jpg', 1, 8),
    ]
    journal = MotionJournal(Path('anywhere'), MotionSettings())
    assert len({journal.key(source) for source in sources}) == len(sources)


def test_remove_leaves_nothing(tmp_path):
    journal = MotionJournal(tmp_path / 'journal', MotionSettings())
    assert journal.read() == {}
    write(journal, 'a')
    journal.remove()
    assert list(tmp_path.iterdir()) == []
