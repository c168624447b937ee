"""What the settings of configs/dtkd/paper.yml are in a config; see test_paper.py."""

import functools
from pathlib import Path

import yaml
from mmengine.hub import get_config

PAPER = Path(__file__).parents[1] / 'configs/dtkd/paper.yml'
TEACHERS = yaml.safe_load(PAPER.read_text())['published']['Table 4']['rows']
get_config = functools.cache(get_config)
SLOWFASTS = {  # depth, whether all of res4 convolves over time, frames of a clip
    (101, False, 64): 'SlowFast R101 16x8',
    (101, True, 32): 'SlowFast R101 8x8',
    (50, True, 32): 'SlowFast R50 8x8',
}


def student(cfg):
    return cfg.model.get('student', cfg.model)


def pathways(recognizer):
    return [recognizer.backbone[name] for name in ('slow_pathway', 'fast_pathway')]


def step(loader, kind):
    dataset = loader.dataset.get('dataset', loader.dataset)
    (found,) = (step for step in dataset.pipeline if step.type.endswith(kind))
    return found


def backbone(cfg):
    """By name, of the student and of each teacher."""
    (slow, fast), frames = pathways(student(cfg)), step(cfg.train_dataloader, 'SampleFrames')
    assert slow.depth == fast.depth
    everywhere = slow.inflate == (0, 0, 1, 1) and fast.inflate == (1, 1, 1, 1)
    return SLOWFASTS[slow.depth, everywhere, frames.clip_len]


def is_locked(cfg):
    """Whether all but the classifier is frozen, batch statistics included."""
    frozen = [
        part.get('frozen_stages') == 4 and part.get('norm_eval') for part in pathways(cfg.model)
    ]
    keys = cfg.optim_wrapper.get('paramwise_cfg', {}).get('custom_keys', {})
    lateral = keys.get('backbone.slow_path.conv1_lateral', {}).get('lr_mult') == 0
    assert set(map(bool, frozen)) == {lateral}
    return lateral


def locked(cfg, trained_by):
    """LT: of the model itself, or how its teachers were trained."""
    if 'teachers' not in cfg.model:
        return is_locked(cfg)
    (found,) = {is_locked(trained_by(t.checkpoint)[1]) for t in cfg.model.teachers.values()}
    return found


def frozen_at_student_stage(cfg, _):
    """FT, and that nothing else freezes a part of a teacher that is trained along."""
    for teacher in cfg.model.teachers.values():
        assert not is_locked(get_config(teacher.config))
    return cfg.model.get('frozen_teachers', True)


def teachers(cfg, trained_by):
    """The paper's names of the dynamic and the static one."""
    leaves = {row['config'].split('/')[-1][:-3]: name for name, row in TEACHERS.items()}
    names = [
        trained_by(cfg.model.teachers[subset].checkpoint)[0] for subset in ('dynamic', 'static')
    ]
    return [leaves.get(name, name) for name in names]


def split(cfg, _):
    """The same of all lists."""
    found = set()
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        dataset = loader.dataset.get('dataset', loader.dataset)
        part = 'train' if loader == cfg.train_dataloader else 'val'
        name = dataset.ann_file.split('/')[-1]
        number = name[name.index('_split_') + 7]
        data = dataset.ann_file.split('/')[1]
        assert name == f'{data}_{part}_split_{number}_videos.txt'
        found.add(int(number))
    (number,) = found
    return number


def views(cfg, _):
    """Of a test: clips times crops."""
    step(cfg.test_dataloader, 'ThreeCrop')
    return 3 * step(cfg.test_dataloader, 'SampleFrames').num_clips


def batch(cfg, _):
    """On eight devices; the learning rate is for the 8 videos of one."""
    assert cfg.auto_scale_lr == dict(enable=True, base_batch_size=8)
    return 8 * cfg.train_dataloader.batch_size


def distilled(key):
    return lambda cfg, _: cfg.model.distill_loss[key]


SETTINGS = dict(
    backbone=lambda cfg, _: backbone(cfg),
    split=split,
    classes=lambda cfg, _: student(cfg).cls_head.num_classes,
    subset=lambda cfg, _: cfg.train_dataloader.dataset.subset,
    start=lambda cfg, _: cfg.load_from,
    LT=locked,
    FT=frozen_at_student_stage,
    teachers=teachers,
    weighting=lambda cfg, _: cfg.model.distill_loss.weighting.type.removeprefix('mmaction_kd.'),
    s_alpha=lambda cfg, _: cfg.model.distill_loss.weighting.get('s_alpha'),
    kd_temperature=distilled('kd_temperature'),
    kd_weight=distilled('kd_weight'),
    optimizer=lambda cfg, _: cfg.optim_wrapper.optimizer.type,
    lr=lambda cfg, _: cfg.optim_wrapper.optimizer.lr,
    momentum=lambda cfg, _: cfg.optim_wrapper.optimizer.momentum,
    weight_decay=lambda cfg, _: cfg.optim_wrapper.optimizer.weight_decay,
    dropout=lambda cfg, _: student(cfg).cls_head.dropout_ratio,
    batch=batch,
    epochs=lambda cfg, _: cfg.train_cfg.max_epochs,
    schedule=lambda cfg, _: cfg.param_scheduler[-1].type,
    validated_every=lambda cfg, _: cfg.train_cfg.val_interval,
    views=views,
)
