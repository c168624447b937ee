"""Write a recognizer as ONNX, quantise it, and compare it with PyTorch."""

from __future__ import annotations

import inspect
import json
import logging
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from torch import nn

from mmaction_kd.deployment.deployed_model import DeployedMBD

METADATA = 'mmaction_kd'
"""Key of the JSON in the file: ``inputs`` (the steps of each), ``classes``."""
FLOAT_SHARE = 0.005
"""Of the weights, in the first layers, which INT8 leaves in float."""
Clips = dict[str, np.ndarray]


def clips_of(data: Mapping, names: Sequence[str]) -> Clips:
    """Make a graph's inputs from one video.

    Args:
        data: what a test pipeline packed, ``inputs``: (V, C, T, H, W) or (V·T, C, H, W), uint8, or
            a dict of such.
        names: of the graph's inputs.

    Returns:
        (1, V, T, H, W, C) or (1, V·T, H, W, C) by name.
    """
    inputs = data['inputs']
    if not isinstance(inputs, Mapping):
        inputs = dict.fromkeys(names, inputs)
    return {name: np.ascontiguousarray(inputs[name].movedim(1, -1)[None]) for name in names}


def write_onnx(
    model: nn.Module, clips: Clips, path: Path, steps: Mapping, classes: Sequence[str] = ()
) -> None:
    """Export with dynamo; videos, and views of a 3D recognizer, may be any number.

    Args:
        model: of :func:`~mmaction_kd.deployment.deployed`.
        clips: of one video, see :func:`clips_of`; for the shapes.
        path: where to.
        steps: of :func:`~mmaction_kd.deployment.deployed_steps`.
        classes: their names.

    Raises:
        ImportError: onnx or onnxscript is not installed.
    """
    check_installed()
    # Two of each: a size of 1 would be taken for a constant.
    examples = {name: torch.from_numpy(np.concatenate([x] * 2)) for name, x in clips.items()}
    videos = torch.export.Dim('videos')
    shapes: dict[str, dict[int, Any]] = {}
    for name, example in examples.items():
        shapes[name] = {0: videos}
        if example.ndim == 6:
            examples[name] = torch.cat([example[:, :1]] * 2, 1)
            # A fusion that is trained joins the views of both pathways, one by one.
            own = not getattr(model, 'joins_views', False)
            views = f'{name.removesuffix("_pathway")}_views' if own else 'views'
            shapes[name][1] = torch.export.Dim(views)
    outputs = DeployedMBD.OUTPUTS if isinstance(model, DeployedMBD) else ('scores',)
    # With gradients VTN takes each clip on its own; finding equal frames is for PyTorch only.
    with torch.enable_grad(), _quiet():
        exported = torch.export.export(model, (), examples, dynamic_shapes=shapes)
        program = torch.onnx.export(
            exported, dynamo=True, output_names=list(outputs), verbose=False
        )
    assert program is not None  # None only of the exporter without dynamo
    described = dict(inputs=steps, classes=list(classes))
    program.model.metadata_props[METADATA] = json.dumps(described)
    program.save(path, external_data=False)


class Agreement(NamedTuple):
    """ONNX Runtime against PyTorch on some videos."""

    videos: int
    difference: float
    """Largest difference of a score."""
    same_top1: int
    """Videos."""
    right: int
    """Videos that ONNX Runtime gets right."""
    right_in_pytorch: int


def compare_onnx(
    path: Path, model: BaseModel, videos: Iterable[Mapping], pathway: str | None = None
) -> Agreement:
    """Run the test of the model itself and the file on the same videos.

    Args:
        path: of the ONNX file.
        model: the recognizer, with its own preprocessor.
        videos: what the test pipeline packed of each, with a label.
        pathway: of MBD, whose scores are compared.

    Returns:
        How far they agree.
    """
    session = open_session(path)
    names = [x.name for x in session.get_inputs()]
    field = f'{pathway}_score' if pathway else 'pred_score'
    count, largest, same, right, right_in_pytorch = 0, 0.0, 0, 0, 0
    with _ungated(model) if pathway else nullcontext():
        for data in videos:
            with torch.no_grad():
                [sample] = model.test_step(pseudo_collate([data]))
            clips = clips_of(data, _graph_inputs(names, data, pathway))
            found = session.run(None, dict(zip(names, clips.values(), strict=True)))[0][0]
            expected = sample.get(field).float().cpu().numpy()
            label = int(sample.gt_label)
            count += 1
            largest = max(largest, float(np.abs(found - expected).max()))
            same += int(found.argmax() == expected.argmax())
            right += int(found.argmax() == label)
            right_in_pytorch += int(expected.argmax() == label)
    return Agreement(count, largest, same, right, right_in_pytorch)


