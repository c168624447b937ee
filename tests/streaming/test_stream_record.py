"""What is written of a stream, from answers made up."""

import csv
import io
import json

import cv2
import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from PIL import Image, ImageColor

from mmaction_kd.models.dominance import PATHWAYS
from mmaction_kd.report.figures.palette import ROLES
from mmaction_kd.streaming import Gap, SegmentMerger, StreamRecord, WindowAnswer
from mmaction_kd.streaming.timeline import MOST_COLUMNS, THUMBNAILS, Timeline, _round_times, clock

CLASSES = ('walk', 'run, fast', 'jump')
FPS = 10


def answer(start, scores, mbd=True, gated=False):
    sample = ActionDataSample().set_pred_score(torch.tensor(scores))
    if mbd:
        told = dict(local_score=torch.tensor(scores), local_dominance=torch.tensor(0.5))
        told |= dict(local_weight=torch.tensor(0.75), global_weight=torch.tensor(0.25))
        if gated:
            told |= dict(local_weight=torch.tensor(1.0), global_weight=torch.tensor(0.0))
        else:
            told |= dict(global_score=torch.tensor(scores[::-1]))
            told |= dict(global_dominance=torch.tensor(0.25))
        for key, value in told.items():
            sample.set_field(value, key)
    return WindowAnswer(start, start + 2.0, sample)


def record(folder, classes=CLASSES, **settings):
    return StreamRecord(folder, 'a.mp4', FPS, classes, SegmentMerger(0.5, 0.3, 1.0), **settings)


def frames(count):
    for number in range(count):
        yield np.full((40, 60, 3), number, np.uint8)


ANSWERS = (
    answer(0, [0.7, 0.2, 0.1]),
    answer(1, [0.1, 0.6, 0.3], gated=True),
    answer(2, [0.1, 0.8, 0.1]),
)


def test_each_window_has_its_line_at_once(tmp_path):
    (tmp_path / 'annotated.mp4').write_text('of an earlier run')
    with record(tmp_path) as written:
        for number, one in enumerate(ANSWERS, 1):
            written.add(one)
            lines = (tmp_path / 'windows.jsonl').read_text().splitlines()
            rows = list(csv.DictReader(io.StringIO((tmp_path / 'windows.csv').read_text())))
            assert len(lines) == len(rows) == number
    first, gated, _ = map(json.loads, lines)
    top = [{'class': c, 'score': s} for c, s in zip(CLASSES, (0.7, 0.2, 0.1), strict=True)]
    assert first == dict(
        start=0,
        end=2,
        top=top,
        local=dict(weight=0.75, top=top, dominance=0.5),
        **{'global': first['global']},
    )
    assert first['global']['top'][0] == {'class': 'jump', 'score': 0.7}
    assert gated['global'] == dict(weight=0)
    assert rows[1]['class_1'] == 'run, fast' and rows[1]['score_1'] == '0.6'
    assert (rows[0]['global_class'], rows[0]['global_weight']) == ('jump', '0.25')
    assert (rows[1]['global_class'], rows[1]['global_weight']) == ('', '0.0')
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'segments.csv',
        'timeline.png',
        'windows.csv',
        'windows.jsonl',
    ]
    assert (tmp_path / 'segments.csv').read_text().splitlines() == [
        'start,end,class,score',
        '0.00,1.50,walk,0.7000',
        '1.50,4.00,"run, fast",0.7000',
    ]


@pytest.mark.parametrize('error', [KeyboardInterrupt, RuntimeError])
def test_the_files_are_complete_when_it_is_stopped(error, tmp_path):
    with pytest.raises(error), record(tmp_path, annotate=True) as written:
        for number, _ in enumerate(written.watch(frames(100)), 1):
            if number == 20:
                written.add(ANSWERS[0])
            if number == 30:
                raise error
    assert len((tmp_path / 'segments.csv').read_text().splitlines()) == 2
    assert Image.open(tmp_path / 'timeline.png').size[0] == 1200
    assert cv2.VideoCapture(str(tmp_path / 'annotated.mp4')).get(cv2.CAP_PROP_FRAME_COUNT) == 30
    assert not list(tmp_path.glob('*.part*'))


def test_the_weights_of_two_pathways_have_a_panel(tmp_path):
    heights = []
    for mbd in (False, True):
        with record(tmp_path) as written:
            written.add(answer(0, [0.7, 0.2, 0.1], mbd))
        heights.append(Image.open(tmp_path / 'timeline.png').size[1])
    assert heights[0] < heights[1]


def test_a_stream_without_a_window_leaves_complete_files(tmp_path):
    with record(tmp_path, annotate=True):
        pass
    assert (tmp_path / 'segments.csv').read_text() == 'start,end,class,score\n'
    Image.open(tmp_path / 'timeline.png').verify()


def test_a_line_has_the_five_best_classes_by_number_where_they_have_no_names(tmp_path):
    with record(tmp_path, classes=()) as written:
        line = written.add(answer(0, [0.1, 0.2, 0.0, 0.3, 0.1, 0.05, 0.25], mbd=False))
    assert [best['class'] for best in line['top']] == ['3', '6', '1', '0', '4']


