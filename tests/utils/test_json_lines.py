"""Lines of JSON that outlive kills and full disks."""

import multiprocessing

import pytest
from full_disk import files_up_to

from mmaction_kd.utils.json_lines import append_line, read_lines


def test_a_cut_at_any_byte_costs_at_most_the_last_line(tmp_path):
    lines = [dict(number=number, name='größer') for number in range(3)]
    for line in lines:
        append_line(tmp_path / 'whole', line)
    content = (tmp_path / 'whole').read_bytes()
    ends = [place for place, byte in enumerate(content) if byte == ord('\n')]
    for cut in range(len(content) + 1):
        path = tmp_path / f'{cut}'
        path.write_bytes(content[:cut])
        whole = lines[: sum(end <= cut for end in ends)]
        assert read_lines(path) == whole
        append_line(path, dict(last=1))
        assert read_lines(path) == [*whole, dict(last=1)]


@pytest.mark.parametrize('size', [0, 1, 20])
def test_without_room_the_earlier_lines_are_complete_and_the_error_names_the_file(tmp_path, size):
    path = tmp_path / 'new/f.jsonl'
    for number in range(3):
        append_line(path, dict(number=number))
    before = path.stat().st_size
    with files_up_to(before + size), pytest.raises(OSError, match=r'room for .*new/f\.jsonl, and'):
        append_line(path, dict(text='x' * 20_000))
    assert [line['number'] for line in read_lines(path)] == [0, 1, 2]
    append_line(path, dict(number=3))
    assert [line['number'] for line in read_lines(path)] == [0, 1, 2, 3]


def append_many(path, name):
    for number in range(200):
        append_line(path, dict(name=name, number=number, text='x' * number * 10))


def test_lines_of_two_processes_stay_apart(tmp_path):
    context, path = multiprocessing.get_context('fork'), tmp_path / 'f.jsonl'
    processes = [context.Process(target=append_many, args=(path, name)) for name in 'ab']
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    lines = read_lines(path)
    for name in 'ab':
        assert [line['number'] for line in lines if line['name'] == name] == list(range(200))
    assert path.read_bytes().count(b'\n') == 400
