"""A file that is written whole."""

import os

import pytest

from mmaction_kd.whole_file import write_whole


def test_text_and_bytes(tmp_path):
    for content in ('größer\n', b'\x00\xff'):
        write_whole(tmp_path / 'f', content)
        expected = content.encode() if isinstance(content, str) else content
        assert (tmp_path / 'f').read_bytes() == expected
    assert os.listdir(tmp_path) == ['f']


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path, monkeypatch):
    write_whole(tmp_path / 'f', 'old')

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'replace', killed)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / 'f', 'new')
    assert (tmp_path / 'f').read_text() == 'old'
