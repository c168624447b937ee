"""Profile training steps on the config's own data.

Shares of a step: waiting for data, the forward pass of each part (student and teachers, or both
pathways), and the rest (losses, backward, optimizer). Also the median step in seconds; peak memory
in GB (on the CPU that of the process); TFLOP/s of convolutions and matrix products, forward and
backward, a multiply-add as two; and with --peak-tflops their share of it. The device is
synchronised after each step, so the time to load data is never hidden behind it.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

from benchmarks.train_step_of_config import (
    add_config_arguments,
    build_model,
    optimizer_of,
    read_config,
)

WARMUP = 2  # steps that are not counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    add_config_arguments(parser, 'configs/dtkd/dtkd_tiny_slowfast.py')
    parser.add_argument('--steps', type=int, default=20, help='that are counted')
    parser.add_argument('--peak-tflops', type=float, help="the device's peak in the same precision")


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    cfg = read_config(args)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    model = build_model(cfg, args.device)
    optimizer = optimizer_of(model, args.amp)
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    tflop = tflop_of(lambda: model.train_step(next(batches), optimizer))
    for _ in range(WARMUP):
        model.train_step(next(batches), optimizer)
    clock = Clock(args.device)
    for name, part in parts_of(model).items():
        clock.time_forward(name, part)
    for _ in range(args.steps):
        end_step = clock.span('step')
        end_wait = clock.span('data')
        batch = next(batches)
        end_wait()
        model.train_step(batch, optimizer)
        end_step()
        clock.wait()
    seconds = clock.seconds()
    total = sum(seconds['step'])
    shares = {name: sum(spans) / total for name, spans in seconds.items() if name != 'step'}
    speed = tflop * args.steps / total
    result = dict(
        {f'{name} share': share for name, share in shares.items()},
        **{'rest share': 1 - sum(shares.values())},
        step_seconds=statistics.median(seconds['step']),
        peak_memory_gb=peak_memory(args.device) / 1e9,
        tflops=speed,
    )
    if args.peak_tflops is not None:
        result['share of peak'] = speed / args.peak_tflops
    return {f'step of {Path(args.config).stem}, batch {loader.batch_size}': result}


def parts_of(model: BaseModel) -> dict[str, BaseModel]:
    """Return the recognizers of a model by name: pathways, student and teachers, or itself.

    Args:
        model: an MBDRecognizer, a DualTeacherDistiller or an MMAction2 recognizer.

    Returns:
        At least one.
    """
    if not hasattr(model, 'parts'):
        return {'model': model}
    teachers = getattr(model, 'teachers', {}).items()
    parts = {name: recognizer for name, (_, recognizer) in model.parts().items()}
    return {**parts, **{f'teacher {name}': teacher for name, teacher in teachers}}


class Clock:
    """Time stamps on the device that does the work: CUDA events there, else the wall clock.

    Args:
        device: 'cpu' or 'cuda'.
    """

    def __init__(self, device: str) -> None:
        self.on_cuda = device.startswith('cuda')
        self._spans: dict[str, list[tuple[Any, Any]]] = defaultdict(list)

    def span(self, name: str) -> Callable[[], None]:
        """Begin a span.

        Args:
            name: spans of one name are kept in a list.

        Returns:
            Call it where the span ends.
        """
        start = self._now()
        return lambda: self._spans[name].append((start, self._now()))

    def time_forward(self, name: str, recognizer: BaseModel) -> None:
        """Time every forward pass, from the first of the backbone to the last of the head.

        Args:
            name: of the spans.
            recognizer: an MMAction2 recognizer; hooks stay on it.
        """
        ends: list[Callable[[], None]] = []

        def begin(*_: object) -> None:
            ends.append(self.span(name))

        def end(*_: object) -> None:
            ends.pop()()

        recognizer.backbone.register_forward_pre_hook(begin)
        recognizer.cls_head.register_forward_hook(end)

    def wait(self) -> None:
        """Wait for the device."""
        if self.on_cuda:
            torch.cuda.synchronize()

    def seconds(self) -> dict[str, list[float]]:
        """Return the length of each span, by name."""
        self.wait()
        return {
            name: [self._between(*span) for span in spans] for name, spans in self._spans.items()
        }

    def _now(self) -> Any:
        if not self.on_cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _between(self, start: Any, end: Any) -> float:
        return start.elapsed_time(end) / 1e3 if self.on_cuda else end - start


def tflop_of(step: Callable[[], object]) -> float:
    """Count convolutions and matrix products, attention included, forward and backward.

    Args:
        step: run once.

    Returns:
        10^12 floating-point operations, a multiply-add as two.
    """
    aten = torch.ops.aten
    on_cpu = {  # torch's own counter knows attention on the GPU only
        '_scaled_dot_product_flash_attention_for_cpu': _attention,
        '_scaled_dot_product_flash_attention_for_cpu_backward': _attention_backward,
    }
    # torch 2.1 has no operator of its own for the CPU, and counts the one that it takes there.
    mapping = {getattr(aten, name): count for name, count in on_cpu.items() if hasattr(aten, name)}
    with FlopCounterMode(display=False, custom_mapping=mapping) as counter:
        step()
    return counter.get_total_flops() / 1e12


def _attention(query: tuple, key: tuple, value: tuple, *_: object, **__: object) -> int:
    return sdpa_flop_count(query, key, value)


def _attention_backward(
    grad: tuple, query: tuple, key: tuple, value: tuple, *_: object, **__: object
) -> int:
    return sdpa_backward_flop_count(grad, query, key, value)


def peak_memory(device: str) -> float:
    """Return the peak memory since the process began.

    Args:
        device: 'cpu' or 'cuda'.

    Returns:
        Bytes that torch allocated on the GPU; on the CPU resident bytes of this process.
    """
    if device.startswith('cuda'):
        return torch.cuda.max_memory_allocated()
    in_kilobytes = sys.platform != 'darwin'
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if in_kilobytes else 1)
