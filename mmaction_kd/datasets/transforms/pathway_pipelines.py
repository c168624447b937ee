"""Several MMAction2 pipelines over one video, which is opened and decoded once."""

import copy
import keyword
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose

from mmaction_kd.datasets.reader_process import ReaderFault
from mmaction_kd.datasets.transforms.auto_video import AutoVideoDecode, AutoVideoInit
from mmaction_kd.datasets.transforms.shared_frames import SharedFrameSteps
from mmaction_kd.datasets.video_backends import (
    AUTO,
    VIDEO_BACKENDS,
    BackendSteps,
    is_installed,
    other_readers,
    step_kind,
)
from mmaction_kd.options import Count, checked_options
from mmaction_kd.registry import TRANSFORMS

INIT_STEPS = (*(backend.init for backend in VIDEO_BACKENDS.values()), 'AutoVideoInit')
DECODE_STEPS = (
    *(backend.decode for backend in VIDEO_BACKENDS.values()),
    'AutoVideoDecode',
    'RawFrameDecode',
    'ArrayDecode',
)


@TRANSFORMS.register_module()
class PathwayPipelines(BaseTransform):
    """Run an ordinary MMAction2 pipeline for each pathway on one decode of the video.

    Every pipeline is cut at its ``*Decode`` step. First the samplers of all pathways run, then the
    union of their frame indices is decoded once, then each pathway's later steps run on its own
    frames in its own order. The frames are bit-equal to those of separate pipelines at the same
    indices. A frame that several clips of a pathway have is resized, cropped and flipped once
    (:class:`SharedFrameSteps`); frames are copied only where a step may write into them.

    Random numbers are drawn by all samplers first, then by all later steps, each time in the
    alphabetical order of the pathways' names (MMEngine sorts the keys of a config it dumps, and
    a dumped config must repeat the run). Pathways sample and augment independently, but for
    ``inside``.

    The input has an ``array``, a folder of frames (``frame_dir``), or a video file (``filename``,
    enough on its own). A ``video_reader`` of an earlier step is used if it is of the same backend.

    Args:
        pathways: each pathway's pipeline by name, a list of step configs as in a stock config:
            samplers, one ``*Decode`` step, and the rest up to ``PackActionInputs``. Of ``*Init``
            and ``*Decode`` steps only the arguments for the backend are used; the pathways must
            agree on them.
        backend: reader of video files: ``decord``, ``pyav``, ``opencv``, or ``auto``, for each
            file the first of these that can (:class:`AutoVideoInit`). On the files tried they give
            the same frames, but for rounding in some old AVI (2 of 255 at most), OpenCV in the
            least CPU time.
        inside: maps a pathway to another, which samples first; the former then samples between the
            first and the last frame of the latter's clips. Both see the same moment and fewer
            frames are decoded; the ends of a video that is longer than the other's clip are
            sampled less often.
        decode_short_side: short side, in pixels, to which decord resizes large frames as it
            decodes, see :class:`ResizingDecordInit`; the largest that any pathway resizes to.
            None: no resizing.

    Raises:
        ValueError: there is no pathway, a name or a pipeline can't be used, the pathways want
            different readers, the backend is unknown, ``inside`` names others than pathways or one
            that itself samples inside another, or ``decode_short_side`` is less than 1 or not for
            this backend.
        ImportError: the backend's package is missing.

    Example:
        >>> from mmengine.registry import init_default_scope
        >>> init_default_scope('mmaction')
        >>> video = dict(array=np.zeros((40, 32, 32, 3), np.uint8), total_frames=40,
        ...              start_index=0, modality='RGB')
        >>> def pathway(clip_len, stride):
        ...     return [dict(type='SampleFrames', clip_len=clip_len, frame_interval=stride),
        ...             dict(type='DecordDecode'),
        ...             dict(type='FormatShape', input_format='NCTHW'),
        ...             dict(type='PackActionInputs')]
        >>> transform = PathwayPipelines(dict(near=pathway(16, 1), far=pathway(8, 4)))
        >>> {name: tuple(clip.shape) for name, clip in transform(video)['inputs'].items()}
        {'far': (1, 3, 8, 32, 32), 'near': (1, 3, 16, 32, 32)}
    """

    @checked_options
    def __init__(
        self,
        pathways: Mapping[str, Sequence[dict]],
        backend: Literal['decord', 'pyav', 'opencv', 'auto'] = 'decord',
        inside: Mapping[str, str] | None = None,
        decode_short_side: Count | None = None,
    ) -> None:
        _check_names(pathways)
        _check_backend(backend)
        if decode_short_side is not None and backend != 'decord':
            raise ValueError(
                "PathwayPipelines: decode_short_side needs backend='decord', the only one that "
                f'shrinks frames as it decodes, got {backend!r}.'
            )
        self.backend = backend
        self.decode_short_side = decode_short_side
        self.inside = dict(inside or {})
        _check_inside(self.inside, pathways)
        self._samplers = {}
        self._finishers = {}
        for name, steps in sorted(pathways.items()):
            samplers, later_steps = _cut_at_decode(name, steps)
            self._samplers[name] = Compose(samplers)
            self._finishers[name] = SharedFrameSteps(later_steps)
        self._init, decode = _reading_steps(backend, pathways, decode_short_side)
        self._decoders = {
            'filename': decode,
            'frame_dir': Compose([_agreed_step('RawFrameDecode', pathways)]),
            'array': Compose([_agreed_step('ArrayDecode', pathways)]),
        }

    def transform(self, results: dict) -> dict | None:
        """Sample, decode once, finish each pathway, and merge.

        Args:
            results: of a dataset or an inferencer: ``filename``, or ``frame_dir`` or ``array`` with
                their usual keys, and a ``label`` where there is one.

        Returns:
            dict | None: ``inputs`` maps each pathway's name to its packed ``inputs``.
            ``data_samples`` is one sample with the data fields and metainfo of all pathways; the
            alphabetically first pathway has precedence. Its metainfo ``pathways`` maps each name to
            that pathway's metainfo; ``filename`` or ``frame_dir`` names the video in errors. None
            where a pathway's step returns None, so that a dataset draws another sample.

        Raises:
            ValueError: there is nothing to read, or no frame, or a pathway changes the label, or
                one samples by a frame rate that is not known.
            IndexError: a pathway samples a frame that the video does not have.
            RuntimeError: the video can't be read.
        """
        pathways, imgs = self.decode(results)
        *_, last = pathways
        packed: dict[str, dict] = {}
        for name, pathway in pathways.items():
            finish = self._finishers[name]
            distinct, uses = np.unique(pathway['frame_inds'], return_inverse=True)
            own = [imgs[index] for index in distinct.tolist()]
            if finish.writes and (name != last or 'array' in results):
                own = [img.copy() for img in own]  # another pathway or the caller has them too
            pack = finish(pathway, own, uses)
            if pack is None:
                return None
            packed[name] = pack
        merged = merge_data_samples({name: pack['data_samples'] for name, pack in packed.items()})
        for source in ('filename', 'frame_dir'):
            if source in results:
                merged.set_metainfo({source: str(results[source])})
        return dict(
            inputs={name: pack['inputs'] for name, pack in packed.items()}, data_samples=merged
        )

    def decode(self, results: dict) -> tuple[dict[str, dict], dict[int, np.ndarray]]:
        """Sample the pathways' frames and decode them, the first half of :meth:`transform`.

        Args:
            results: as in :meth:`transform`.

        Returns:
            tuple[dict[str, dict], dict[int, np.ndarray]]: the result of each pathway's own Decode
            step without ``imgs``; and the images of all pathways by frame index.
        """
        source = _source_key(results)
        origin = results[source] if source != 'array' else 'the array'
        with _errors_naming(origin, self.backend):
            video = self._open(results) if source == 'filename' else results
        if video['total_frames'] < 1:
            raise ValueError(
                f'PathwayPipelines: {origin} must hold at least one frame, got total_frames='
                f'{video["total_frames"]}; it is empty or broken, or its header does not '
                'have the number (then try another backend).'
            )
        self._check_frame_rate(video, origin)

        pathways = self._sample(video)
        first = video['start_index']
        for name, pathway in pathways.items():
            pathway['frame_inds'] = np.ravel(pathway['frame_inds'])
            last = first + video['total_frames'] - 1
            _check_indices(name, pathway['frame_inds'], first, last, origin)

        union = np.unique(np.concatenate([pathway['frame_inds'] for pathway in pathways.values()]))
        with _errors_naming(origin, self.backend):
            decoded = self._decoders[source]({**video, 'frame_inds': union})
        imgs = dict(zip(union.tolist(), decoded.pop('imgs'), strict=True))
        # img_shape, original_shape, ... and the release of video_reader
        left_by_decoder = {
            key: value
            for key, value in decoded.items()
            if key != 'frame_inds' and value is not video.get(key)
        }
        for pathway in pathways.values():
            pathway.update(left_by_decoder)
        return pathways, imgs

    def _check_frame_rate(self, video: dict, origin: str) -> None:
        """Refuse ``target_fps`` where it would have no effect."""
        if video.get('avg_fps'):
            return
        for name, samplers in self._samplers.items():
            for step in samplers.transforms:
                if getattr(step, 'target_fps', None) is not None:
                    raise ValueError(
                        f'PathwayPipelines: {origin} must have a frame rate, as {name} samples '
                        f"with target_fps={step.target_fps}, got none; give 'avg_fps' with "
                        'a folder of frames or an array, or set target_fps=None.'
                    )

    def _sample(self, video: dict) -> dict[str, dict]:
        """Run the samplers; a pathway inside another comes after that one."""
        sampled: dict[str, dict] = {}
        for name in sorted(self._samplers, key=lambda name: (name in self.inside, name)):
            own = _own_copy(video)
            if name in self.inside:
                span = sampled[self.inside[name]]['frame_inds']
                own.update(start_index=int(span.min()), total_frames=int(np.ptp(span)) + 1)
            sampled[name] = self._samplers[name](own)
            if name in self.inside:
                sampled[name].update(
                    start_index=video['start_index'], total_frames=video['total_frames']
                )
        return {name: sampled[name] for name in self._samplers}

    def _open(self, results: dict) -> dict:
        """Open the video file unless an earlier step did so with the same backend and size."""
        video = {'start_index': 0, 'modality': 'RGB', **results}
        if self.backend == AUTO:
            is_open = video.get('video_reader') is not None and 'video_backend' in video
        else:
            package = type(video.get('video_reader')).__module__.split('.')[0]
            is_open = package == VIDEO_BACKENDS[self.backend].package
        if is_open and self.decode_short_side is None:
            return video
        for key in ('video_reader', 'avg_fps'):  # what another backend's Init may have left
            video.pop(key, None)
        return self._init(video)

    def __repr__(self) -> str:
        pathways = ', '.join(
            f'{name}={samplers.transforms + self._finishers[name].transforms}'
            for name, samplers in self._samplers.items()
        )
        return (
            f"{self.__class__.__name__}(backend='{self.backend}', pathways=dict({pathways}), "
            f'inside={self.inside}, decode_short_side={self.decode_short_side})'
        )