def quantize(path: Path, out: Path, videos: Iterable[Mapping], pathway: str | None = None) -> None:
    """Quantise to INT8 by ONNX Runtime: static, QDQ, weights per channel.

    The first layers stay in float: they have few weights, and every later layer sees their error.

    Args:
        path: of the ONNX file.
        out: where to.
        videos: what the test pipeline packed of each; activations are calibrated on them.
        pathway: see :func:`compare_onnx`.

    Raises:
        ImportError: onnxruntime is not installed.
    """
    check_installed()
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    names = [x.name for x in open_session(path).get_inputs()]

    class Videos(CalibrationDataReader):
        def __init__(self) -> None:
            self._videos = iter(videos)

        def get_next(self) -> dict | None:
            data = next(self._videos, None)
            if data is None:
                return None
            clips = clips_of(data, _graph_inputs(names, data, pathway))
            return dict(zip(names, clips.values(), strict=True))

    prepared = out.with_suffix('.prepared')
    try:
        with _quiet():
            quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared),
                str(out),
                Videos(),
                quant_format=QuantFormat.QDQ,
                # With Clip and Relu they are part of the range: else few of the 256 steps are left
                # to what a ReLU6 lets through.
                op_types_to_quantize=['Conv', 'Clip', 'Relu', 'Gemm', 'MatMul'],
                nodes_to_exclude=first_layers(onnx.load(str(prepared)).graph),
                per_channel=True,
            )
    finally:
        prepared.unlink(missing_ok=True)
    quantised = onnx.load(str(out))
    kept = {prop.key: prop.value for prop in onnx.load(str(path)).metadata_props}
    onnx.helper.set_model_props(quantised, kept)
    onnx.save(quantised, str(out))


def open_session(path: Path, threads: int = 1) -> Any:
    """Open an ONNX Runtime session on the CPU.

    Args:
        path: of the file.
        threads: of one run.

    Returns:
        ``onnxruntime.InferenceSession``.
    """
    check_installed()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def check_installed() -> None:
    """Refuse to begin without the packages of the extra ``deploy``.

    Raises:
        ImportError: one is missing, or PyTorch is too old.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'export: the packages of the extra `deploy` must be installed, got {error}; run '
            '`pip install -c requirements/constraints.txt ".[deploy]"`.'
        ) from error
    if 'dynamo' not in inspect.signature(torch.onnx.export).parameters:
        raise ImportError(
            f'export: torch must have torch.onnx.export(dynamo=True), got {torch.__version__}; '
            'install a newer one.'
        )


def _graph_inputs(names: Sequence[str], data: Mapping, pathway: str | None) -> list[str]:
    """Return the keys of a video's inputs in the order of the graph's: of one pathway that one."""
    if pathway is not None and isinstance(data['inputs'], Mapping):
        return [f'{pathway}_pathway']
    return list(names)


def first_layers(graph: Any) -> list[str]:
    """Return the names of the nodes nearest to the inputs, which have FLOAT_SHARE of the weights.

    Args:
        graph: of onnx.

    Returns:
        Names, from each input alike.
    """
    sizes = {weight.name: math.prod(weight.dims) for weight in graph.initializer}
    depth: dict[str, int] = {}
    for node in graph.node:  # each behind those that it needs
        behind = 1 + max((depth.get(name, 0) for name in node.input), default=0)
        depth |= dict.fromkeys(node.output, behind)
    nodes = sorted(graph.node, key=lambda node: depth[node.output[0]])
    held = np.cumsum([sum(sizes.get(name, 0) for name in node.input) for node in nodes])
    most = FLOAT_SHARE * held[-1]
    return [node.name for node, up_to in zip(nodes, held, strict=True) if up_to <= most]


@contextmanager
def _ungated(model: BaseModel) -> Iterator[None]:
    """Both pathways see every video: one that is compared alone has scores for each."""
    gate, model.fusion_head.gate = model.fusion_head.gate, None  # type: ignore[union-attr]
    try:
        yield
    finally:
        model.fusion_head.gate = gate  # type: ignore[union-attr]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the log of the exporter and of the quantiser; errors are raised."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(logging.NOTSET)
