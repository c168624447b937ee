"""A DTKD training on three tiny videos, and a store of what its teachers say of them."""

import shutil
from pathlib import Path

import tiny_dtkd
import torch
from mmengine.config import Config
from tiny_dtkd import SUBSETS

from mmaction_kd.engine.record_teachers import record_store
from mmaction_kd.registry import MODELS
from mmaction_kd.stored_teachers import StoredTeacherViews
from mmaction_kd.stored_teachers.store_header import StoreHeader, describe_dataset
from mmaction_kd.stored_teachers.view_replay import build_dataset

LABELS = dict(long=0, other=2, short=1)  # dynamic, static, static
VIEWS = 4
SAMPLE = dict(type='SampleFrames', clip_len=4, frame_interval=2, num_clips=1)
CROP = [dict(type='RandomResizedCrop'), dict(type='Resize', scale=(16, 16), keep_ratio=False)]
PACK = [dict(type='FormatShape', input_format='NCTHW'), dict(type='PackActionInputs')]
PIPELINE = [
    dict(type='DecordInit'), SAMPLE, dict(type='DecordDecode'),
    *CROP, dict(type='Flip', flip_ratio=0.5), dict(type='ColorJitter'), *PACK,
]  # fmt: skip


def own_pipelines() -> list:
    """A pipeline for the student and another for each teacher, over one decode."""
    shorter = [dict(SAMPLE, frame_interval=1), *PIPELINE[2:]]
    pathways = dict(student=PIPELINE[1:], dynamic=shorter, static=PIPELINE[1:])
    return [dict(type='mmaction_kd.PathwayPipelines', pathways=pathways)]


def dataset_config(videos: dict[str, Path], folder: Path, pipeline: list = PIPELINE) -> dict:
    """Config of a data set of copies of the videos in ``folder/videos``."""
    (folder / 'videos').mkdir(parents=True, exist_ok=True)
    for path in videos.values():
        shutil.copy(path, folder / 'videos')
    (folder / 'train.txt').write_text('\n'.join(f'{n}.mp4 {y}' for n, y in LABELS.items()))
    return dict(
        type='VideoDataset',
        ann_file=str(folder / 'train.txt'),
        data_prefix=dict(video=str(folder / 'videos')),
        pipeline=pipeline,
        _scope_='mmaction',
    )


def teacher_checkpoints(folder: Path, seed: int = 0) -> dict[str, str]:
    """Checkpoints of a teacher for each subset."""
    found = {}
    for place, (name, classes) in enumerate(SUBSETS.items()):
        cfg = dict(tiny_dtkd.recognizer(len(classes)), _scope_='mmaction')
        model = tiny_dtkd.build(cfg, seed=10 * seed + place)
        found[name] = str(folder / f'{name}_{seed}.pth')
        torch.save(dict(state_dict=model.state_dict()), found[name])
    return found


def model_config(checkpoints: dict[str, str], **changes) -> dict:
    """Config of the distiller."""
    teachers = {name: dict(checkpoint=path) for name, path in checkpoints.items()}
    return tiny_dtkd.distiller_config(teachers, **changes)


def header_of(model, dataset, cfg: dict, views: int = VIEWS, **changes) -> StoreHeader:
    """What the store of a data set says."""
    settings = dict(
        num_classes=model.distill_loss.num_classes, teachers=model.teacher_identities(),
        views=views, seed=0, shards=(0, len(dataset) - 1, len(dataset)), batch_size=3,
    )  # fmt: skip
    return StoreHeader(**describe_dataset(dataset, cfg), **{**settings, **changes})


def record(model_cfg: dict, data_cfg: dict, folder: Path, **changes) -> StoreHeader:
    """Make the store in this process."""
    torch.manual_seed(0)
    model = MODELS.build({**model_cfg, 'stored_teachers': None})
    model.load_teachers()
    dataset = build_dataset(data_cfg, 'a test')
    header = header_of(model, dataset, data_cfg, **changes)
    unusable = record_store(model, dataset, folder, header)
    assert unusable == {}
    return header


def stored_views(data_cfg: dict, store: Path, **changes) -> StoredTeacherViews:
    """The data set of the training."""
    return StoredTeacherViews(data_cfg, str(store), **changes)


def training_config(model_cfg: dict, data_cfg: dict, work_dir: Path, **changes) -> Config:
    """Config of a training of one epoch, as tools/train.py takes it."""
    cfg = dict(
        default_scope='mmaction',
        model=model_cfg,
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=3, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True),
            dataset=data_cfg,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        custom_hooks=[dict(type='mmaction_kd.TeacherHashHook')],
        randomness=dict(seed=0),
    )  # fmt: skip
    return Config({**cfg, **changes})
