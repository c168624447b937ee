"""README.md lists the files that a training step runs through, at most eight for each method."""

import re
import sys
from pathlib import Path

import pytest
import tiny_dtkd
import tiny_mbd
import torch
from mmengine.optim import OptimWrapper

import mmaction_kd

PACKAGE = Path(mmaction_kd.__file__).parent
# As README says.
ELSEWHERE = ('models/backbones/', 'models/heads/vtn_head.py', 'host_fixes/', 'observations.py')


def listed(column):
    section = (PACKAGE / 'README.md').read_text().partition('## One training step\n')[2]
    rows = [line.split('|')[2:4] for line in section.splitlines() if re.match(r'\| \d', line)]
    found = []
    for row in rows:
        cell = row[0] if 'the same' in row[column] else row[column]
        found += re.findall(r'\]\(([\w/]+\.py)\)', cell)
    return found


def run_through(step):
    """The files of the package with a function that is called in a step."""
    found = set()

    def note(frame, event, _):
        path = Path(frame.f_code.co_filename)
        if event == 'call' and path.is_relative_to(PACKAGE):
            found.add(path.relative_to(PACKAGE).as_posix())

    sys.setprofile(note)
    try:
        step()
    finally:
        sys.setprofile(None)
    return {name for name in found if not name.startswith(ELSEWHERE)}


@pytest.mark.parametrize('column, tiny', [(0, tiny_mbd), (1, tiny_dtkd)], ids=['mbd', 'dtkd'])
def test_a_step_runs_through_the_files_that_readme_lists(column, tiny):
    model = tiny.build().train()
    inputs, samples = tiny.batch(3 if tiny is tiny_mbd else [0, 1, 5])
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    files = listed(column)
    assert len(files) == 8
    inputs = inputs if isinstance(inputs, dict) else list(inputs)  # as pseudo_collate makes it
    step = dict(inputs=inputs, data_samples=samples)
    assert run_through(lambda: model.train_step(step, optimizer)) == set(files)
