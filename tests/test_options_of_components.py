"""Each option of each component refuses what it can not be, by name, when the component is made."""

import inspect
import json
import math
import re
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

import pytest
import tiny_dtkd
import tiny_mbd

from mmaction_kd import registry
from mmaction_kd.models.backbones import LongformerEncoder
from mmaction_kd.models.losses.dominance_distill_loss import make_projector

REGISTRIES = (
    registry.MODELS,
    registry.DATASETS,
    registry.TRANSFORMS,
    registry.METRICS,
    registry.HOOKS,
)
for one in REGISTRIES:
    one.import_from_location()
ALL = {name: part for one in REGISTRIES for name, part in one.module_dict.items()}
ALL = {name: part for name, part in ALL.items() if 'host_fixes' not in part.__module__}
# Components whose constructor is the host's have the host's errors.
OURS = {n: p for n, p in ALL.items() if '_kd.' in getattr(p.__init__, '__module__', '')}
SETTINGS_OF_OPTIONS = dict(LongformerEncoder=LongformerEncoder, make_projector=make_projector)

SUBSETS = dict(a=[0, 2], b=[1])
FOR_SUBSETS = dict(num_classes=3, subsets=SUBSETS)
STEPS = [
    dict(type='mmaction.SampleFrames', clip_len=1),
    dict(type='mmaction.DecordDecode'),
    dict(type='mmaction.FormatShape', input_format='NCTHW'),
    dict(type='mmaction.PackActionInputs'),
]


@pytest.fixture(scope='module')
def good(tmp_path_factory):
    """Arguments that each component can be made of."""
    folder = tmp_path_factory.mktemp('options')
    subsets = folder / 'subsets.json'
    named = dict(a=['x', 'z'], b=['y'])
    subsets.write_text(json.dumps(dict(classes=['x', 'y', 'z'], subsets=named)))
    videos = dict(
        type='VideoDataset', ann_file='none.txt', pipeline=[], lazy_init=True, _scope_='mmaction'
    )
    preprocessor = registry.MODELS.build(dict(tiny_mbd.PREPROCESSOR, _scope_='mmaction'))
    mbd, dtkd = tiny_mbd.mbd_config(), tiny_dtkd.distiller_config()
    pathway = tiny_mbd.pathway(8, 1)
    backbone = dict(type='mmpretrain.ResNet', depth=18, stem_channels=8, base_channels=8)
    return dict(
        AdaptiveFusionHead=dict(num_classes=3),
        AutoVideoDecode={},
        AutoVideoInit={},
        BilinearJoin=dict(feat_dims={'local': 4, 'global': 5}),
        BadVideosHook={},
        ConcatJoin=dict(feat_dims={'local': 4, 'global': 5}),
        Conv3dJoin=dict(feat_dims={'local': 4, 'global': 5}),
        DistillDataPreprocessor=dict(student=preprocessor, teachers=dict(a=None)),
        DistillReportHook={},
        DistillVisualizationHook={},
        Dominance=dict(num_classes=3),
        DominanceDistillLoss=dict(num_classes=3, feat_dims={'local': 4, 'global': 5}),
        DualTeacherDistiller={k: v for k, v in dtkd.items() if k != 'type'},
        FeatureFusionHead=dict(num_classes=3),
        FittedSampleFrames=dict(clip_len=4, frame_interval=8, target_fps=30),
        FrozenFrameEncoder=dict(backbone=backbone, mean=[127.0] * 3, std=[128.0] * 3),
        HybridScore={},
        LongformerEncoder={},
        LoadFrameFeatures=dict(encoder={}, steps=STEPS[1:2], folder='none'),
        MBDRecognizer={k: v for k, v in mbd.items() if k != 'type'},
        OpticalFlowSubset=dict(dataset=videos, subset='a', subsets=str(subsets), lazy_init=True),
        PathwayDataPreprocessor=dict(pathways=dict(near=preprocessor)),
        PathwayPipelines=dict(pathways=dict(near=STEPS, far=STEPS)),
        R2Plus1d50={},
        SelectivityMetric=dict(subsets=SUBSETS),
        ResizingDecordInit=dict(short_side=8),
        SkipBadVideos=dict(dataset=videos, lazy_init=True),
        SkippedStepsHook={},
        SnapFrames=dict(frame_interval=2),
        StoredTeacherViews=dict(dataset=videos, store='none', lazy_init=True),
        SubsetDistillLoss=FOR_SUBSETS,
        SubsetAccMetric=dict(subsets=SUBSETS),
        TemporalConvNet=dict(spatial_backbone=backbone, channels=8),
        UniformThreeCrop=dict(crop_size=8),
        VTN={k: v for k, v in pathway['backbone'].items() if k != 'type'},
        VTNHead=dict(num_classes=3, in_channels=8),
        make_projector=dict(in_dims=4, out_dims=5),
    )


