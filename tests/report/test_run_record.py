"""The file of a run through kills and resumes."""

import json

import pytest

from mmaction_kd.report.run_record import RunRecord

HEADER = dict(kind='run', config='a')


def line(iteration, kind='train'):
    return dict(kind=kind, iter=iteration, sources={})


@pytest.fixture
def record(tmp_path):
    record = RunRecord(tmp_path / 'run')
    record.rewind(0, HEADER)
    for iteration in (10, 20, 30):
        record.append(line(iteration))
    return record


def cut_short(record):
    """As a process leaves it that is killed while it writes."""
    complete = record.path.read_bytes()
    record.path.write_bytes(complete + json.dumps(line(40)).encode()[:20])


def test_a_line_that_was_cut_short_is_none(record):
    complete = record.read()
    cut_short(record)
    assert record.read() == complete == [HEADER, line(10), line(20), line(30)]


def test_what_follows_a_cut_line_is_not_lost(record):
    cut_short(record)
    record.append(line(40))
    assert record.read()[-2:] == [line(30), line(40)]


@pytest.mark.parametrize('garbage', [b'17\n', b'[1]\n', b'{}\n', b'\xff\xfe\n', b'\n'])
def test_what_is_no_line_is_left_out(record, garbage):
    complete = record.read()
    record.path.write_bytes(record.path.read_bytes() + garbage)
    assert record.read() == complete


def test_a_resumed_run_forgets_what_it_does_again(record):
    cut_short(record)
    record.append(dict(kind='test', when='now'))
    record.rewind(20, dict(HEADER, max_time=3))
    assert record.read() == [
        dict(HEADER, max_time=3), line(10), line(20), dict(kind='test', when='now'),
    ]  # fmt: skip


def test_of_a_validation_done_twice_the_second_counts(record):
    """A kill came between what the page counts and the best checkpoint."""
    for hits in (1, 2):
        record.append(dict(line(30, 'val'), hits=hits))
    assert record.read()[-2:] == [line(30), dict(line(30, 'val'), hits=2)]
    record.append(dict(line(40, 'val'), hits=3))
    assert [li['hits'] for li in record.read() if li['kind'] == 'val'] == [2, 3]


def test_a_new_run_forgets_everything(record):
    record.append(dict(kind='test', when='now'))
    record.rewind(0, HEADER)
    assert record.read() == [HEADER]


def test_no_file_is_no_lines(tmp_path):
    assert RunRecord(tmp_path / 'nothing').read() == []
