"""Stack and normalise the inputs of several pathways, each in its own way."""

from collections.abc import Mapping

from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmengine.model import BaseDataPreprocessor
from torch import nn

from mmaction_kd.options import checked_options
from mmaction_kd.registry import MODELS


@MODELS.register_module()
class PathwayDataPreprocessor(BaseDataPreprocessor):
    """Give each pathway's inputs to that pathway's own preprocessor.

    The batch is moved to the device once, here; a pathway's preprocessor stacks and normalises.
    None may blend (Mixup, CutMix): each would mix other videos with other weights, and the pathways
    would no longer share one sample and label.

    Args:
        pathways: maps each pathway's name to its preprocessor: a built
            :class:`ActionDataPreprocessor` (which may be shared with the pathway's recognizer)
            or its config.

    Raises:
        TypeError: a preprocessor is no ActionDataPreprocessor.
        ValueError: a preprocessor blends, or a batch holds other pathways.
    """

    @checked_options
    def __init__(self, pathways: Mapping[str, dict | ActionDataPreprocessor]) -> None:
        super().__init__()
        self.pathways = nn.ModuleDict()
        for name, given in pathways.items():
            preprocessor = MODELS.build(given) if isinstance(given, dict) else given
            if not isinstance(preprocessor, ActionDataPreprocessor):
                raise TypeError(
                    f'PathwayDataPreprocessor: {name} must have an ActionDataPreprocessor, '
                    f'got {type(preprocessor).__name__}.'
                )
            if preprocessor.blending is not None:
                raise ValueError(
                    f'PathwayDataPreprocessor: {name} must not blend, got '
                    f'{type(preprocessor.blending).__name__}; pathways would be mixed '
                    f'differently, so set data_preprocessor=dict(blending=None) in {name}.'
                )
            self.pathways[name] = preprocessor

    def forward(self, data: dict, training: bool = False) -> dict:
        """Turn a collated batch into the model's input.

        Args:
            data: ``inputs`` maps each pathway's name to its N inputs: a list of N tensors
                (``pseudo_collate``) or a tensor with a leading N (``default_collate``), each
                input (V, C, T, H, W) or as the pathway packs it. ``data_samples`` holds the N
                samples.
            training: whether the batch is for training.

        Returns:
            The same keys; each pathway's inputs as one tensor with a leading N.

        Raises:
            ValueError: the names in ``inputs`` are not those of the pathways.
        """
        data = self.cast_data(data)
        inputs = data['inputs']
        if set(inputs) != set(self.pathways):
            got = sorted(inputs) if isinstance(inputs, dict) else type(inputs).__name__
            raise ValueError(
                f'PathwayDataPreprocessor: inputs must hold the pathways {sorted(self.pathways)}, '
                f'got {got}; use the same names in PathwayPipelines and in the model.'
            )
        # `preprocess`, not `forward`: a shared preprocessor may still be on another device.
        stacked = {
            name: preprocessor.preprocess(  # type: ignore[operator]  # ModuleDict: any Module
                list(inputs[name]), data['data_samples'], training
            )[0]
            for name, preprocessor in self.pathways.items()
        }
        return {**data, 'inputs': stacked}
