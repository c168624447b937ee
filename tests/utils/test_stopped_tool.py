"""What Ctrl-C makes a tool say."""

import pytest

from mmaction_kd.utils.stopped_tool import plain_ctrl_c


def test_one_line_and_the_exit_code_of_shells(capsys):
    with pytest.raises(SystemExit) as ended, plain_ctrl_c('tool'):
        raise KeyboardInterrupt
    assert ended.value.code == 130
    said = capsys.readouterr().err
    assert said == '\ntool: stopped; nothing is half-written, give the same command again.\n'


def test_other_errors_stay_what_they_are():
    with pytest.raises(ZeroDivisionError), plain_ctrl_c('tool'):
        raise ZeroDivisionError