def merge_data_samples(samples: Mapping[str, ActionDataSample]) -> ActionDataSample:
    """Merge the pathways' samples into the first: add the fields that it lacks.

    Args:
        samples: by pathway.

    Returns:
        The first sample; its metainfo ``pathways`` has each pathway's metainfo.

    Raises:
        ValueError: the pathways' labels differ.
    """
    metainfo = {name: sample.metainfo for name, sample in samples.items()}
    labels = {name: sample.gt_label for name, sample in samples.items() if 'gt_label' in sample}
    merged, *others = samples.values()
    if any(not torch.equal(label, merged.gt_label) for label in labels.values()):
        raise ValueError(
            'PathwayPipelines: the pathways must agree on the label, got '
            f'{ {name: label.tolist() for name, label in labels.items()} }; '
            "a step that changes it, such as Flip with flip_label_map, can't be used."
        )
    for sample in others:
        merged.set_data({key: value for key, value in sample.items() if key not in merged})
    merged.set_metainfo(dict(pathways=metainfo))
    return merged


def _own_copy(video: dict) -> dict:
    """Copy what a step of one pathway could change for another; the source itself is shared."""
    shared = ('video_reader', 'array')
    return {key: value if key in shared else copy.deepcopy(value) for key, value in video.items()}


def _source_key(results: dict) -> str:
    for key in ('array', 'frame_dir', 'filename'):
        if key in results:
            return key
    raise ValueError(
        "PathwayPipelines: the input must hold 'filename' (a video file), 'frame_dir' (a folder of "
        f"frames) or 'array', got the keys {sorted(results)}."
    )