def make(name, options):
    return {**OURS, **SETTINGS_OF_OPTIONS}[name](**options)


def options_of(name):
    part = {**OURS, **SETTINGS_OF_OPTIONS}[name]
    found = inspect.signature(part).parameters.values()
    return [one for one in found if one.kind is not one.VAR_KEYWORD]


def test_each_component_is_among_these(good):
    """A new one with options of its own is tested, too."""
    with_options = {name for name in OURS if options_of(name)}
    assert with_options | set(SETTINGS_OF_OPTIONS) == set(good)


@pytest.mark.parametrize('name', [*OURS, *SETTINGS_OF_OPTIONS])
def test_each_component_can_be_made(good, name):
    if options_of(name):
        make(name, good[name])


# --- Types --------------------------------------------------------------------------------------

# Values, and the words of an annotation with which each is right.
VALUES = [
    (None, {'None'}),
    (True, {'bool'}),
    (3, {'int', 'float'}),
    (0.5, {'float'}),
    (math.nan, set()),
    ('x', {'str'}),
    ([object()], set()),
    ([], {'Sequence', 'list'}),
    ({}, {'Mapping', 'dict', 'OneByOneDataset'}),
    (object(), set()),
]


def names_of(annotation):
    """The names of the types that an annotation allows, without those of items."""
    outer = get_origin(annotation)
    if outer in (Union, UnionType):
        return set().union(*map(names_of, get_args(annotation)))
    if outer is Annotated:
        return names_of(get_args(annotation)[0])
    if outer is Literal:
        return {type(choice).__name__ for choice in get_args(annotation)}
    return {'None' if annotation is NoneType else (outer or annotation).__name__}


def words_of(name, option):
    part = {**OURS, **SETTINGS_OF_OPTIONS}[name]
    make = part.__init__ if isinstance(part, type) else part
    return names_of(get_type_hints(make, include_extras=True)[option.name])


def wrong_types():
    for name in [*OURS, *SETTINGS_OF_OPTIONS]:
        for option in options_of(name):
            words = words_of(name, option)
            yield name, option.name, [value for value, right in VALUES if not words & right]


@pytest.mark.parametrize('name, option, values', list(wrong_types()))
def test_a_wrong_type_is_told_by_component_and_option(good, name, option, values):
    for value in values:
        with pytest.raises(TypeError) as error:
            make(name, {**good[name], option: value})
        assert re.match(f'{name}: {option} must .*got ', str(error.value)), error.value


# --- Values -------------------------------------------------------------------------------------

