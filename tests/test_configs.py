"""Every config of configs/: what must hold between its parts, and that it runs."""

import ast
import copy
import functools
import itertools
import json
import re
from pathlib import Path

import mmaction
import mmcv
import pytest
import tiny_store
import torch
import yaml
from mmaction.apis import inference_recognizer, init_recognizer
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.hub import get_config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmaction_kd.models.submodels.recognizer_config import split_recognizer_config
from mmaction_kd.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
ZOO = Path(mmaction.__file__).parent / '.mim/configs/recognition'
LEAVES = sorted(
    path for path in CONFIGS.rglob('*.py') if not {'_base_', 'studies'} & set(path.parts)
)
BY_NAME = {path.stem: path for path in LEAVES}
CLASSES = dict(k400=400, ucf101=101, hmdb51=51, sthv2=174, tiny=4, room8=8)
# The subsets of the first quartile (DTKD, section 4.1), and of the median for the tiny set.
STATIC = dict(ucf101=26, hmdb51=13, tiny=2, room8=4)
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')

DTKD = [path for path in LEAVES if 'dtkd' in path.relative_to(CONFIGS).parts]
STUDENTS = [path for path in DTKD if path.stem.startswith(('dtkd_', 'bskd_'))]
TRANSFORMERS = [  # trained and tested as in MMAction2's zoo
    path for path in DTKD if 'transformers' in path.parts and 'slowfast' not in path.stem
]
# DTKD's 10 clips x 3 crops are these elsewhere.
VIEWS = dict(room8=3, tiny_slowfast=3, tiny_efficientnet=4, timesformer=3, swin=12)

ENCODED = [path for path in LEAVES if 'efficientnet' in path.stem]