def test_there_must_be_a_name_for_each_class(tmp_path):
    with (
        pytest.raises(ValueError, match='must name the 3 classes of the model, got 2 lines'),
        record(tmp_path, ('a', 'b')) as written,
    ):
        written.add(ANSWERS[0])


def test_an_annotated_frame_has_the_answer_of_the_nearest_window(tmp_path):
    """The bar below is a third as bright with a text in white; other texts are other pictures."""
    answers = [answer(start, np.eye(3)[start].tolist(), mbd=False) for start in range(3)]
    with record(tmp_path, annotate=True) as written:
        for number, _ in enumerate(written.watch([np.full((80, 120, 3), 99, np.uint8)] * 40), 1):
            if number in (20, 30, 40):
                written.add(answers[number // 10 - 2])
    video = cv2.VideoCapture(str(tmp_path / 'annotated.mp4'))
    bars = []
    while (read := video.read())[0]:
        bars.append(read[1][-14:].astype(int))
        assert abs(int(read[1][20, 60, 0]) - 99) < 8  # what is above stays
    assert len(bars) == 40
    assert all(abs(np.median(bar) - 33) < 8 for bar in bars)
    texts = [bars[0], bars[20], bars[-1]]
    shown = [np.argmin([np.abs(bar - text).mean() for text in texts]) for bar in bars]
    assert shown == [0] * 15 + [1] * 10 + [2] * 15  # centres at 1.0, 2.0 and 3.0 s


def test_an_annotated_video_is_small_has_no_gap_and_its_text_fits(tmp_path):
    for annotate in (False, True):
        with record(tmp_path, ('walk' * 30, 'b', 'c'), annotate=annotate) as written:
            large = [np.full((720, 960, 3), 99, np.uint8)] * 9
            list(written.watch([*large, Gap(1.0), *large]))
            written.add(ANSWERS[0])
    video = cv2.VideoCapture(str(tmp_path / 'annotated.mp4'))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 18
    _, frame = video.read()
    assert frame.shape == (360, 480, 3)
    margins = frame[-30:, [1, 2, 3, -3, -2, -1]].astype(int)
    assert np.abs(margins - 33).max() < 12 and frame[-30:, 10:-14].max() > 150


def test_the_picture_needs_no_more_memory_for_a_longer_stream():
    """Columns and thumbnails are thinned out, and columns stay means of all windows."""
    timeline, total = Timeline('a.mp4', 1), 5 * MOST_COLUMNS
    for second in range(total):
        timeline.add_frame(np.full((9, 9, 3), second % 256, np.uint8))
        timeline.add(second, second + 2, np.array([second / total, 0.5]), None)
    assert len(timeline._thumbnails) <= 2 * THUMBNAILS
    assert len(timeline._columns) <= 2 * MOST_COLUMNS + 1
    assert sum(column.windows for column in timeline._columns) == total
    mean = sum(column.scores for column in timeline._columns) / total
    assert mean == pytest.approx([(total - 1) / 2 / total, 0.5])
    times = [time for time, _ in timeline._thumbnails]
    assert times[0] == 0 and len({*np.diff(times)}) == 1
    starts = [column.start for column in timeline._columns]
    assert starts == sorted(starts) and timeline._columns[-1].end == total + 1


def test_the_picture_leaves_out_what_was_not_seen():
    """Grey behind a gap, where there are no scores."""
    timeline = Timeline('a $x^$ b.mp4', 1)  # no formula
    for frame in [*frames(10), Gap(30.0), *frames(10)]:
        timeline.add_frame(frame)
    for start in (0, 8, 40, 48):
        timeline.add(start, start + 2, np.array([0.2, 0.8]), 0.4)
    assert [len(run) for run in timeline._runs()] == [1, 1, 1, 1]
    assert timeline._thumbnails[-1][0] == 49
    picture = np.asarray(Image.open(io.BytesIO(timeline.png([], 'class {}'.format))).convert('RGB'))
    grey = (picture == 217).all(2)  # '0.85'
    assert grey.sum() > 0.1 * len(picture) * picture.shape[1]
    local, others = ((picture == ImageColor.getrgb(ROLES[r])).all(2).sum() for r in PATHWAYS)
    assert local / (local + others) == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize(
    ('end', 'marks'),
    [
        (8, '0:00 0:01 0:02 0:03 0:04 0:05 0:06 0:07 0:08'),
        (100, '0:00 0:10 0:20 0:30 0:40 0:50 1:00 1:10 1:20 1:30 1:40'),
        (7200, '0:00 15:00 30:00 45:00 1:00:00 1:15:00 1:30:00 1:45:00 2:00:00'),
        (
            36_000,
            '0:00 1:00:00 2:00:00 3:00:00 4:00:00 5:00:00 6:00:00 7:00:00 8:00:00 9:00:00 10:00:00',
        ),
    ],
)
def test_the_time_axis_has_round_times(end, marks):
    """At most eleven marks."""
    times = _round_times(end).tick_values(0, end)
    assert [clock(time) for time in times if 0 <= time <= end] == marks.split()


def test_a_clock_has_hours_where_they_are_needed():
    assert [clock(s) for s in (0, 59.6, 61, 3600, 36001)] == [
        '0:00',
        '1:00',
        '1:01',
        '1:00:00',
        '10:00:01',
    ]
