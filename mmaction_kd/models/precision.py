"""The precision in which losses are computed."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Cast half precision to float32, as sums over classes overflow in half precision.

    Args:
        x: any floating tensor.

    Returns:
        float32 for float16 and bfloat16, else ``x``.
    """
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
