"""Checks of annotation files that MMAction2 would misread; errors name file and line."""

from __future__ import annotations

from collections.abc import Mapping

from mmaction.datasets import RawframeDataset, VideoDataset
from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset
from mmengine.fileio import list_from_file
from mmengine.registry import DefaultScope

BYTE_ORDER_MARK = '\ufeff'
DIGITS = 9  # longest number that can be a label
# Never run; RepeatAugDataset can not be built without one.
PIPELINE = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=1),
    dict(type='DecordDecode'),
]


def check_annotations(dataset: BaseDataset, num_classes: int | None = None) -> None:
    """Refuse a file whose lines would be read wrongly, or fail with an unclear error.

    MMAction2 reads ``walk/a.mp4 3`` of a VideoDataset (split by ``delimiter``), ``walk/a 163 3`` of
    a RawframeDataset, ``walk/a 0 163 3`` of one with offsets. It takes a blank line for a video,
    a missing label for the label -1, and a byte order mark for a part of the first name.

    In test mode all labels may be missing.

    Args:
        dataset: of MMAction2, not loaded yet (``lazy_init``). One that overrides MMAction2's
            reading of the file is not checked.
        num_classes: K. None: the data set's own, if it has one.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is wrong; the error has its number and a remedy.
    """
    fields = _fields(dataset)
    if fields is None:
        return
    path = dataset.ann_file
    if dataset.multi_class and dataset.num_classes is None:
        raise ValueError(
            f'Annotations: a data set with multi_class must have num_classes, got None for {path}.'
        )
    try:
        lines = list_from_file(path)
    except UnicodeDecodeError as error:
        raise ValueError(
            f'Annotations: {path} must be text in UTF-8, got: {error}; convert it.'
        ) from error
    if not lines:
        raise ValueError(f'Annotations: {path} must have a line for each video, got none.')
    delimiter = getattr(dataset, 'delimiter', None)  # of folders of frames any white space
    rows = [line.strip().split(delimiter) or [''] for line in lines]
    labelled = not dataset.test_mode or any(len(row) > len(fields) for row in rows)
    if num_classes is None:
        num_classes = dataset.num_classes or len(dataset.metainfo.get('classes') or ()) or None
    for number, (line, row) in enumerate(zip(lines, rows, strict=True), 1):
        fault = _fault(line, row, fields, labelled, dataset.multi_class, delimiter)
        fault = fault or _beyond(row[len(fields) :], num_classes)
        if fault is not None:
            must, remedy = fault
            raise ValueError(
                f'Annotations: line {number} of {path} must {must}, got {line!r:.200}; {remedy}.'
            )


def check_config_annotations(cfg: Mapping, *loaders: str) -> None:
    """Run :func:`check_annotations` on the data sets of a config, before anything is built.

    Args:
        cfg: of a run.
        loaders: keys of the dataloaders that the run uses, such as ``train_dataloader``.

    Raises:
        FileNotFoundError, ValueError: see :func:`check_annotations`.
    """
    num_classes = _num_classes(cfg.get('model') or {})
    for loader in loaders:
        dataset = (cfg.get(loader) or {}).get('dataset')
        if dataset is not None:
            _check_config(dataset, num_classes)


def _check_config(cfg: Mapping, num_classes: int | None) -> None:
    """Descend through wrappers; a subset's labels are not those of the head."""
    if str(cfg.get('type')).endswith('OpticalFlowSubset'):
        num_classes = None
    inner = [cfg['dataset']] if 'dataset' in cfg else cfg.get('datasets', ())
    for part in inner:
        _check_config(part, num_classes)
    with DefaultScope.overwrite_default_scope('mmaction'):
        kind = cfg.get('type')
        kind = DATASETS.get(kind) if isinstance(kind, str) else kind
        if isinstance(kind, type) and issubclass(kind, VideoDataset | RawframeDataset):
            check_annotations(DATASETS.build(without_reading(cfg)), num_classes)


def without_reading(cfg: Mapping) -> dict:
    """Copy a data set's config so that building it reads no file and samples nothing."""
    return dict(cfg, pipeline=PIPELINE, lazy_init=True)


def _fields(dataset: BaseDataset) -> tuple[str, ...] | None:
    """Fields before the label; None where a subclass reads the file in its own way."""
    method = type(dataset).load_data_list
    if method is VideoDataset.load_data_list:
        return ('VIDEO',)
    if method is RawframeDataset.load_data_list:
        return ('FOLDER', 'OFFSET', 'FRAMES') if dataset.with_offset else ('FOLDER', 'FRAMES')
    return None


def _fault(
    line: str,
    row: list[str],
    fields: tuple[str, ...],
    labelled: bool,
    several: bool,
    delimiter: str | None,
) -> tuple[str, str] | None:
    """Return what must hold and does not, and a remedy."""
    if not row[0]:
        return 'name a video', 'remove it, also where it is blank'
    if row[0].endswith('/') and ('VIDEO' in fields or not row[0].strip('/')):
        return f'name a {fields[0].lower()}', 'name it without a slash at the end'
    if line.startswith(BYTE_ORDER_MARK):
        return 'not begin with a byte order mark', 'save the file as UTF-8 without it'
    form = repr((delimiter or ' ').join([*fields, 'LABEL']))
    if len(row) < len(fields) + labelled:
        return f'be {form}', 'add what is missing'
    if len(row) > len(fields) + 1 and not several:
        needs = f'a {delimiter!r} in a name needs another delimiter in the file and the config'
        return f'be {form}', needs if delimiter else 'no name may have white space in it'
    if not all(map(_is_number, row[1:])):
        return f'be {form}, with integers of 0 or more after the name', 'fix the line'
    if 'FRAMES' in fields and int(row[len(fields) - 1]) < 1:
        return f'be {form}, with at least one frame', 'remove the line'
    return None


def _is_number(text: str) -> bool:
    digits = text.strip()
    return digits.isascii() and digits.isdecimal() and len(digits) <= DIGITS


def _beyond(labels: list[str], num_classes: int | None) -> tuple[str, str] | None:
    if num_classes is None or all(int(label) < num_classes for label in labels):
        return None
    return (
        f'have labels below {num_classes}, the number of classes',
        'labels count from 0; else set num_classes of the head, or take the annotations of these '
        'classes',
    )


def _num_classes(model: Mapping) -> int | None:
    """Return K of a recognizer, a student, or a pathway."""
    for part in (model, model.get('student'), model.get('local_pathway')):
        head = part.get('cls_head') if isinstance(part, Mapping) else None
        if isinstance(head, Mapping) and 'num_classes' in head:
            return head['num_classes']
    return None
