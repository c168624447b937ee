"""ReaderProcess: what comes back is what was made, and neither a hang nor a crash goes further."""

import copy
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import BaseDataset, pseudo_collate
from torch.utils.data import DataLoader

from mmaction_kd.datasets import SkipBadVideos
from mmaction_kd.datasets.reader_process import ReaderFault, ReaderProcess

linux = pytest.mark.skipif(sys.platform != 'linux', reason='needs the process table of Linux')


def hang():
    """Never return, and let no other thread of Python run, as decord may."""
    ctypes.PyDLL(None).sleep(1000)


def crash():
    """As by a fault of a decoder, but without its noise."""
    os.kill(os.getpid(), signal.SIGKILL)


def sample(seed: int) -> dict:
    """All kinds of arrays that may be in a sample."""
    generator = torch.Generator().manual_seed(seed)
    clip = torch.randint(256, (2, 3, 4, 32, 40), generator=generator).to(torch.uint8)
    inputs = dict(
        clip=clip,
        turned=clip.permute(0, 4, 1, 2, 3),
        bfloat16=torch.rand(5, generator=generator).bfloat16(),
        empty=torch.zeros(0, 3),
        odd=torch.arange(3, dtype=torch.uint8),
        number=torch.tensor(0.5, dtype=torch.float64),
        array=np.arange(7)[::2],
        text='grüße',
    )
    return dict(inputs=inputs, data_samples=ActionDataSample(metainfo=dict(n=1)).set_gt_label(3))


def is_alive(pid) -> bool:
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != 'Z'


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_comes_back_is_what_was_made():
    process = ReaderProcess(sample)
    for seed in range(3):
        ours, theirs = process(seed), sample(seed)
        assert ours['data_samples'].gt_label == theirs['data_samples'].gt_label
        assert ours['data_samples'].metainfo == dict(n=1)
        for name, value in theirs['inputs'].items():
            found = ours['inputs'][name]
            if isinstance(value, torch.Tensor):
                assert found.dtype == value.dtype and torch.equal(found, value)
                assert found.data_ptr() % found.element_size() == 0
                found += 1  # may be written to, as transforms and collating do
            else:
                np.testing.assert_array_equal(found, value)
    assert process(1)['inputs']['clip'].sum() == sample(1)['inputs']['clip'].sum()


def test_samples_live_on_when_the_process_has_ended():
    process = ReaderProcess(sample)
    ours = [process(seed) for seed in range(3)]
    process.end()
    for seed, one in enumerate(ours):
        assert torch.equal(one['inputs']['clip'], sample(seed)['inputs']['clip'])


def test_a_reader_that_hangs_with_the_interpreter_is_killed():
    process = ReaderProcess(lambda i: hang() if i == 1 else i, timeout=2)
    assert process(0) == 0
    start = time.monotonic()
    with pytest.raises(ReaderFault, match=r'the reader did not return in 2 s'):
        process(1)
    assert time.monotonic() - start >= 2
    assert [process(i) for i in (2, 3)] == [2, 3]


def test_a_reader_that_crashes_is_a_reason():
    process = ReaderProcess(lambda i: crash() if i == 1 else i)
    with pytest.raises(ReaderFault, match=r'the reader ends its process \(signal 9\)'):
        process(1)
    assert process(2) == 2


def test_an_error_is_a_reason_with_its_traceback():
    def fail():
        raise ValueError('[07:08:09] a\n   b <x at 0x7f1234>')

    with pytest.raises(ReaderFault) as raised:
        ReaderProcess(fail)()
    assert raised.value.reason == 'ValueError: a b <x>'
    assert 'in fail' in raised.value.trace
    assert ReaderFault.of(KeyError()).reason == 'KeyError'
    reason = ReaderFault.of(ValueError('first' + ' long' * 1000 + ' last')).reason
    assert len(reason) < 700 and reason.startswith('ValueError: first') and reason.endswith('last')


def test_a_process_that_died_while_idle_is_started_again():
    process = ReaderProcess(os.getpid)
    first = process()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not is_alive(first))
    assert process() not in (first, os.getpid())


