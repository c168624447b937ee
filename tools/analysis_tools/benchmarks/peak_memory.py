"""What a function needs of memory at its peak."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import torch


def peak_memory(work: Callable[[], Callable[[], object]], device: str = 'cpu') -> int:
    """Bytes that a function needs beyond what was there before it ran.

    On the CPU (Linux only) it runs once in a process of its own, whose resident memory counts, the
    buffers of libraries included; on a GPU the second of two runs, and what PyTorch allocates.

    Args:
        work: makes the function, in the process where it then runs: of a module, so that another
            process can import it, or a :func:`functools.partial` of such.
        device: 'cpu' or 'cuda'.

    Returns:
        Bytes.

    Raises:
        RuntimeError: the process of its own came to an end without an answer.
    """
    if device.startswith('cuda'):
        return _on_cuda(work(), device)
    context = multiprocessing.get_context('spawn')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_on_cpu, args=(work, torch.get_num_threads(), sender))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        raise RuntimeError('peak_memory: the process that was measured has died.') from None
    finally:
        process.join()


def _on_cuda(function: Callable[[], object], device: str) -> int:
    function()
    gc.collect()
    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    function()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _on_cpu(work: Callable, threads: int, sender: Connection) -> None:
    torch.set_num_threads(threads)
    function = work()
    Path('/proc/self/clear_refs').write_text('5')  # forget the peak of what was imported and made
    before = _resident_kilobytes('VmRSS')
    function()
    sender.send(1024 * (_resident_kilobytes('VmHWM') - before))


def _resident_kilobytes(kind: str) -> int:
    """Resident memory of this process, VmRSS, or its peak, VmHWM."""
    status = Path('/proc/self/status').read_text()
    return int(status.split(f'{kind}:')[1].split()[0])