each_config = pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
# What is built and run: the other splits differ from the first in the names of files alone.
each_model = pytest.mark.parametrize(
    'path',
    [path for path in LEAVES if not re.search('_split[23]', path.stem)],
    ids=lambda path: path.stem,
)
each_student = pytest.mark.parametrize('path', STUDENTS, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def mmaction_scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@functools.cache
def _read(path):
    return Config.fromfile(path)


def read(path):
    """A config, parsed once for all tests."""
    return copy.deepcopy(_read(path))


def build(cfg):
    """The model, without weights: that of a paper has some hundred million."""
    if 'TIMMBackbone' in str(cfg.model):
        pytest.importorskip('timm')
    # mmpretrain's ResNet, which only the tiny config has, and Swin can't be built without.
    whole = f'{cfg.model} {list(recognizers(cfg.model).values())}'
    device = 'cpu' if re.search('mmpretrain.ResNet|swin', whole, re.I) else 'meta'
    with torch.device(device):
        return MODELS.build(cfg.model)


def data_set(loader):
    """What a loader reads: the data set itself, also where a wrapper chooses a subset of it."""
    return loader.dataset.get('dataset', loader.dataset)


def student(model):
    """The recognizer that a config trains, also where teachers stand beside it."""
    return model.get('student', model)


def recognizers(model):
    """By pathway ('' for one model), also where a pathway is named by the path of its config."""
    pathways = {key: value for key, value in model.items() if key.endswith('_pathway')}
    found = {key: split_recognizer_config(value)[0] for key, value in pathways.items()}
    return found or {'': student(model)}


def data_of(path):
    """The data set that a config is named after."""
    names = set(CLASSES) & set(path.stem.split('_'))
    (name,) = names - {'tiny'} or names
    return name


def subset_sizes(path):
    static = STATIC[data_of(path)]
    return dict(static=static, dynamic=CLASSES[data_of(path)] - static)


def write_subsets(path, target):
    """A file of subsets as large as those of the config, with label 0 static and 1 dynamic."""
    count, static = CLASSES[data_of(path)], subset_sizes(path)['static']
    names = [f'class{label}' for label in range(count)]
    still = [names[0], *names[2 : static + 1]]
    moving = [name for name in names if name not in still]
    content = dict(classes=names, subsets=dict(dynamic=moving, static=still))
    target.write_text(json.dumps(content))
    return str(target)


def pipelines(cfg):
    """For each loader that the config has: the stock pipelines, by pathway ('' for one model)."""
    found = {}
    for loader in LOADERS:
        if cfg.get(loader) is not None:
            steps = data_set(cfg[loader]).pipeline
            found[loader] = steps[-1].get('pathways', {'': steps})
    return found


def parts(model):
    """What a model's config is made of."""
    return [part for part in model.values() if isinstance(part, dict)]


def only(steps, kind):
    """The step of this type."""
    (step,) = (step for step in steps if step.type.endswith(kind))
    return step


def sampler(steps):
    """The step that chooses frames."""
    (step,) = (step for step in steps if step.type.endswith(('SampleFrames', 'UniformSample')))
    return step


def zoo_weights(path):
    """The address of the weights that MMAction2's zoo lists for the config that this is made of."""
    kind = re.sub(r'^dtkd_|_(static|dynamic)|_ucf101_split1', '', path.stem)
    base = BY_NAME[f'{kind}_ucf101_split1'].read_text()
    folder, name = re.search(r"'mmaction::recognition/(\w+)/(\S+)\.py'", base).groups()
    models = yaml.safe_load((ZOO / folder / 'metafile.yml').read_text())['Models']
    (weights,) = (model['Weights'] for model in models if model['Name'] == name)
    return weights


def listed_weights(config):
    """The addresses of the weights that MMAction2's zoo lists for one of its configs."""
    folder, name = re.fullmatch(r'mmaction::recognition/(\w+)/(\S+\.py)', config).groups()
    models = yaml.safe_load((ZOO / folder / 'metafile.yml').read_text())['Models']
    return [model['Weights'] for model in models if model['Config'].endswith(f'/{name}')]


def count_millions(module):
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def test_there_are_configs():
    assert len(LEAVES) >= 11


def test_no_two_configs_have_the_same_name():
    """Their work dirs would be the same."""
    assert len(BY_NAME) == len(LEAVES)


@pytest.mark.parametrize('method', ['dtkd', 'mbd'])
def test_the_metafile_names_configs(method):
    for model in yaml.safe_load((CONFIGS / method / 'metafile.yml').read_text())['Models']:
        assert BY_NAME[model['Name']] == CONFIGS.parent / model['Config']


@each_model
def test_a_dumped_config_is_the_same(path, tmp_path):
    cfg = read(path)
    cfg.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == cfg.to_dict()


@each_model
def test_model_and_pipelines_build(path, tmp_path):
    cfg = read(path)
    if path in STUDENTS:
        cfg.model.distill_loss.subsets = write_subsets(path, tmp_path / 'subsets.json')
    build(cfg)
    for loader in LOADERS:
        if cfg.get(loader) is not None:
            Compose(data_set(cfg[loader]).pipeline)


@each_config
def test_heads_have_the_classes_of_the_data_set(path):
    subset = {'static', 'dynamic'} & set(path.stem.split('_'))
    classes = subset_sizes(path)[subset.pop()] if subset else CLASSES[data_of(path)]
    pathways = recognizers(read(path).model).values()
    assert [pathway.cls_head.num_classes for pathway in pathways] == [classes] * len(pathways)


@each_config
def test_vtn_knows_the_stride_that_its_frames_have(path):
    cfg = read(path)
    for loader, by_pathway in pipelines(cfg).items():
        for name, steps in by_pathway.items():
            backbone = recognizers(cfg.model)[name].backbone
            if backbone.type == 'mmaction_kd.VTN':
                sampled = sampler(steps).get('frame_interval', 1)  # 1: all over the video
                assert sampled == backbone.frame_interval, (loader, name)


@each_config
def test_the_views_are_one_but_in_the_test_thirty(path):
    for loader, by_pathway in pipelines(read(path)).items():
        for steps in by_pathway.values():
            crops = 3 if any('ThreeCrop' in step.type for step in steps) else 1
            views = sampler(steps).num_clips * crops
            kind = next((kind for kind in VIEWS if kind in path.stem), None)
            small = kind in ('room8', 'tiny_slowfast', 'tiny_efficientnet')
            tested = VIEWS[kind] if path in TRANSFORMERS or small else 30
            if path not in DTKD and 'local_pathway' not in read(path).model:
                tested = 10  # MBD tests a pathway alone on centre crops (3.1, 3.2)
            few = loader == 'test_dataloader' or (loader, data_of(path)) == (
                'val_dataloader',
                'room8',
            )
            assert views == (tested if few else 1)


@each_config
def test_views_in_parts_are_of_one_video(path):
    """MMAction2's max_testing_views refuses a batch of several, in a validation, too."""
    cfg = read(path)
    if any(
        'max_testing_views' in (r.get('test_cfg') or {}) for r in recognizers(cfg.model).values()
    ):
        for loader in ('val_dataloader', 'test_dataloader'):
            assert cfg[loader].batch_size == 1


@each_config
def test_ranks_know_that_frozen_stages_have_no_gradient(path):
    """MMAction2 freezes them in train(), after DDP was made; the second step of two ranks fails."""
    cfg = read(path)
    frozen = [v for v in re.findall(r"'frozen_stages': (-?\d+)", str(cfg.model)) if int(v) >= 0]
    if frozen and 'distill_loss' not in cfg.model:
        assert cfg.find_unused_parameters


@each_config
def test_only_training_is_random(path):
    cfg = read(path)
    for loader, by_pathway in pipelines(cfg).items():
        stored = 'LoadFrameFeatures' in data_set(cfg[loader]).pipeline[0].type
        for steps in by_pathway.values():
            random = any(re.search(r'Random|Flip|Jitter', step.type) for step in steps)
            sampled_at_random = not sampler(steps).get('test_mode', False)
            assert sampled_at_random == (loader == 'train_dataloader')
            assert random == (sampled_at_random and not stored)


@each_config
def test_no_flip_where_a_class_is_a_direction(path):
    if {'sthv2', 'tiny'} & set(path.stem.split('_')):
        for steps in pipelines(read(path))['train_dataloader'].values():
            assert all(step.get('flip_ratio', 0) == 0 for step in steps)


@each_config
def test_batch_on_eight_devices_is_the_papers(path):
    cfg = read(path)
    if 'tiny' not in path.stem:
        mutual = cfg.model.type == 'mmaction_kd.MBDRecognizer'
        assert 8 * cfg.train_dataloader.batch_size == (32 if mutual else 64)
        if path in DTKD and path not in TRANSFORMERS:
            # The rate is stated, for the 8 videos of the code below it.
            assert cfg.optim_wrapper.optimizer.lr == 1e-3
            assert cfg.auto_scale_lr == dict(enable=True, base_batch_size=8)
        else:
            assert cfg.auto_scale_lr.base_batch_size == (32 if mutual else 64)


@each_config
def test_learning_rate_ends_at_zero_with_the_last_epoch(path):
    cfg = read(path)
    last = cfg.param_scheduler[-1]
    if 'timesformer' in path.stem:  # falls in steps
        assert last.type == 'MultiStepLR' and last.end == cfg.train_cfg.max_epochs
        return
    assert last.type == 'CosineAnnealingLR' and last.eta_min == 0
    assert last.T_max == cfg.train_cfg.max_epochs


@each_config
def test_resuming_is_exact(path):
    """What EpochSeedHook needs: test_resume.py shows that it then is."""
    cfg = read(path)
    assert cfg.default_hooks.epoch_seed.type == 'mmaction_kd.EpochSeedHook'
    assert cfg.randomness.seed is not None
    assert not cfg.train_dataloader.get('persistent_workers', False)


@each_config
def test_hooks_are_those_of_every_config(path):
    """Also where the base is a config of MMAction2."""
    hooks = read(CONFIGS / '_base_/default_runtime.py').default_hooks
    own = read(path).default_hooks
    assert {key: hook.type for key, hook in own.items()} == {
        key: hook.type for key, hook in hooks.items()
    }


@each_config
def test_lists_of_videos_are_those_of_the_split(path):
    cfg = read(path)
    lists = {loader: data_set(cfg[loader]).ann_file for loader in LOADERS if cfg.get(loader)}
    assert 'train' in lists['train_dataloader'] and 'train' not in lists['test_dataloader']
    assert lists.get('val_dataloader', lists['test_dataloader']) == lists['test_dataloader']
    split = re.search(r'_split(\d)', path.stem)
    if split:
        assert all(f'_split_{split[1]}_' in name for name in lists.values())
    prefixes = [data_set(cfg[loader]).data_prefix for loader in LOADERS if cfg.get(loader)]
    (kind,) = {kind for prefix in prefixes for kind in prefix}
    folders = {Path(name).parts[1] for name in (*lists.values(), *(p[kind] for p in prefixes))}
    assert len(folders) == 1 and folders <= {data_of(path), 'kinetics400', 'demo'}


@each_config
def test_subsets_are_those_of_the_data_set(path):
    """Wherever a part of a config names the subsets, it names the same: one for all splits."""
    cfg = read(path)
    if 'subsets' in cfg:
        used = set(re.findall(r"'subsets': '([^']*)'", str(cfg.to_dict())))
        name = 'data/demo/subsets.json' if 'tiny' in path.stem else data_of(path)
        assert used == {cfg.subsets} == {name}


@each_config
def test_a_teacher_learns_its_subset(path):
    chosen = {'static', 'dynamic'} & set(path.stem.split('_'))
    cfg = read(path)
    for loader in LOADERS:
        if cfg.get(loader) is not None:
            assert {cfg[loader].dataset.get('subset')} - {None} == chosen


def unlocked(model):
    """Without LT."""
    for pathway in ('slow_pathway', 'fast_pathway'):
        for key in ('frozen_stages', 'norm_eval'):
            model.backbone.get(pathway, {}).pop(key, None)
    return model


@each_student
def test_teachers_are_those_of_the_same_data_and_size(path):
    """A teacher is what its own config leaves, and differs from the student in its classes.

    Where it is named, also in its architecture, though not in the number of frames.
    """
    model = read(path).model
    assert sorted(model.teachers) == ['dynamic', 'static']
    for name, teacher in model.teachers.items():
        file = BY_NAME[Path(teacher.config).stem]
        assert teacher.config == f'mmaction_kd::{file.relative_to(CONFIGS)}'
        trained = BY_NAME[Path(teacher.checkpoint).parent.name]
        epochs = read(trained).train_cfg.max_epochs
        assert teacher.checkpoint == f'work_dirs/{trained.stem}/epoch_{epochs}.pth'
        theirs = get_config(teacher.config)
        assert unlocked(read(trained).model) == theirs.model  # LT is of its training alone
        assert theirs.subsets == read(path).subsets
        assert theirs.train_dataloader.dataset.subset == name
        recognizer = theirs.model
        if '_from_' in path.stem:
            frames, own = (
                only(data_set(cfg.train_dataloader).pipeline, 'SampleFrames').clip_len
                for cfg in (theirs, read(path))
            )
            assert frames == own
            assert recognizer.data_preprocessor != model.student.data_preprocessor
            continue
        recognizer.cls_head.num_classes = model.student.cls_head.num_classes
        assert recognizer == model.student


@pytest.mark.parametrize('path', ENCODED, ids=lambda path: path.stem)
def test_a_plain_video_is_answered_as_its_stored_features(path, tiny_videos, tmp_path):
    """With the encoder of the checkpoint, by the host's own function."""
    cfg = read(path)
    made_up_encoder(cfg, tmp_path)
    torch.manual_seed(0)
    trained = MODELS.build(cfg.model)
    trained.init_weights()
    torch.save(trained.state_dict(), tmp_path / 'trained.pth')
    model = init_recognizer(cfg, str(tmp_path / 'trained.pth'), 'cpu')
    stored = Compose(cfg.test_dataloader.dataset.pipeline)
    for video in tiny_videos.values():
        plain = inference_recognizer(model, str(video))
        again = inference_recognizer(model, str(video), stored)
        for key in {'pred_score', 'local_score', 'global_score'} & set(plain.keys()):
            torch.testing.assert_close(plain.get(key), again.get(key), atol=1e-5, rtol=0)
    assert len(list((tmp_path / 'features').rglob('*.npz'))) == len(tiny_videos)


@each_student
def test_a_students_checkpoint_is_its_baselines(path):
    """The plain config of the same data builds the model that the student's checkpoint is of."""
    baseline = re.sub(r'^[db][ts]kd_(.*?(?=tiny|slowfast))?', '', path.stem)
    assert read(path).model.student == read(BY_NAME[baseline]).model


@each_config
def test_header_has_the_command_of_this_file(path):
    header = ast.get_docstring(ast.parse(path.read_text()))
    command = f'tools/dist_train.sh {path.relative_to(CONFIGS.parent)} '
    assert re.search(rf'^ *{re.escape(command)}\d+$', header, re.MULTILINE)


@each_config
def test_weights_to_start_from_are_what_another_config_leaves(path):
    cfg = read(path)
    named = [cfg.load_from, *(part.get('checkpoint') for part in parts(cfg.model))]
    if path in TRANSFORMERS:
        assert named.pop(0) == zoo_weights(path)
    elif path in DTKD and 'tiny' not in path.stem:  # what the converter leaves
        (recognizer,) = re.findall(r'slowfast_r\d+_\d+x8', path.stem)
        assert named.pop(0) == f'work_dirs/{recognizer}_k400.pth'
    for part in parts(cfg.model):
        if part.get('config', '').startswith('mmaction::'):
            assert named.pop(named.index(part.checkpoint)) in listed_weights(part.config)
    for checkpoint in filter(None, named):
        name, epoch = re.fullmatch(r'work_dirs/(\w+)/epoch_(\d+)\.pth', checkpoint).groups()
        assert read(BY_NAME[name]).train_cfg.max_epochs == int(epoch)


@pytest.mark.parametrize(
    'config, pathway, millions',
    [
        ('r2plus1d_50_k400', '', 47.04),
        ('vtn_vit_b_k400', '', 113.50),
        ('r2plus1d_vtn_k400', 'local_pathway', 47.04),
        ('r2plus1d_vtn_k400', 'global_pathway', 113.50),
        ('r2plus1d_34_k400', '', 63.76),
        ('vtn_r101_k400', '', 236.96),
        ('vtn_r50_k400', '', 217.97),
    ],
)
def test_size_of_the_pathways_of_mbd(config, pathway, millions):
    """Our own count: the paper's text has no parameters. Those of Fig. 4 are made of them."""
    model = build(read(BY_NAME[config]))
    assert round(count_millions(model.get_submodule(pathway)), 2) == millions


def test_the_parameters_of_fig_4_are_those_of_both_pathways():
    """In the hundredths that both are counted in, each rounded by itself."""
    local = {'R(2+1)D-34': 63.76, 'R(2+1)D-50': 47.04}
    spatial = {'ViT-B': 113.50, 'ResNet-101': 236.96, 'ResNet-50': 217.97}
    rows = yaml.safe_load((CONFIGS / 'mbd/paper.yml').read_text())['published']['Fig. 4']['rows']
    pairs = [tuple(row['settings']['pathways']) for row in rows.values()]
    assert sorted(pairs) == sorted(itertools.product(local, spatial))
    for row, (first, second) in zip(rows.values(), pairs, strict=True):
        counted = float(row['counted']['parameters'])
        assert counted == pytest.approx(local[first] + spatial[second], abs=0.011)


@pytest.mark.parametrize('data, millions', [('ucf101', 0.23), ('hmdb51', 0.12)])
def test_size_of_what_a_frozen_backbone_leaves_to_train(data, millions):
    """DTKD, table 3. test_slowfast_configs.py shows that no more than the head is trained."""
    model = build(read(BY_NAME[f'slowfast_r101_16x8_lt_{data}_split1']))
    assert round(count_millions(model.cls_head), 2) == millions


def taught(baseline):
    """The distiller that tools/dtkd.py makes of a recognizer's config on UCF101."""
    cfg = read(BY_NAME[baseline])
    name = f'mmaction_kd::{BY_NAME[baseline].relative_to(CONFIGS)}'
    widths = dict(static=26, dynamic=75)
    cfg.model = dict(
        type='mmaction_kd.DualTeacherDistiller',
        student=cfg.model,
        teachers={
            subset: dict(config=name, cls_head=dict(num_classes=width))
            for subset, width in widths.items()
        },
        distill_loss=dict(
            type='mmaction_kd.SubsetDistillLoss',
            subsets=dict(static=list(range(26)), dynamic=list(range(26, 101))),
        ),
    )
    return cfg


@pytest.mark.parametrize('baseline', ['slowfast_r50_8x8', 'swin_t', 'timesformer'])
def test_a_student_is_optimised_as_its_baseline(baseline):
    """Rules by a weight's name hit the same weights where a student stands inside a distiller."""
    settings = []
    name = f'{baseline}_ucf101_split1'
    for cfg in (read(BY_NAME[name]), taught(name)):
        model = build(cfg)
        names = {id(value): key for key, value in model.named_parameters()}
        groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
        settings.append(
            {
                names[id(value)].removeprefix('student.'): (group['lr'], group['weight_decay'])
                for group in groups
                for value in group['params']
            }
        )
    assert settings[0] == settings[1]
    few = 2 if baseline == 'slowfast_r50_8x8' else 1
    assert len(set(settings[0].values())) >= 3 - few


def test_a_trained_fusion_changes_the_fusion_and_nothing_else():
    cfg, main = read(BY_NAME['concat_r2plus1d_vtn_k400']), read(BY_NAME['r2plus1d_vtn_k400'])
    assert cfg.model.pop('fusion_head').type == 'mmaction_kd.FeatureFusionHead'
    del main.model.fusion_head
    assert cfg.to_dict() == main.to_dict()


# --- Every config runs ------------------------------------------------------------------------


# Two layers, or a block a stage, and few channels.
SMALL = dict(
    swin=dict(
        backbone=dict(arch=dict(_delete_=True, embed_dims=12, depths=(1,) * 4, num_heads=(1,) * 4)),
        cls_head=dict(in_channels=96),
    ),
    timesformer=dict(
        backbone=dict(
            num_frames=16, img_size=64, embed_dims=24, num_heads=2, num_transformer_layers=2
        ),
        cls_head=dict(in_channels=24),
    ),
)


def shrink_transformers(cfg):
    """The student or the model itself, and the teachers, which are named by their config."""
    for teacher in cfg.model.get('teachers', {}).values():
        kind = next((kind for kind in SMALL if kind in teacher.config), None)
        for part, changes in copy.deepcopy(SMALL.get(kind, {})).items():
            teacher[part] = {**teacher.get(part, {}), **changes}
    for kind, changes in SMALL.items():
        if kind in student(cfg.model).backbone.type.lower():
            inside = dict(student=changes) if 'student' in cfg.model else changes
            cfg.merge_from_dict(copy.deepcopy(dict(model=inside)))


def shrink_frames(cfg):
    """64 pixels."""
    for by_pathway in pipelines(cfg).values():
        for step in (step for steps in by_pathway.values() for step in steps):
            scale = (-1, 64) if step.get('keep_ratio', True) else (64, 64)
            for key, value in dict(
                scale=scale, scale_range=(64, 80), size=64, crop_size=64
            ).items():
                if key in step:
                    step[key] = value


def shrink_dtkd(cfg, subsets):
    """16 frames of 64 pixels."""
    shrink_transformers(cfg)
    shrink_frames(cfg)
    for by_pathway in pipelines(cfg).values():
        only(by_pathway[''], 'SampleFrames').clip_len = 16
    places = [cfg[loader].dataset for loader in LOADERS if cfg.get(loader)]
    places += [cfg.get('val_evaluator'), cfg.test_evaluator, cfg.model.get('distill_loss')]
    for place in filter(None, places):
        if 'subsets' in place:
            place.subsets = subsets
    for teacher in cfg.model.get('teachers', {}).values():
        teacher.checkpoint = None
    if 'stored_teachers' in cfg.model:
        store = str(Path(subsets).parent / 'store')
        cfg.model.stored_teachers = cfg.train_dataloader.dataset.store = store


def write_frames(listed):
    """Videos of a list as folders of frames, once: lines `folder frames label` then."""
    lines = [line.split() for line in listed.read_text().splitlines()]
    if len(lines[0]) == 2:
        new = []
        for video, label in lines:
            folder = listed.with_name(f'frames_{label}')
            folder.mkdir()
            frames = list(mmcv.VideoReader(video))
            for number, frame in enumerate(frames, 1):
                mmcv.imwrite(frame, str(folder / f'img_{number:05}.jpg'))
            new.append(f'{folder} {len(frames)} {label}')
        listed.write_text('\n'.join(new))


def made_up_encoder(cfg, tmp_path):
    """Give a config's frozen frame encoder weights at random, and a folder for its features."""
    timm = pytest.importorskip('timm')
    encoder = timm.create_model('tf_efficientnet_lite0').state_dict()
    torch.save({f'timm_model.{k}': v for k, v in encoder.items()}, tmp_path / 'encoder.pth')
    weights = dict(type='Pretrained', checkpoint=str(tmp_path / 'encoder.pth'))

    def visit(part):
        if isinstance(part, dict):
            kind = str(part.get('type')).rpartition('.')[2]
            if kind == 'TIMMBackbone':
                part.init_cfg = weights
            elif kind == 'LoadFrameFeatures':
                part.folder = str(tmp_path / 'features')
        if isinstance(part, (dict, list)):
            for inner in part.values() if isinstance(part, dict) else part:
                visit(inner)

    visit(cfg._cfg_dict)


def shrink(path, videos, tmp_path):
    """Two small videos, 6 test views, small models and frames: types and pipelines stay."""
    cfg = read(path)
    if 'efficientnet' in path.stem:
        made_up_encoder(cfg, tmp_path)
    lines = [f'{videos[name]} {label}' for label, name in enumerate(('long', 'short'))]
    (tmp_path / 'videos.txt').write_text('\n'.join(lines))
    for loader in LOADERS:
        if cfg.get(loader) is not None:
            cfg[loader].update(batch_size=1, num_workers=0, persistent_workers=False)
            kind = 'video'
            if data_set(cfg[loader]).type == 'RawframeDataset':
                kind = 'img'
                write_frames(tmp_path / 'videos.txt')
            data_set(cfg[loader]).update(
                ann_file=str(tmp_path / 'videos.txt'), data_prefix={kind: ''}
            )
    for steps in pipelines(cfg)['test_dataloader'].values():
        sampler(steps).num_clips = 2
    if path in DTKD:
        shrink_dtkd(cfg, write_subsets(path, tmp_path / 'subsets.json'))
    if path.parent.name == 'pathways':
        shrink_frames(cfg)
    for key, recognizer in recognizers(cfg.model).items():
        if key:
            cfg.model[key] = recognizer
    for part in (cfg.model, *parts(cfg.model)):
        part.pop('checkpoint', None)
        if part.get('backbone', {}).get('pretrained'):
            part.backbone.pretrained = None
        if part.get('backbone', {}).get('type') == 'mmaction_kd.VTN' and 'tiny' not in cfg.filename:
            arch = dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48)
            part.backbone.spatial_backbone = dict(
                type='mmpretrain.VisionTransformer', arch=arch, out_type='cls_token'
            )
            part.backbone.update(embed_dims=24, num_heads=2)
            part.cls_head.in_channels = 24
    cfg.load_from = None
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.checkpoint.update(interval=-1, save_last=False, save_best=None)
    cfg.work_dir = str(tmp_path)
    return cfg