@contextmanager
def _errors_naming(origin: str, backend: str) -> Iterator[None]:
    """Name the file in an error: readers raise many types, most of them without it."""
    try:
        yield
    except Exception as error:
        others = other_readers(origin, backend) if backend != AUTO else ''
        raise RuntimeError(
            f'PathwayPipelines: {origin} must be readable, got {ReaderFault.of(error).reason}; '
            f'{others or "it may be missing, empty or broken"}.'
        ) from error


def _check_indices(name: str, inds: np.ndarray, first: int, last: int, origin: str) -> None:
    outside = inds[(inds < first) | (inds > last)]
    if outside.size:
        raise IndexError(
            f'PathwayPipelines: {name} must sample frames {first} to {last} of {origin}, '
            f'got {outside.tolist()}; see the steps before its Decode.'
        )


def _check_names(pathways: Mapping[str, Sequence[dict]]) -> None:
    if not pathways:
        raise ValueError(
            'PathwayPipelines: pathways must hold at least one pipeline, got none; '
            'give dict(local_pathway=[...], global_pathway=[...]).'
        )
    for name in pathways:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise ValueError(
                'PathwayPipelines: a pathway name must be a Python identifier and no keyword '
                f'(MMEngine dumps configs as Python), got {name!r}; e.g. global_pathway.'
            )


