"""In which precision losses are computed."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Out of half precision, as autocast gives it: sums over classes overflow there.

    Args:
        x: any floating tensor.

    Returns:
        float32 for float16 and bfloat16, else as it is.
    """
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