def test_a_copy_has_a_process_of_its_own():
    process = ReaderProcess(os.getpid)
    assert len({process(), process(), copy.deepcopy(process)(), os.getpid()}) == 3


@linux
def test_the_process_ends_with_its_owner():
    process = ReaderProcess(os.getpid)
    pid = process()
    del process
    wait_until(lambda: not is_alive(pid))


OWNER = """
import sys, time
sys.path[:0] = {path!r}
from test_reader_process import hang
from mmaction_kd.datasets.reader_process import ReaderProcess
import os

def function(i):
    if i:
        hang()
    return os.getpid()

process = ReaderProcess(function)
print(process(0), flush=True)
if {busy}:
    process.send(1)
time.sleep(1000)
"""


@linux
@pytest.mark.slow
@pytest.mark.parametrize('busy', [False, True])
def test_the_process_ends_when_its_owner_is_killed(busy):
    """Also where it hangs at that moment."""
    code = OWNER.format(path=[str(Path(__file__).parent)], busy=busy)
    owner = subprocess.Popen(
        [sys.executable, '-W', 'ignore', '-c', code], stdout=subprocess.PIPE, text=True
    )
    pid = int(owner.stdout.readline())
    assert is_alive(pid)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    wait_until(lambda: not is_alive(pid))


# --- In the workers of a DataLoader ---------------------------------------------------------------


class Numbers(BaseDataset):
    """Eight samples; one hangs and one crashes."""

    def load_data_list(self):
        return [dict(filename=f'{i}.mp4') for i in range(8)]


def read(results: dict) -> dict:
    index = int(results['filename'].removesuffix('.mp4'))
    {2: hang, 5: crash}.get(index, int)()
    draws = [index, *np.random.rand(2), torch.rand(()).item()]
    return dict(
        inputs=torch.tensor(draws),
        data_samples=ActionDataSample(metainfo=dict(pid=os.getpid())),
    )


def seeded(worker: int) -> None:
    np.random.seed(worker)


def load(dataset, workers: int, **options) -> list:
    loader = DataLoader(
        dataset, num_workers=workers, collate_fn=pseudo_collate, worker_init_fn=seeded, **options
    )
    return [(b['inputs'][0], b['data_samples'][0].metainfo) for b in loader]


@pytest.mark.parametrize('workers', [0, 2])
def test_a_loader_survives_a_hang_and_a_crash(workers):
    found = []
    for _ in range(2):
        np.random.seed(7)
        dataset = SkipBadVideos(Numbers(pipeline=[read]), max_share=0.5, reader_timeout=3, seed=3)
        found.append(load(dataset, workers))
    bad = [dict(meta.get('bad_videos', ())) for _, meta in found[0]]
    assert [i for i, one in enumerate(bad) if one] == [2, 5]
    assert bad[2]['2.mp4'] == 'the reader did not return in 3 s'
    assert bad[5]['5.mp4'] == 'the reader ends its process (signal 9)'
    values = torch.stack([inputs for inputs, _ in found[0]])
    assert torch.equal(values, torch.stack([inputs for inputs, _ in found[1]]))  # by the seed
    assert len(values[:, 1].unique()) == len(values[:, 3].unique()) == 8  # all differ
    if sys.platform == 'linux':
        pids = {meta['pid'] for _, meta in found[0]}
        assert os.getpid() not in pids
        del dataset
        wait_until(lambda: not any(map(is_alive, pids)))


def test_workers_do_not_share_the_process_of_the_main_process():
    dataset = SkipBadVideos(Numbers(pipeline=[read]), max_share=0.5, reader_timeout=20.0)
    main = dataset[0]['data_samples'].pid
    loader = DataLoader(
        dataset, num_workers=2, collate_fn=pseudo_collate, sampler=[0, 1, 3, 4, 6, 7]
    )
    pids = [batch['data_samples'][0].pid for batch in loader]
    assert len({main, *pids}) == 3
    assert dataset[1]['data_samples'].pid == main  # and theirs did not end it
