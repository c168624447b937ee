"""Functions on gloo ranks, and training there against one process that has the whole batch.

The ranks are real processes. They are forked from one that has imported all they need, so that a
rank costs no start of Python.
"""

import multiprocessing
import os
import pickle
import socket
import time

import pytest
import torch

FORKS = multiprocessing.get_context('forkserver')
FORKS.set_forkserver_preload(
    [
        *('mmaction_kd.models', 'mmaction_kd.datasets', 'mmaction_kd.engine'),
        *('mmaction_kd.evaluation', 'mmaction.models', 'mmpretrain.models', 'pytest'),
    ]
)
MINUTES = 5
MANY = [(2, 4), *(pytest.param(*pair, marks=pytest.mark.slow) for pair in ((2, 50), (4, 12)))]
"""Ranks and steps."""


def on_ranks(function, folder, *arguments, num=2):
    """Run a function on gloo ranks.

    Args:
        function: of a module, so that another process finds it.
        folder: where the ranks leave what the function returns.
        arguments: of the function, the same on each rank.
        num: how many ranks.

    Returns:
        What it returned on each rank.
    """
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    ranks = [
        FORKS.Process(target=_rank, args=(function, folder, arguments, rank, num, port))
        for rank in range(num)
    ]
    for process in ranks:
        process.start()
    end = time.monotonic() + 60 * MINUTES
    for process in ranks:
        process.join(max(0, end - time.monotonic()))
    hung = [rank for rank, process in enumerate(ranks) if process.is_alive()]
    for process in ranks:
        process.kill()
    assert not hung, f'ranks {hung} hang'
    codes = [process.exitcode for process in ranks]
    assert not any(codes), f'the ranks ended with {codes}'
    return [pickle.loads((folder / f'rank{rank}.pkl').read_bytes()) for rank in range(num)]


def _rank(function, folder, arguments, rank, num, port):
    """What a rank does: as a launcher would start it."""
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(num))
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    torch.set_num_threads(1)
    from mmengine.dist import init_dist

    init_dist('pytorch', backend='nccl')
    (folder / f'rank{rank}.pkl').write_bytes(pickle.dumps(function(*arguments)))
    torch.distributed.destroy_process_group()


def train(model, batches, lr, share):
    """SGD over the batches.

    Args:
        model: as it is, or in DDP.
        batches: inputs and samples.
        lr: learning rate.
        share: the name of a logged value.

    Returns:
        The gradients of the first and of the last step, the parameters, and the value at each step.
    """
    module = getattr(model, 'module', model)
    optimizer = torch.optim.SGD(module.parameters(), lr=lr)
    grads, shares = [], []
    for inputs, samples in batches:
        losses = model(inputs, samples, mode='loss')
        optimizer.zero_grad()
        module.parse_losses(losses)[0].backward()
        grads.append({n: p.grad.clone() for n, p in module.named_parameters() if p.requires_grad})
        optimizer.step()
        shares.append(losses[share].item())
    return dict(first=grads[0], last=grads[-1], parameters=module.state_dict(), shares=shares)


def assert_equal(ranks, single, tolerance=1e-6):
    """Gradients and parameters of all ranks are those of the whole batch."""
    for part in ('first', 'last', 'parameters'):
        for name, value in single[part].items():
            for rank in ranks:
                where = part, name
                assert rank[part][name].numpy() == pytest.approx(value.numpy(), abs=tolerance), (
                    where
                )
