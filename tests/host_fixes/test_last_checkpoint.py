"""Which checkpoint a training is resumed from."""

import os
import re

import pytest
import torch

from mmaction_kd.host_fixes.last_checkpoint import (
    find_last_checkpoint,
    forget_training_end,
    forget_validation,
    is_complete,
    last_of_ended,
    note_training_end,
    note_validation,
    noted_validation,
)


def save(folder, *names, legacy=False):
    """Write checkpoints, each newer than the one before."""
    for age, name in enumerate(names):
        path = folder / name
        torch.save(dict(weight=torch.ones(99)), path, _use_new_zipfile_serialization=not legacy)
        os.utime(path, (age, age))


def cut(path, size=500):
    os.truncate(path, size)


def note(folder, text):
    (folder / 'last_checkpoint').write_text(str(text))


def test_a_new_training_has_none(tmp_path):
    assert find_last_checkpoint(tmp_path) is None
    assert find_last_checkpoint(tmp_path / 'not there yet') is None


def test_the_one_that_is_named_is_taken_without_a_word(tmp_path, capfd):
    save(tmp_path, 'epoch_1.pth', 'epoch_2.pth')
    note(tmp_path, tmp_path / 'epoch_1.pth')
    assert find_last_checkpoint(tmp_path) == str(tmp_path / 'epoch_1.pth')
    note(tmp_path, 's3://bucket/epoch_7.pth')  # which only its own backend can look at
    assert find_last_checkpoint(tmp_path) == 's3://bucket/epoch_7.pth'
    assert capfd.readouterr() == ('', '')


def test_a_folder_that_was_moved(tmp_path, capfd):
    save(tmp_path, 'epoch_1.pth', 'best_acc_epoch_1.pth')
    note(tmp_path, '/where/it/was/best_acc_epoch_1.pth')
    assert find_last_checkpoint(tmp_path) == str(tmp_path / 'best_acc_epoch_1.pth')
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('epoch_10.pth', r'got \S*epoch_10.pth, which is cut short; \S*epoch_9.pth is taken'),
        ('epoch_11.pth', r'got \S*epoch_11.pth, which is gone; \S*epoch_9.pth is taken'),
        ('', r'got nothing; \S*epoch_9.pth is taken'),
        ('\0\0\0\n', r'got nothing; \S*epoch_9.pth is taken'),  # what a power cut leaves
        ('a\0b', r'which is gone; \S*epoch_9.pth is taken'),
        ('a' * 5000, r'which is gone; \S*epoch_9.pth is taken'),
        (None, r'got nothing; \S*epoch_9.pth is taken'),
    ],
)
def test_else_the_newest_that_is_complete(tmp_path, monkeypatch, text, words):
    """Newest by the clock: epoch_30.pth is of a longer run in the same folder, before this one."""
    save(tmp_path, 'epoch_30.pth', 'epoch_2.pth', 'epoch_9.pth', 'epoch_10.pth', 'other_99.pth')
    cut(tmp_path / 'epoch_10.pth')
    if text is not None:
        note(tmp_path, text)
    said = []
    monkeypatch.setattr('mmengine.logging.print_log', lambda text, **_: said.append(text))
    assert find_last_checkpoint(tmp_path) == str(tmp_path / 'epoch_9.pth')
    (told,) = said
    assert re.search(words, told), told


def test_copied_at_once_the_highest_number_is_the_newest(tmp_path):
    save(tmp_path, 'iter_900.pth', 'iter_1000.pth')
    for path in tmp_path.glob('*.pth'):
        os.utime(path, (7, 7))
    assert find_last_checkpoint(tmp_path) == str(tmp_path / 'iter_1000.pth')


