"""A test pipeline as plain data, for tools/deployment/predict_onnx.py to follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmaction_kd.datasets.transforms.pathway_pipelines import DECODE_STEPS, INIT_STEPS
from mmaction_kd.datasets.video_backends import step_kind

ME = 'export'
KNOWN: Mapping[str, Mapping[str, tuple]] = {
    'SampleFrames': dict(
        clip_len=(), frame_interval=(), num_clips=(), out_of_bound_opt=(), test_mode=(True,)
    ),
    'UniformSample': dict(clip_len=(), num_clips=(), test_mode=(True,)),
    'SnapFrames': dict(frame_interval=()),
    'Resize': dict(scale=(), keep_ratio=(), interpolation=('bilinear', 'area')),
    'CenterCrop': dict(crop_size=()),
    'ThreeCrop': dict(crop_size=()),
    'UniformThreeCrop': dict(crop_size=()),
}
"""Steps and settings that predict_onnx.py knows, and the values that a setting may have; (): any.

Settings that are left out have the host's defaults there, too.
"""
OFF = (None, False, 0)
SAMPLERS = ('SampleFrames', 'UniformSample')


def deployed_steps(test_pipeline: Sequence[Mapping]) -> dict[str, list[dict]]:
    """Return the steps of a test, by the graph's input.

    Args:
        test_pipeline: of a config.

    Returns:
        For each input (``clips``, or the pathways) its steps from the sampler to the crops.

    Raises:
        ValueError: a step or a setting is not known.
    """
    if len(test_pipeline) == 1 and step_kind(test_pipeline[0]) == 'PathwayPipelines':
        [step] = test_pipeline
        if step.get('inside'):
            raise ValueError(f'{ME}: PathwayPipelines must have no `inside`, got {step["inside"]}.')
        pathways = step['pathways']
    else:
        pathways = dict(clips=test_pipeline)
    return {name: _steps(name, steps) for name, steps in pathways.items()}


def _steps(name: str, steps: Sequence[Mapping]) -> list[dict]:
    left_out = (*INIT_STEPS, *DECODE_STEPS, 'FormatShape', 'PackActionInputs')
    kept = [dict(step, type=step_kind(step)) for step in steps if step_kind(step) not in left_out]
    for step in kept:
        known = KNOWN.get(step['type'])
        wrong = {
            key: value
            for key, value in step.items()
            if key != 'type'
            and value not in OFF
            and (known is None or key not in known or (known[key] and value not in known[key]))
        }
        if known is None or wrong or (step['type'] in SAMPLERS and 'test_mode' not in step):
            raise ValueError(
                f'{ME}: the test pipeline must be of steps that predict_onnx.py knows, '
                f'{ {kind: sorted(settings) for kind, settings in KNOWN.items()} }, got '
                f'{name}: {step}.'
            )
    kinds = [step['type'] for step in kept]
    fixed = kinds[-1].endswith('Crop') or not kept[-1].get('keep_ratio', True)
    if kinds[0] not in SAMPLERS or not fixed:
        raise ValueError(
            f'{ME}: the test pipeline must begin with {" or ".join(SAMPLERS)} and end with a crop '
            f'or Resize(keep_ratio=False), so that the size is fixed, got {name}: {kinds}.'
        )
    return kept
