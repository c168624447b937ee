"""What the page says of the zoo is of every folder, and what the tool finds out."""

import dataclasses
import re
import runpy
import socket

import pytest
from mmengine.registry import DefaultScope
from tool_runs import ROOT

TOOL = runpy.run_path(str(ROOT / 'tools/analysis_tools/zoo_matrix.py'))
ROWS, ROLES = TOOL['ROWS'], TOOL['ROLES']


@pytest.fixture(autouse=True)
def mmaction_scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


def found(rows, folder):
    with TOOL['offline']():
        return dict(TOOL['matrix'](rows, folder))


def test_the_page_has_a_verdict_on_every_folder_in_every_role():
    """And of the configs that the tool would try today."""
    page = (ROOT / 'configs/zoo.md').read_text(encoding='utf-8')
    lines = [line.split(' | ') for line in re.findall(r'^\| (.*) \|$', page, re.M)][1:]
    table = {name: (config, verdicts[-len(ROLES) :]) for name, config, *verdicts in lines}
    assert set(TOOL['folders']()) <= ROWS.keys() == table.keys()
    for name, (config, verdicts) in table.items():
        assert config == f'`{ROWS[name].config}`'
        for verdict in verdicts:
            assert verdict == 'yes' or verdict == f'no: {ROWS[name].why_not}'
    assert {'omnisource', 'tin'} == {name for name, (_, v) in table.items() if 'yes' not in v}


def test_two_rows_in_each_role(tmp_path):
    rows = ['x3d', 'torchvision']
    assert found(rows, tmp_path) == {(name, role): '' for name in rows for role in ROLES}


def test_what_goes_wrong_is_in_the_table(tmp_path, monkeypatch):
    """MViT's config blends; the error names the line that the row has for it."""
    monkeypatch.setitem(ROWS, 'mvit', dataclasses.replace(ROWS['mvit'], more=''))
    cells = found(['mvit'], tmp_path)
    assert len(cells) == len(ROLES)
    for words in cells.values():
        assert re.search(r'must not blend, .* set data_preprocessor=dict\(blending=None\)', words)
    line = TOOL['as_table'](['mvit'], cells).splitlines()[-1]
    assert line.count('| no: ValueError: ') == len(ROLES)


def test_a_config_of_too_many_lines_is_no_success(tmp_path):
    with pytest.raises(ValueError, match=r'more than 10 lines'):
        TOOL['try_out']('\n' * 10 + 'model = 1', {})


def test_nothing_is_fetched():
    with TOOL['offline'](), pytest.raises(ConnectionError, match='a checkpoint is named'):
        socket.create_connection(('localhost', 1))


def test_the_table_goes_between_the_marks(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text(f'before\n{TOOL["START"]}\nold\n{TOOL["END"]}\nafter\n')
    TOOL['write_between'](page, 'new')
    assert page.read_text() == f'before\n{TOOL["START"]}\nnew\n{TOOL["END"]}\nafter\n'
    page.write_text('no marks')
    with pytest.raises(ValueError, match=r'must have the lines'):
        TOOL['write_between'](page, 'new')
    assert page.read_text() == 'no marks'


@pytest.mark.slow
def test_the_whole_zoo(tmp_path):
    cells = found(list(ROWS), tmp_path)
    assert {cell: words for cell, words in cells.items() if words} == {}
    assert len(cells) >= len(ROLES) * 20