INF = math.inf
RATIO = (-0.1, 1.1, INF, -INF)
POSITIVE = (0, -1, INF)
NOT_NEGATIVE = (-1, INF)
COUNT = (0, -1)
CHOICE = ('x', '')
NO_SUBSETS = (
    {},
    dict(a=[0, 1, 2]),
    dict(a=[0], b=[]),
    dict(a=[0, 1], b=[1, 2]),
    dict(a=[0, 2], b=[3]),
    dict(a=[0, 2], b=[-1]),
    {'a.b': [0, 2], 'c': [1]},
    {'../a': [0, 2], 'c': [1]},
    {'': [0, 2], 'c': [1]},
    {'class': [0, 2], 'c': [1]},
)
OF_SUBSETS = dict(
    num_classes=COUNT,
    subsets=NO_SUBSETS,
    kd_weight=RATIO,
    kd_temperature=POSITIVE,
    teacher_head=CHOICE,
    mask_value=(INF,),
    kl_direction=CHOICE,
    reduction=CHOICE,
)
PAIR = (-1, INF, [1], [1, 2, 3], [-1, 1], [1, INF], [])
WRONG_VALUES = dict(
    AdaptiveFusionHead=dict(
        num_classes=COUNT, weights=('x', [1], [1, -1], [0, 0], [INF, 1]), combine=CHOICE, gate=RATIO
    ),
    AutoVideoDecode=dict(readers=(dict(ffmpeg={}),)),
    AutoVideoInit=dict(readers=(dict(ffmpeg={}),)),
    BadVideosHook=dict(interval=COUNT),
    DistillReportHook=dict(max_share=(-0.1, 1, INF)),
    DistillVisualizationHook=dict(interval=COUNT, wait_time=NOT_NEGATIVE),
    Dominance=dict(
        num_classes=COUNT,
        normalizer=CHOICE,
        labels=('no.npy', __file__),
        metric=CHOICE,
        space=CHOICE,
        tau=POSITIVE,
        reduce=CHOICE,
        momentum=(-0.1, 1, INF),
    ),
    DominanceDistillLoss=dict(
        num_classes=COUNT,
        feat_dims=({}, {'local': 4}, {'local': 4, 'global': 0}),
        kl_weight=PAIR,
        mse_weight=PAIR,
        temperature=POSITIVE,
        teacher=CHOICE,
        layers=CHOICE,
        final_align=CHOICE,
        group_reduction=CHOICE,
        projection=CHOICE,
        tie=CHOICE,
    ),
    DualTeacherDistiller=dict(unfrozen_objective=CHOICE, teacher_loss_weight=NOT_NEGATIVE),
    BilinearJoin=dict(rank=COUNT),
    Conv3dJoin=dict(channels=COUNT),
    FeatureFusionHead=dict(
        num_classes=COUNT,
        dropout_ratio=RATIO,
        init_std=NOT_NEGATIVE,
    ),
    FittedSampleFrames=dict(clip_len=COUNT, frame_interval=COUNT, target_fps=COUNT),
    FrozenFrameEncoder=dict(
        mean=([127], [127, 127, INF]), std=([128], [128, 128, 0], [128, -1, 128], [128, 128, INF])
    ),
    HybridScore=dict(
        s_alpha=RATIO,
        order=CHOICE,
        outside_score=CHOICE,
        ce_norm_scope=CHOICE,
        ce_norm_degenerate=RATIO,
        conf_temperature=(*CHOICE, 2),
    ),
    LongformerEncoder=dict(
        embed_dims=COUNT,
        num_layers=COUNT,
        num_heads=(*COUNT, 5),
        window_size=(-2, 3),
        drop_rate=RATIO,
        attn_drop_rate=RATIO,
        max_positions=(2, 0, -1),
    ),
    LoadFrameFeatures=dict(frame_interval=COUNT, batch_size=COUNT),
    MBDRecognizer=dict(
        features=(dict(local='backbone'), dict(local_pathway={})), test_cfg=(dict(other=True),)
    ),
    OpticalFlowSubset=dict(subset=CHOICE),
    PathwayPipelines=dict(
        pathways=({},), backend=CHOICE, inside=(dict(near='x'),), decode_short_side=COUNT
    ),
    R2Plus1d50=dict(frozen_stages=(-2, 5)),
    SelectivityMetric=dict(
        subsets=NO_SUBSETS[:3], direction=CHOICE, eps=(-0.1, 1, INF), collect_device=CHOICE
    ),
    ResizingDecordInit=dict(short_side=COUNT),
    SkipBadVideos=dict(max_share=(-0.1, 1, INF), seed=(-1,), reader_timeout=POSITIVE),
    SkippedStepsHook=dict(max_skipped=COUNT),
    SnapFrames=dict(frame_interval=COUNT),
    SubsetDistillLoss=OF_SUBSETS,
    SubsetAccMetric=dict(subsets=NO_SUBSETS[:3], collect_device=CHOICE),
    TemporalConvNet=dict(
        channels=COUNT, num_layers=COUNT, kernel_size=(*COUNT, 2), drop_rate=RATIO
    ),
    UniformThreeCrop=dict(crop_size=COUNT),
    VTN=dict(
        embed_dims=COUNT,
        position_ids=CHOICE,
        frame_interval=COUNT,
        frames_at_once=COUNT,
    ),
    VTNHead=dict(num_classes=COUNT, in_channels=COUNT, dropout_ratio=RATIO, init_std=NOT_NEGATIVE),
    make_projector=dict(in_dims=COUNT, out_dims=COUNT, hidden_dims=(-1,)),
)
# Parts that tell of options that they are handed.
PARTS = dict(
    AdaptiveFusionHead=['Dominance'],
    DominanceDistillLoss=['Dominance'],
    FeatureFusionHead=['Dominance'],
    VTN=['LongformerEncoder'],
)
# Names and paths, which any string can be until it is looked up: the error is then the file's.
ANY_STRING = {
    'prefix', 'subsets', 'classes', 'out_dir', 'baseline', 'known', 'store', 'stored_teachers',
    'folder', 'student', 'teachers', 'local_pathway', 'global_pathway', 'dominance',
}  # fmt: skip