def test_what_was_trained_is_not_trained_anew_without_a_word(tmp_path):
    save(tmp_path, 'epoch_1.pth')
    note(tmp_path, tmp_path / 'epoch_1.pth')
    cut(tmp_path / 'epoch_1.pth')
    with pytest.raises(FileNotFoundError, match=r'cut short, and no other.*give the path of one'):
        find_last_checkpoint(tmp_path)
    (tmp_path / 'epoch_1.pth').unlink()
    with pytest.raises(FileNotFoundError, match=r'gone, and no other.*or remove \S*last_checkp'):
        find_last_checkpoint(tmp_path)


def test_half_of_the_first_checkpoint_is_none(tmp_path, monkeypatch):
    save(tmp_path, 'epoch_1.pth')
    cut(tmp_path / 'epoch_1.pth')
    said = []
    monkeypatch.setattr('mmengine.logging.print_log', lambda text, **_: said.append(text))
    assert find_last_checkpoint(tmp_path) is None
    assert 'the training begins anew' in said[0]


def test_a_checkpoint_is_complete_that_is_there_to_its_end(tmp_path):
    """Cut at any place, a zip is not; of an old file only the beginning can be seen."""
    save(tmp_path, 'new.pth')
    path = tmp_path / 'new.pth'
    content = path.read_bytes()
    assert is_complete(path) and is_complete(tmp_path)
    for size in range(0, len(content), 41):
        path.write_bytes(content[:size])
        assert not is_complete(path), size
    path.write_bytes(bytes(len(content)))
    assert not is_complete(path)
    save(tmp_path, 'old.pth', legacy=True)
    assert is_complete(tmp_path / 'old.pth') and not is_complete(tmp_path / 'none.pth')


def test_the_first_validation_of_a_checkpoint_is_noted(tmp_path):
    """A resumed run begins at the checkpoint, not at a validation after it."""
    assert noted_validation(tmp_path) == {}
    note_validation(tmp_path, 3, 12)
    note_validation(tmp_path, 4, 16)
    assert noted_validation(tmp_path) == dict(epoch=3, iter=12)
    forget_validation(tmp_path)
    forget_validation(tmp_path)
    assert noted_validation(tmp_path) == {}


def test_names_and_places_of_ones_own(tmp_path, monkeypatch):
    """``out_dir`` and ``filename_tmpl`` of the CheckpointHook; the last is cut short."""
    work, out = tmp_path / 'work', tmp_path / 'out' / 'work'
    for folder in (work, out):
        folder.mkdir(parents=True)
    save(out, 'v2_3.pt', 'v2_9.pt', 'v2_10.pt', 'v1_11.pt', 'best_acc_v2_9.pt')
    note(work, out / 'v2_10.pt')
    assert find_last_checkpoint(work) == str(out / 'v2_10.pt')
    cut(out / 'v2_10.pt')
    monkeypatch.setattr('mmengine.logging.print_log', lambda text, **_: None)
    assert find_last_checkpoint(work) == str(out / 'v2_9.pt')


def test_a_training_has_ended_when_it_says_so(tmp_path, monkeypatch):
    """At whatever epoch; not while it goes on, or where its last checkpoint is not whole."""
    monkeypatch.setattr('mmengine.logging.print_log', lambda text, **_: None)
    save(tmp_path, 'epoch_3.pth', 'epoch_4.pth')
    note(tmp_path, '/somewhere/epoch_4.pth')
    assert last_of_ended(tmp_path) is None
    note_training_end(tmp_path)
    assert last_of_ended(tmp_path) == str(tmp_path / 'epoch_4.pth')
    content = (tmp_path / 'epoch_4.pth').read_bytes()
    cut(tmp_path / 'epoch_4.pth')
    assert last_of_ended(tmp_path) is None
    (tmp_path / 'epoch_4.pth').write_bytes(content)
    forget_training_end(tmp_path)
    assert last_of_ended(tmp_path) is None


def test_a_training_that_saved_nothing_has_left_nothing(tmp_path):
    note_training_end(tmp_path)
    assert last_of_ended(tmp_path) is None
