"""READMEs show what the committed results say."""

import runpy

import cv2
import numpy as np
import pytest
from tool_runs import ROOT

from mmaction_kd.report.figures.figure import png

tool = runpy.run_path(str(ROOT / 'tools/readme_tables.py'))
READMES = sorted(ROOT.glob('configs/*/README.md'))


@pytest.mark.parametrize('path', READMES, ids=lambda path: path.parent.name)
def test_the_tables_are_those_of_the_results(path):
    """If not: python tools/readme_tables.py configs/*/README.md."""
    text = path.read_text()
    assert len(tool['TABLE'].findall(text)) == text.count('<!-- table')
    assert tool['filled'](text, path.parent) == text


@pytest.mark.parametrize('path', READMES, ids=lambda path: path.parent.name)
def test_the_figures_are_those_of_the_results(path):
    """If not: python tools/readme_tables.py configs/*/README.md."""
    drawn = tool['figures'](path.read_text(), path.parent)
    assert drawn
    for file, figure in drawn.items():
        pixels = cv2.imdecode(np.frombuffer(png(figure), np.uint8), cv2.IMREAD_COLOR)
        committed = cv2.imread(str(file))
        assert committed is not None, file
        # Another release of matplotlib may draw an edge a little differently.
        assert committed.shape == pixels.shape
        assert np.mean(np.abs(committed.astype(int) - pixels) > 30) < 0.002, file


def test_a_figure_that_was_changed_by_hand_is_put_right():
    path = ROOT / 'configs/mbd/README.md'
    text = path.read_text()
    [first, *_] = tool['TABLE'].finditer(text)
    changed = text[: first.start()] + first[0].replace(' ± ', '9 ± ') + text[first.end() :]
    assert changed != text
    assert tool['filled'](changed, path.parent) == text
    with pytest.raises(ValueError, match=r'the number of a table of .*\.py must be in 1'):
        tool['filled'](text.replace('table 1 of', 'table 99 of'), path.parent)