def _check_backend(backend: str) -> None:
    if backend != AUTO and not is_installed(backend):
        package = VIDEO_BACKENDS[backend].package
        raise ImportError(
            f'PathwayPipelines: backend {backend!r} needs the package {package!r}, got none '
            f'installed; run `pip install {package}`.'
        )


def _reading_steps(
    backend: str, pathways: Mapping[str, Sequence[dict]], short_side: int | None
) -> tuple[Callable, Callable]:
    """Build the steps that open and decode a video file, with the pathways' arguments."""
    names: Iterable[Any] = VIDEO_BACKENDS if backend == AUTO else (backend,)
    inits = {name: _agreed_step(VIDEO_BACKENDS[name].init, pathways) for name in names}
    decodes = {name: _agreed_step(VIDEO_BACKENDS[name].decode, pathways) for name in names}
    if backend == AUTO:
        return AutoVideoInit(inits).transform, AutoVideoDecode(decodes).transform
    steps = BackendSteps(backend, inits[backend], decodes[backend])
    if short_side is None:
        return steps.init, steps.decode
    resizing = {'type': 'mmaction_kd.ResizingDecordInit', 'short_side': short_side}
    return TRANSFORMS.build({**inits[backend], **resizing}), steps.decode


def _check_inside(inside: Mapping[str, str], pathways: Mapping[str, Sequence[dict]]) -> None:
    if not (set(inside) <= set(pathways) and set(inside.values()) <= set(pathways) - set(inside)):
        raise ValueError(
            'PathwayPipelines: inside must map pathways to others that sample in the entire video, '
            f'got {inside} for the pathways {sorted(pathways)}; '
            "e.g. dict(local_pathway='global_pathway')."
        )


def _cut_at_decode(name: str, steps: Sequence[dict]) -> tuple[list[dict], list[dict]]:
    """Return the steps before Decode, without those that open the video, and those after it."""
    kinds = [step_kind(step) for step in steps]
    cuts = [position for position, kind in enumerate(kinds) if kind in DECODE_STEPS]
    if len(cuts) != 1:
        raise ValueError(
            f'PathwayPipelines: {name} must have exactly one Decode step, got {len(cuts)} in '
            f'{kinds}; the choices are {list(DECODE_STEPS)}.'
        )
    cut = cuts[0]
    samplers = [step for step in steps[:cut] if step_kind(step) not in INIT_STEPS]
    if not samplers:
        raise ValueError(
            f'PathwayPipelines: {name} must sample frames before {kinds[cut]}, got {kinds}; '
            'add e.g. SampleFrames.'
        )
    if not kinds[-1].startswith('Pack'):
        raise ValueError(
            f'PathwayPipelines: {name} must end by packing its inputs, got {kinds}; '
            'add PackActionInputs.'
        )
    return samplers, list(steps[cut + 1 :])


def _agreed_step(kind: str, pathways: Mapping[str, Sequence[dict]]) -> dict:
    """Return the config of this kind of step that the pathways share, or MMAction2's default."""
    given = {
        name: {**step, 'type': f'mmaction.{kind}'}
        for name, steps in pathways.items()
        for step in steps
        if step_kind(step) == kind
    }
    agreed = next(iter(given.values()), dict(type=f'mmaction.{kind}'))
    if any(step != agreed for step in given.values()):
        raise ValueError(
            f'PathwayPipelines: the video is read once, so {kind} must have the same arguments in '
            f'all pathways, got {given}.'
        )
    return agreed
