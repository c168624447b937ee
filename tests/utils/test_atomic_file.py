"""Files that are written atomically."""

import errno
import multiprocessing
import os
import signal

import pytest
from full_disk import files_up_to

from mmaction_kd.utils.atomic_file import atomic_file, remove_partial_files, write_atomically


def test_text_and_bytes(tmp_path):
    for content in ('größer\n', b'\x00\xff'):
        write_atomically(tmp_path / 'f', content)
        expected = content.encode() if isinstance(content, str) else content
        assert (tmp_path / 'f').read_bytes() == expected
    assert os.listdir(tmp_path) == ['f']


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path, monkeypatch):
    write_atomically(tmp_path / 'f', 'old')

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'replace', stopped)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / 'f', 'new')
    assert (tmp_path / 'f').read_text() == 'old'
    assert os.listdir(tmp_path) == ['f']


def test_an_error_of_who_writes_is_told_as_it_is(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic_file(tmp_path / 'f') as file:
        file.write(b'half')
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('content', ['1234', '1' * 5000, '1' * 500_000])
def test_without_room_the_old_file_stays_and_the_error_names_it(tmp_path, content):
    path = tmp_path / 'f'
    write_atomically(path, 'old')
    with files_up_to(3), pytest.raises(OSError, match=r'room for .*/f, .* File too la') as caught:
        write_atomically(path, content)
    assert caught.value.errno == errno.EFBIG and caught.value.__cause__ is not None
    assert os.listdir(tmp_path) == ['f'] and path.read_text() == 'old'
    write_atomically(path, content)
    assert path.read_text() == content


def test_without_the_right_to_write_the_error_names_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'room for .*none/f, .* No such file or directory'):
        write_atomically(tmp_path / 'none' / 'f', 'new')
    (tmp_path / 'f').mkdir()
    with pytest.raises(IsADirectoryError, match=r'room for .*/f, and the right'):
        write_atomically(tmp_path / 'f', 'new')
    assert os.listdir(tmp_path) == ['f']


def test_the_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path, monkeypatch
):
    done = []
    for name in ('fsync', 'replace'):
        real = getattr(os, name)

        def noted(*arguments, name=name, real=real):
            done.append(name)
            return real(*arguments)

        monkeypatch.setattr(os, name, noted)
    write_atomically(tmp_path / 'f', 'new')
    assert done == ['fsync', 'replace', 'fsync']


def write_in_halves(path, content, begun, go_on):
    with atomic_file(path) as file:
        file.write(content[: len(content) // 2])
        file.flush()
        begun.set()
        go_on.wait(60)
        file.write(content[len(content) // 2 :])


@pytest.fixture
def writers(tmp_path):
    """Start a process that writes the file in halves; of each the second waits to be let go on."""
    context, started = multiprocessing.get_context('fork'), []

    def start(content):
        begun, go_on = context.Event(), context.Event()
        process = context.Process(
            target=write_in_halves, args=(tmp_path / 'f', content, begun, go_on)
        )
        process.start()
        started.append(process)
        return process, begun, go_on

    yield start
    for process in started:
        process.kill()
        process.join()


def test_of_two_processes_the_second_waits_and_both_files_are_complete(tmp_path, writers):
    one, one_begun, one_may = writers(b'a' * 1000)
    assert one_begun.wait(60)
    two, two_begun, two_may = writers(b'b' * 10)
    assert not two_begun.wait(0.3)
    one_may.set()
    assert two_begun.wait(60)
    assert (tmp_path / 'f').read_bytes() == b'a' * 1000
    two_may.set()
    for process in (one, two):
        process.join(60)
        assert process.exitcode == 0
    assert (tmp_path / 'f').read_bytes() == b'b' * 10
    assert os.listdir(tmp_path) == ['f']


def test_what_a_killed_process_left_is_replaced(tmp_path, writers):
    killed, begun, _ = writers(b'a' * 1000)
    assert begun.wait(60)
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    assert os.listdir(tmp_path) == ['f.part']
    write_atomically(tmp_path / 'f', 'new')
    assert os.listdir(tmp_path) == ['f'] and (tmp_path / 'f').read_text() == 'new'


def test_the_parts_that_nobody_writes_are_removed_and_nothing_else(tmp_path, writers):
    for name in ('a.pth.part', 'a.pth', 'note.part', 'my.zip.part'):
        (tmp_path / name).touch()
    process, begun, may = writers(b'a' * 1000)
    assert begun.wait(60)
    remove_partial_files(tmp_path, '.pth', 'note', 'f')
    assert sorted(os.listdir(tmp_path)) == ['a.pth', 'f.part', 'my.zip.part']
    may.set()
    process.join(60)
    assert (tmp_path / 'f').read_bytes() == b'a' * 1000
    remove_partial_files(tmp_path / 'nowhere', '.pth')