@pytest.mark.parametrize('name', ['swin_t', 'timesformer', 'from_swin_t_slowfast_r50_8x8'])
def test_a_transformer_is_taught_and_teaches(name, tmp_path):
    leaf = BY_NAME.get(f'dtkd_{name}_ucf101_split1')
    cfg = read(leaf) if leaf else taught(f'{name}_ucf101_split1')
    path = BY_NAME['slowfast_r50_8x8_ucf101_split1']
    shrink_dtkd(cfg, write_subsets(path, tmp_path / 'subsets.json'))
    model = MODELS.build(cfg.model)
    model.init_weights()
    clips = [torch.randint(255, (1, 3, 16, 64, 64), dtype=torch.uint8) for _ in range(2)]
    samples = [ActionDataSample().set_gt_label(label) for label in (0, 1)]  # static, dynamic
    data = model.data_preprocessor(dict(inputs=clips, data_samples=samples), training=True)
    losses = model(**data, mode='loss')
    sum(losses[key] for key in ('loss_cls', 'loss_kd')).backward()
    assert losses['loss_kd'] > 0
    assert all(value.grad.isfinite().all() for value in model.student.parameters())
    model.eval()
    data = model.data_preprocessor(dict(inputs=clips[:1], data_samples=samples[:1]))
    with torch.no_grad():
        (sample,) = model(**data, mode='predict')
    assert sample.pred_score.shape == (101,) and sample.pred_score.sum() == pytest.approx(1)


@pytest.mark.slow
@each_model
def test_an_epoch_and_a_test(path, tiny_videos, tmp_path):
    cfg = shrink(path, tiny_videos, tmp_path)
    if 'stored_teachers' in cfg.model:
        tiny_store.record(cfg.model, cfg.train_dataloader.dataset.dataset, tmp_path / 'store')
    runner = Runner.from_cfg(cfg)
    before = {name: value.clone() for name, value in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == (1 if 'subset' in cfg.train_dataloader.dataset else 2)
    assert any(not torch.equal(value, before[n]) for n, value in runner.model.named_parameters())
    assert all(value.isfinite().all() for value in runner.model.parameters())
    kinds = ('fused', 'local', 'global') if 'local_pathway' in cfg.model else ()
    names = [f'acc/{kind}_top1' for kind in kinds] or ['acc/top1']
    metrics = runner.test()
    if metrics.get('acc/global_share') == 0:  # gated, and never in doubt
        names.remove('acc/global_top1')
    assert all(0 <= metrics[name] <= 1 for name in names)
