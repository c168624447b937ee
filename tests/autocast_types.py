"""The types that torch's autocast takes on the CPU; torch 2.1 knows bfloat16 only."""

import warnings

import pytest
import torch


def takes(dtype):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # an old torch warns before it fails
        try:
            with torch.autocast('cpu', dtype):
                return True
        except RuntimeError:
            return False


AUTOCAST_TYPES = [
    pytest.param(
        dtype,
        marks=pytest.mark.skipif(
            not takes(dtype), reason=f"this torch's autocast takes no {dtype} on the CPU"
        ),
    )
    for dtype in (torch.float16, torch.bfloat16)
]
