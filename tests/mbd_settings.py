"""What the settings of configs/mbd/paper.yml are in a config; see test_paper.py."""

import inspect

from mmaction_kd.models.losses import DominanceDistillLoss
from mmaction_kd.models.submodels.recognizer_config import split_recognizer_config

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def recognizers(model):
    """The pathways, local first; of a model that is one alone, that one."""
    found = [model[key] for key in ('local_pathway', 'global_pathway') if key in model]
    return [split_recognizer_config(cfg)[0] for cfg in found or [model]]


def pipelines(loader):
    """Likewise."""
    steps = loader.dataset.pipeline
    if len(steps) > 1:
        return [steps]
    return [steps[0].pathways[f'{name}_pathway'] for name in ('local', 'global')]


def step(steps, kind):
    (found,) = (step for step in steps if step.type.endswith(kind))
    return found


def of_all(values):
    """The value that all places have."""
    (value,) = set(values)
    return value


def backbone(recognizer):
    """By the paper's name."""
    own = recognizer.backbone
    if own.type == 'mmaction_kd.R2Plus1d50':
        return 'R(2+1)D-50'
    if own.type == 'ResNet2Plus1d':
        return f'R(2+1)D-{own.depth}'
    assert own.type == 'mmaction_kd.VTN' and 'num_layers' not in own  # 3 layers, the default
    spatial = own.get('spatial_backbone') or dict(type='mmpretrain.VisionTransformer', arch='b')
    if spatial['type'] == 'mmpretrain.ResNet':
        return f'ResNet-{spatial["depth"]}'
    assert (spatial['type'], spatial['arch']) == ('mmpretrain.VisionTransformer', 'b')
    return 'ViT-B'


def pathways(cfg, _):
    return [backbone(recognizer) for recognizer in recognizers(cfg.model)]


def data(cfg):
    """The data set of all lists and folders."""
    datasets = [cfg[loader].dataset for loader in LOADERS]
    files = [d.ann_file for d in datasets] + [d.data_prefix.video for d in datasets]
    return of_all(name.split('/')[1] for name in files)


def start(cfg, trained_by):
    """From what both pathways start: a training of the same model alone, and nothing else."""
    assert cfg.load_from is None
    places = set()
    for key, own in zip(('local', 'global'), pathways(cfg, None), strict=True):
        name, alone = trained_by(cfg.model[f'{key}_pathway'].checkpoint)
        assert 'local_pathway' not in alone.model and alone.load_from is None, name
        assert pathways(alone, None) == [own], name
        places.add(data(alone))
    return f'each pathway alone on {of_all(places)}'


def frames(cfg, _):
    return of_all(
        step(steps, 'SampleFrames').clip_len
        for loader in LOADERS
        for steps in pipelines(cfg[loader])
    )


def stride(cfg, _):
    """Of the global clips, or of the only ones; those of the local pathway are consecutive."""
    strides = [
        of_all(step(pipelines(cfg[x])[i], 'SampleFrames').frame_interval for x in LOADERS)
        for i in range(len(recognizers(cfg.model)))
    ]
    assert len(strides) == 1 or strides[0] == 1
    return strides[-1]


def crop(cfg, _):
    """Of each pathway; short sides and flips with it (3.1, 3.2, 3.4)."""
    found = []
    train, test = pipelines(cfg.train_dataloader), pipelines(cfg.test_dataloader)
    for learn, tested in zip(train, test, strict=True):
        size = of_all([step(learn, 'RandomCrop').size, step(tested, 'Crop').crop_size])
        short = {112: 128, 224: 256}[size]
        assert step(tested, 'Resize').scale == (-1, short)
        if size == 112:
            assert step(learn, 'Resize').scale == (-1, 128)
        else:
            assert step(learn, 'RandomRescale').scale_range == (256, 320)
        assert step(learn, 'Flip').flip_ratio == (0 if data(cfg) == 'sthv2' else 0.5)
        found.append(size)
    return found if len(found) > 1 else found[0]


def views(cfg, _):
    """Of a test: clips times crops."""
    found = []
    for steps in pipelines(cfg.test_dataloader):
        kind = step(steps, 'Crop').type
        crops = {'CenterCrop': 1, 'mmaction_kd.UniformThreeCrop': 3}[kind]
        found.append(crops * step(steps, 'SampleFrames').num_clips)
    return of_all(found)


def batch(cfg, _):
    """On eight devices."""
    assert cfg.auto_scale_lr.base_batch_size == 8 * cfg.train_dataloader.batch_size
    return cfg.auto_scale_lr.base_batch_size


def distills(layer):
    return lambda cfg, _: cfg.model.distill_loss.get('layers', 'both') in (layer, 'both')


DEFAULTS = inspect.signature(DominanceDistillLoss).parameters


def distilled(key):
    return lambda cfg, _: cfg.model.distill_loss.get(key, DEFAULTS[key].default)


def stated(key):
    return lambda cfg, _: cfg.model.distill_loss.get(key)


def fusion(cfg, _):
    """By the names of Fig. 6."""
    head = cfg.model.fusion_head
    if head.type == 'mmaction_kd.FeatureFusionHead':
        return head.join.type.removeprefix('mmaction_kd.').removesuffix('Join').lower()
    weights = head.get('weights', 'ratio')
    if head.get('combine', 'sum') == 'max':
        return 'max'
    return {'ratio': 'adaptive', 'average': 'average'}.get(str(weights), 'weighted')


SETTINGS = dict(
    pathways=pathways,
    data=lambda cfg, _: data(cfg),
    start=start,
    frames=frames,
    stride=stride,
    our_stride=stride,  # where rows of one table differ in what the paper does not give
    crop=crop,
    views=views,
    batch=batch,
    optimizer=lambda cfg, _: cfg.optim_wrapper.optimizer.type,
    lr=lambda cfg, _: cfg.optim_wrapper.optimizer.lr,
    momentum=lambda cfg, _: cfg.optim_wrapper.optimizer.momentum,
    weight_decay=lambda cfg, _: cfg.optim_wrapper.optimizer.weight_decay,
    epochs=lambda cfg, _: of_all([cfg.train_cfg.max_epochs, cfg.param_scheduler[-1].T_max]),
    schedule=lambda cfg, _: cfg.param_scheduler[-1].type,
    intermediate=distills('intermediate'),
    final=distills('final'),
    teacher=distilled('teacher'),
    align=distilled('final_align'),
    kl_weight=stated('kl_weight'),
    mse_weight=stated('mse_weight'),
    temperature=distilled('temperature'),
    t_squared=distilled('t_squared'),
    dominance=lambda cfg, _: cfg.model.distill_loss.get('dominance', {}).get('space', 'prob'),
    fusion=fusion,
)
