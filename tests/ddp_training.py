"""Training in two gloo processes, and in one that has the whole batch, to compare the two."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TESTS = Path(__file__).parent


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


def two_processes(worker, folder, *arguments):
    """Run a script on two ranks; returns what each wrote to ``folder/rankN.pth``."""
    env = dict(os.environ, PYTHONPATH=str(TESTS), OMP_NUM_THREADS='1')
    command = [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--nproc_per_node=2']
    command += ['--standalone', str(worker), str(folder), *arguments]  # on a port that is free
    subprocess.run(command, check=True, env=env, timeout=300)
    return [torch.load(folder / f'rank{rank}.pth') for rank in range(2)]


def assert_equal(ranks, single):
    """Gradients and parameters of both ranks within 1e-6 of those of the whole batch."""
    for part in ('first', 'last', 'parameters'):
        for name, value in single[part].items():
            for rank in ranks:
                where = part, name
                assert rank[part][name].numpy() == pytest.approx(value.numpy(), abs=1e-6), where