def test_each_number_and_choice_has_values_that_are_wrong():
    """A new option is tested, too."""
    for name in [*OURS, *SETTINGS_OF_OPTIONS]:
        for option in options_of(name):
            if words_of(name, option) & {'int', 'float', 'str'} and option.name not in ANY_STRING:
                assert WRONG_VALUES.get(name, {}).get(option.name), (name, option.name)


@pytest.mark.parametrize(
    'name, option', [(name, option) for name, options in WRONG_VALUES.items() for option in options]
)
def test_a_wrong_value_is_told_by_component_and_option(good, name, option):
    owner = f'({"|".join([name, *PARTS.get(name, ())])})'
    for value in WRONG_VALUES[name][option]:
        with pytest.raises(ValueError) as error:
            make(name, {**good[name], option: value})
        told = str(error.value)
        assert re.match(rf'{owner}: .*\b{option}\b', told), told
        assert re.search(' (must|needs) .*got ', told), told


NESTED = [
    ('MBDRecognizer', 'distill_loss', 'tempreature', 2.0),
    ('MBDRecognizer', 'fusion_head', 'weight', 'ratio'),
    ('DualTeacherDistiller', 'distill_loss', 'kd_wieght', 0.3),
    ('SubsetDistillLoss', 'weighting', 's_alhpa', 0.3),
    ('DominanceDistillLoss', 'dominance', 'temperature', 1.0),
    ('DominanceDistillLoss', 'projector', 'depth', 1),
    ('AdaptiveFusionHead', 'dominance', 'label', 'onehot'),
    ('FeatureFusionHead', 'dominance', 'label', 'onehot'),
]


@pytest.mark.parametrize('name, option, key, value', NESTED)
def test_an_unknown_key_within_an_option_is_told(good, name, option, key, value):
    given = dict(good[name].get(option, {}), **{key: value})
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{key}'"):
        make(name, {**good[name], option: given})
