import pytest
import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.structures import ActionDataSample
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.model import BaseDataPreprocessor, BaseModel
from mmengine.registry import init_default_scope

from mmaction_kd.models.data_preprocessors import PathwayDataPreprocessor
from mmaction_kd.registry import MODELS

LOCAL = dict(
    type='mmaction.ActionDataPreprocessor',
    mean=[100.0, 110.0, 120.0],
    std=[50.0, 55.0, 60.0],
    format_shape='NCTHW',
)
GLOBAL = dict(type='mmaction.ActionDataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3)


class Model(BaseModel):
    def forward(self, inputs, data_samples=None, mode='tensor'):
        return inputs


@pytest.fixture
def samples():
    """Two samples as PathwayPipelines returns them: a 3D view and frames."""
    generator = torch.Generator().manual_seed(0)

    def uint8(*shape):
        return torch.randint(256, shape, dtype=torch.uint8, generator=generator)

    return [
        dict(
            inputs=dict(local_pathway=uint8(1, 3, 4, 8, 8), global_pathway=uint8(4, 3, 16, 16)),
            data_samples=ActionDataSample(gt_label=torch.tensor([label])),
        )
        for label in (0, 1)
    ]


@pytest.mark.parametrize('collate', [pseudo_collate, default_collate])
def test_each_pathway_is_stacked_and_normalised_by_its_own(samples, collate):
    preprocessor = PathwayDataPreprocessor(dict(local_pathway=LOCAL, global_pathway=GLOBAL))
    batch = preprocessor(collate(samples), training=True)
    local_batch = torch.stack([sample['inputs']['local_pathway'] for sample in samples])
    global_batch = torch.stack([sample['inputs']['global_pathway'] for sample in samples])
    mean, std = (torch.tensor(LOCAL[key]).view(3, 1, 1, 1) for key in ('mean', 'std'))
    torch.testing.assert_close(batch['inputs']['local_pathway'], (local_batch - mean) / std)
    torch.testing.assert_close(batch['inputs']['global_pathway'], global_batch / 255)
    assert [sample.gt_label.item() for sample in batch['data_samples']] == [0, 1]


def test_takes_built_preprocessors_and_shares_them(samples):
    built = {name: MODELS.build(LOCAL) for name in ('student', 'teacher')}
    preprocessor = PathwayDataPreprocessor(built)
    assert all(preprocessor.pathways[name] is module for name, module in built.items())


def test_adds_nothing_to_the_checkpoint():
    preprocessor = PathwayDataPreprocessor(dict(local_pathway=LOCAL, global_pathway=GLOBAL))
    assert preprocessor.state_dict() == {}


@pytest.mark.parametrize('inside_a_model', [False, True])
def test_moves_the_batch_to_its_device(samples, inside_a_model):
    # 'meta' stands for any device that the data loader's batch is not on.
    preprocessor = PathwayDataPreprocessor(dict(local_pathway=LOCAL, global_pathway=GLOBAL))
    if inside_a_model:
        Model(preprocessor).to('meta')
    else:
        preprocessor.to('meta')
    batch = preprocessor(pseudo_collate(samples))
    assert {tensor.device.type for tensor in batch['inputs'].values()} == {'meta'}
    assert {sample.gt_label.device.type for sample in batch['data_samples']} == {'meta'}


def test_is_built_by_its_name():
    init_default_scope('mmaction')
    bare = dict(type='ActionDataPreprocessor')
    config = dict(type='mmaction_kd.PathwayDataPreprocessor', pathways=dict(only=bare))
    assert isinstance(MODELS.build(config).pathways['only'], ActionDataPreprocessor)


@pytest.mark.parametrize(
    'change, got',
    [
        (lambda inputs: inputs.pop('local_pathway'), r"\['global_pathway'\]"),
        (lambda inputs: inputs.update(more=[]), r"\['global_pathway', 'local_pathway', 'more'\]"),
    ],
)
def test_names_both_sets_of_pathways(samples, change, got):
    preprocessor = PathwayDataPreprocessor(dict(local_pathway=LOCAL, global_pathway=GLOBAL))
    batch = pseudo_collate(samples)
    change(batch['inputs'])
    expected = r"must hold the pathways \['global_pathway', 'local_pathway'\], got "
    with pytest.raises(ValueError, match=expected + got):
        preprocessor(batch)


def test_refuses_the_batch_of_a_stock_pipeline(samples):
    preprocessor = PathwayDataPreprocessor(dict(local_pathway=LOCAL, global_pathway=GLOBAL))
    batch = dict(inputs=[torch.zeros(1, 3, 4, 8, 8)], data_samples=[ActionDataSample()])
    with pytest.raises(ValueError, match='got list; use the same names in PathwayPipelines'):
        preprocessor(batch)


def test_refuses_blending():
    blending = dict(type='mmaction.MixupBlending', num_classes=2)
    told = r'global_pathway must not blend, got MixupBlending.*dict\(blending=None\) in global_'
    with pytest.raises(ValueError, match=told):
        PathwayDataPreprocessor(
            dict(local_pathway=LOCAL, global_pathway=dict(**GLOBAL, blending=blending))
        )


def test_refuses_another_kind_of_preprocessor():
    expected = 'a must have an ActionDataPreprocessor, got BaseDataPreprocessor'
    with pytest.raises(TypeError, match=expected):
        PathwayDataPreprocessor(dict(a=BaseDataPreprocessor()))
