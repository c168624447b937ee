"""What a C library prints is passed on, or dropped with the error."""

import os
import subprocess
import sys

import pytest

from mmaction_kd.utils.held_back_stderr import held_back_stderr


def test_it_comes_later_and_in_its_order(capfd):
    with held_back_stderr():
        os.write(2, b'first, ')
        assert capfd.readouterr().err == ''
    os.write(2, b'after')
    assert capfd.readouterr().err == 'first, after'


def test_an_error_drops_it_and_what_follows_is_seen(capfd):
    with pytest.raises(ValueError, match='no video'), held_back_stderr():
        os.write(2, b'hunter2')
        raise ValueError('no video')
    os.write(2, b'after')
    assert capfd.readouterr().err == 'after'


def test_without_a_descriptor_there_is_nothing_to_hold():
    code = (
        'import os; os.close(2)\n'
        'from mmaction_kd.utils.held_back_stderr import held_back_stderr\n'
        'with held_back_stderr(): print("read")'
    )
    assert subprocess.check_output([sys.executable, '-c', code], text=True) == 'read\n'
