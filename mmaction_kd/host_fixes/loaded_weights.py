"""Refuse a checkpoint of another model, where MMEngine would continue with random weights.

Loaded weights are detected by writes to parameters, not by comparing names: modules rename and
reshape what they load.
"""

from __future__ import annotations

from typing import Literal

from torch import nn
from torch.nn.modules.module import _IncompatibleKeys
from torch.utils.hooks import RemovableHandle

Needed = Literal['answers', 'all', 'any']
ONLY_TRAINED = ('distill_loss.', 'trained_teachers.')
"""Parts of a model that its predictions do not depend on."""
STUDENT = 'student.'
SHOWN = 3
HOLDS: dict[Needed, str] = dict(
    answers='all weights that the answers of the model depend on',
    all='all weights of the model',
    any='weights of the model',
)


def check_next_load(
    model: nn.Module, owner: str, checkpoint: str, needed: Needed
) -> RemovableHandle:
    """Let the next loading of a checkpoint into a model fail if the two do not fit.

    MMEngine, and with it MMAction2, takes the weights whose names and shapes fit and prints the
    others as a warning, so that the scores of a test may be those of random weights.

    Args:
        model: not wrapped.
        owner: who loads, for the error.
        checkpoint: path or URL, for the error.
        needed: which parameters it must have: 'all'; 'answers', all that predictions depend on; or
            'any', at least one, as where training starts from the weights of another task.

    Returns:
        To be removed after the loading, which raises ValueError; in a ``with`` it removes itself.
    """
    before = {
        name: _state(weight)
        for name, weight in model.named_parameters()
        if needed != 'answers' or not name.startswith(ONLY_TRAINED)
    }

    def compare(_: nn.Module, __: _IncompatibleKeys) -> None:
        now = dict(model.named_parameters())
        left = [name for name, was in before.items() if _state(now[name]) == was]
        if not left or (needed == 'any' and len(left) < len(before)):
            return
        shown = ', '.join(
            f'{name.removeprefix(STUDENT)} {tuple(now[name].shape)}' for name in left[:SHOWN]
        )
        raise ValueError(
            f'{owner}: {checkpoint} must hold {HOLDS[needed]}, in the same shape, got none for '
            f'{len(left)} of {len(before)}: {shown}{", ..." if len(left) > SHOWN else ""}; give a '
            'checkpoint of this config, or the config of this checkpoint (also its number of '
            'classes).'
        )

    return model.register_load_state_dict_post_hook(compare)


def _state(weight: nn.Parameter) -> tuple[int, int, int]:
    """Return a state that changes with every write to the weight."""
    return id(weight), weight._version, weight.data_ptr()
