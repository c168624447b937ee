"""What Ctrl-C makes a tool say."""

import signal

import pytest

from mmaction_kd.utils.stopped_tool import ctrl_c_after, plain_ctrl_c


def test_one_line_and_the_exit_code_of_shells(capsys):
    with pytest.raises(SystemExit) as ended, plain_ctrl_c('tool'):
        raise KeyboardInterrupt
    assert ended.value.code == 130
    said = capsys.readouterr().err
    assert said == '\ntool: stopped; nothing is half-written, give the same command again.\n'


def test_other_errors_stay_what_they_are():
    with pytest.raises(ZeroDivisionError), plain_ctrl_c('tool'):
        raise ZeroDivisionError


def test_ctrl_c_waits_for_the_end_of_the_block():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # nohup ignores it
    done = []
    try:
        with pytest.raises(KeyboardInterrupt), ctrl_c_after():
            signal.raise_signal(signal.SIGINT)
            done.append('the rest of the block')
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert done
