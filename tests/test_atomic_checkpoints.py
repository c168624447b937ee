"""Checkpoints of a training that is killed, whatever it is doing to its files."""

import json
import os
import shutil

import killed_runs
import pytest
from forked import start_script
from mmengine.fileio import LocalBackend, dump

from mmaction_kd.host_fixes.fix import source_of

needs_skipped_batches = pytest.mark.skipif(
    'Advance dataloader' not in source_of('mmengine.runner.loops'),
    reason='this MMEngine resumes a loop without epochs at its first batch',
)


@pytest.mark.parametrize(
    ('kind', 'kills'),
    [
        ('dtkd', ['os.remove epoch_2.pth', 'os.rename best_score_epoch_3.pth.part']),
        pytest.param('dtkd', [], marks=pytest.mark.slow),
        pytest.param('mbd', [], marks=pytest.mark.slow),
        pytest.param('dtkd_iterations', [], marks=[pytest.mark.slow, needs_skipped_batches]),
    ],
)
def test_killed_at_any_operation_on_its_files_it_ends_as_it_would_have(kind, kills, tmp_path):
    """No kills are all: a run for each operation."""
    words = [killed_runs.__file__, kind, str(tmp_path / 'runs'), *kills]
    with (tmp_path / 'printed').open('w') as output:
        process = start_script(words, os.environ, output)
        process.wait()
    printed = (tmp_path / 'printed').read_text()
    assert process.poll() == 0, printed[-3000:]
    report = json.loads(printed.splitlines()[-1])
    assert report['faults'] == {}
    if kills:
        assert report['killed'] == len(kills)
    else:
        assert report['killed'] >= len(report['operations']) > 50


def test_a_copied_folder_is_resumed_and_the_original_left_alone(tmp_path, monkeypatch):
    """The checkpoints name the original's files, which are still there."""
    monkeypatch.setattr(killed_runs, 'RULE', 'greater')
    monkeypatch.setattr(killed_runs, 'EPOCHS', 2)
    killed_runs.make('dtkd', tmp_path / 'original').train()
    before = {path: path.read_bytes() for path in (tmp_path / 'original').glob('*.pth')}
    shutil.copytree(tmp_path / 'original', tmp_path / 'copy')
    (tmp_path / 'original/epoch_2.pth').unlink()
    monkeypatch.setattr(killed_runs, 'EPOCHS', 3)
    killed_runs.make('dtkd', tmp_path / 'copy').train()
    left = [path.name for path in sorted((tmp_path / 'copy').glob('*.pth'))]
    assert left == ['best_score_epoch_3.pth', 'epoch_3.pth']
    (kept,) = (tmp_path / 'original').glob('*.pth')
    assert kept.name == 'best_score_epoch_2.pth' and kept.read_bytes() == before[kept]


@pytest.mark.parametrize('content', [b'\x00\xff', 'größer'])
def test_a_file_is_written_as_the_host_writes_it(content, tmp_path):
    """Into new folders, through links, over what is there; nothing else is left."""
    backend, path = LocalBackend(), tmp_path / 'new/folder/file'
    put, get = (
        (backend.put, backend.get)
        if isinstance(content, bytes)
        else (backend.put_text, backend.get_text)
    )
    put(content, path)
    assert get(path) == content
    (tmp_path / 'link').symlink_to(path)
    put(content[:1], str(tmp_path / 'link'))
    assert (tmp_path / 'link').is_symlink() and get(path) == content[:1]
    assert os.listdir(path.parent) == ['file']


def test_the_encoding_is_the_one_that_is_asked_for(tmp_path):
    LocalBackend().put_text('größer', tmp_path / 'file', encoding='latin-1')
    assert (tmp_path / 'file').read_bytes() == 'größer'.encode('latin-1')
    dump(dict(a=1), tmp_path / 'a.json')
    assert (tmp_path / 'a.json').read_text() == '{"a": 1}'


def test_a_device_is_not_replaced_by_a_file(tmp_path):
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # so that nobody has to wait
    try:
        LocalBackend().put(b'written', pipe)
        assert os.read(reader, 99) == b'written' and pipe.is_fifo()
    finally:
        os.close(reader)
