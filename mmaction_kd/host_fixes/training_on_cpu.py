"""Training without a GPU: several processes, SyncBN, and mixed precision.

No process group is created at import: a worker process that inherits ``RANK`` would hang in it.
MMEngine still creates the group when its Runner starts.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from mmaction_kd.host_fixes.fix import Fix, source_of

_CPU_BACKENDS = ('gloo', 'mpi')


def _is_on_cpu() -> bool:
    from mmengine.device import get_device

    return get_device() == 'cpu'


def _launchers_need_cuda() -> bool:
    return 'torch.cuda.set_device(local_rank)' in source_of('mmengine.dist.utils') and _is_on_cpu()


@contextlib.contextmanager
def _no_cuda_device_to_set() -> Iterator[None]:
    import torch

    set_device = torch.cuda.set_device
    torch.cuda.set_device = lambda device: None  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.cuda.set_device = set_device


def _on_gloo(init: Callable) -> Callable:
    @functools.wraps(init)
    def init_dist(backend: str, *args: Any, **kwargs: Any) -> None:
        with _no_cuda_device_to_set():
            init(backend if backend in _CPU_BACKENDS else 'gloo', *args, **kwargs)
        atexit.register(_leave_group)

    return init_dist


def _leave_group() -> None:
    """Destroy the process group; gloo aborts some processes that leave this to Python's exit."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def _init_on_gloo(dist_utils: Any) -> None:
    for launcher in ('pytorch', 'slurm', 'mpi'):
        name = f'_init_dist_{launcher}'
        setattr(dist_utils, name, _on_gloo(getattr(dist_utils, name)))


def _ddp_needs_cuda() -> bool:
    return (
        "device_ids=[int(os.environ['LOCAL_RANK'])]" in source_of('mmengine.runner.runner')
        and _is_on_cpu()
    )


def _wrap_on_cpu(distributed: Any) -> None:
    wrapper = distributed.MMDistributedDataParallel
    host_init = wrapper.__init__

    @functools.wraps(host_init)
    def init(self: Any, module: Any, *args: Any, **kwargs: Any) -> None:
        from mmengine.model import revert_sync_batchnorm
        from torch.nn import SyncBatchNorm

        if all(parameter.device.type == 'cpu' for parameter in module.parameters()):
            if any(isinstance(part, SyncBatchNorm) for part in module.modules()):
                warnings.warn(
                    'MMDistributedDataParallel: SyncBN needs a GPU, got a model on the CPU; BN is '
                    'used instead, with statistics of each rank alone.',
                    stacklevel=2,
                )
            module = revert_sync_batchnorm(module)
            kwargs.pop('device_ids', None)
            kwargs.pop('output_device', None)
        host_init(self, module, *args, **kwargs)

    wrapper.__init__ = init


def _amp_needs_accelerator() -> bool:
    refusal = 'assert is_cuda_available()'
    return refusal in source_of('mmengine.optim.optimizer.amp_optimizer_wrapper') and _is_on_cpu()


def _autocast_on_cpu(amp: Any) -> None:
    """Use bfloat16 without a loss scaler, as it has the range of float32.

    Gradients are computed without oneDNN: those of the weights of a 3D convolution with padding in
    time and small maps are wrong by any factor, or NaN (torch 2.1 and 2.14).
    """
    import torch

    def init(
        self: Any,
        loss_scale: Any = 'dynamic',
        dtype: Any = None,
        use_fsdp: bool = False,
        **kwargs: Any,
    ) -> None:
        amp.OptimWrapper.__init__(self, **kwargs)
        self._scale_update_param = None
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', FutureWarning)  # torch >= 2.3 renamed it
            self.loss_scaler = amp.GradScaler(enabled=False)
        self.cast_dtype = torch.bfloat16  # the only fast type of torch's CPU autocast
        if dtype not in (None, 'bfloat16', torch.bfloat16):
            warnings.warn(
                f'AmpOptimWrapper: on the CPU dtype must be bfloat16, got {dtype!r}; '
                'bfloat16 is used.',
                stacklevel=2,
            )

    wrapper = amp.AmpOptimWrapper
    host_backward = wrapper.backward

    def backward(self: Any, loss: Any, **kwargs: Any) -> None:
        with torch.backends.mkldnn.flags(enabled=False):
            host_backward(self, loss, **kwargs)

    wrapper.__init__ = functools.wraps(wrapper.__init__)(init)
    wrapper.backward = functools.wraps(host_backward)(backward)


FIXES = (
    Fix(
        name='Found no NVIDIA driver: several processes without a GPU',
        hosts=('mmengine',),
        module='mmengine.dist.utils',
        fault=_launchers_need_cuda,
        patch=_init_on_gloo,
        remedy='train in one process, or on a GPU',
    ),
    Fix(
        name='DDP refuses device_ids, SyncBN refuses the CPU',
        hosts=('mmengine', 'torch'),
        module='mmengine.model.wrappers.distributed',
        fault=_ddp_needs_cuda,
        patch=_wrap_on_cpu,
        remedy='train in one process, or on a GPU',
    ),
    Fix(
        name='--amp is refused on the CPU',
        hosts=('mmengine',),
        module='mmengine.optim.optimizer.amp_optimizer_wrapper',
        fault=_amp_needs_accelerator,
        patch=_autocast_on_cpu,
        remedy='train without --amp',
    ),
)
