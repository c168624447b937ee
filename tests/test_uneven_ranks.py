"""Data sets that no number of ranks divides: each sample once, and the figures of one process.

What the model says depends on the video alone, so that all figures are equal to the last bit.
"""

import itertools
import json
import math
import pickle

import pytest
import torch
from ddp_training import on_ranks
from mmaction.structures import ActionDataSample
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, HOOKS, MODELS
from mmengine.runner import Runner

from mmaction_kd.host_fixes.fix import source_of

CLASSES = 4
SUBSETS = dict(dynamic=[0, 3], static=[1, 2])
RUNS = itertools.count()  # each run of a process needs a name of its own


@DATASETS.register_module()
class NumberedVideos(BaseDataset):
    """Clips, each of its own number, of which those in ``bad`` can not be read."""

    def __init__(self, size, bad=(), **kwargs):
        self.size, self.bad = size, bad
        super().__init__(pipeline=[], **kwargs)

    def load_data_list(self):
        return [dict(filename=f'{i}.mp4') for i in range(self.size)]

    def prepare_data(self, idx):
        if idx in self.bad:
            raise OSError('torn')
        sample = ActionDataSample(metainfo=dict(filename=f'{idx}.mp4')).set_gt_label(idx % CLASSES)
        return dict(inputs=torch.tensor([float(idx)]), data_samples=sample)


@MODELS.register_module()
class SaysByNumber(BaseModel):
    """Scores of two pathways and of two teachers, each from the number of the video."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode == 'loss':
            return dict(loss=self.weight * torch.stack(inputs).mean())
        for value, sample in zip(inputs, data_samples, strict=True):
            generator = torch.Generator().manual_seed(int(value))
            fields = ('pred', 'local', 'global', 'dynamic', 'static')
            scores = torch.randn(5, CLASSES, generator=generator)
            for name, logits in zip(fields, scores, strict=True):
                sample.set_field(logits.softmax(0), f'{name}_score')
            sample.set_pred_label(sample.pred_score.argmax(keepdim=True))
            for name in ('local', 'global'):
                sample.set_field(torch.rand((), generator=generator), f'{name}_weight')
        return data_samples


@HOOKS.register_module()
class KeepNumbers(Hook):
    """The numbers of each batch that is trained on."""

    def __init__(self):
        self.batches = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.batches.append([int(x) for x in data_batch['inputs']])


def run_of(folder, loader, **changes):
    """A Runner that trains and tests on such a loader."""
    evaluator = [
        dict(type='AccMetric', metric_list=('top_k_accuracy', 'mean_class_accuracy')),
        dict(type='mmaction_kd.PathwayAccMetric', prefix='pathways'),
        dict(type='mmaction_kd.SubsetAccMetric', subsets=SUBSETS, prefix='subsets'),
        dict(type='mmaction_kd.SelectivityMetric', subsets=SUBSETS),
        dict(type='DumpResults', out_file_path=str(folder / 'scores.pkl')),
    ]
    cfg = dict(
        model=dict(type='SaysByNumber'),
        work_dir=str(folder / 'work'),
        experiment_name=f'uneven_{next(RUNS)}',
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        test_dataloader=loader,
        test_evaluator=evaluator,
        test_cfg=dict(),
        default_hooks=dict(checkpoint=None),
        custom_hooks=[
            dict(type='mmaction_kd.BadVideosHook'),
            dict(type='mmaction_kd.DistillReportHook'),
        ],
        randomness=dict(seed=0),
        log_level='ERROR',
        default_scope='mmaction',
    )
    return Runner.from_cfg({**cfg, **changes})


def loader_of(size, batch_size, bad=(), train=False, round_up=True, **changes):
    inner = dict(type='NumberedVideos', size=size, bad=list(bad), test_mode=not train)
    sampler = dict(type='DefaultSampler', shuffle=train, round_up=round_up)
    dataset = dict(type='mmaction_kd.SkipBadVideos', max_share=0.5, dataset=inner)
    return dict(
        dict(batch_size=batch_size, num_workers=0, sampler=sampler, dataset=dataset), **changes
    )


# --- Training -------------------------------------------------------------------------------------


def numbers_of(folder, launcher, **loader):
    """What a rank trains on in two epochs; the words of the error where it does not."""
    hooks = ('mmengine.KeepNumbers', 'mmaction_kd.BadVideosHook')
    run = run_of(
        folder,
        loader_of(train=True, **loader),
        launcher=launcher,
        custom_hooks=[dict(type=name) for name in hooks],
    )
    try:
        run.train()
    except ValueError as error:
        return str(error)
    (kept,) = (hook for hook in run.hooks if isinstance(hook, KeepNumbers))
    return kept.batches


def trainings(folder, loaders):
    return [numbers_of(folder / str(i), 'pytorch', **loader) for i, loader in enumerate(loaders)]


TRAININGS = {  # size, batch size, what else; and of 2 and 4 ranks how many samples an epoch has
    'round_up': (dict(size=7, batch_size=2), {2: 8, 4: 8}),
    'bad': (dict(size=9, batch_size=4, bad=(2, 5)), {2: 10, 4: 12}),
    'drop_last': (dict(size=11, batch_size=2, drop_last=True), {2: 12, 4: 8}),
    'as_they_are': (dict(size=7, batch_size=2, round_up=False), {2: 7, 4: 7}),
}
REFUSED = {  # of 2 and 4 ranks how many batches each has
    'not_rounded': (
        dict(size=9, batch_size=2, round_up=False),
        {2: [3, 2], 4: [2, 1, 1, 1]},
    ),
    'all_dropped': (dict(size=7, batch_size=8, drop_last=True), {2: [0, 0], 4: [0, 0, 0, 0]}),
}


@pytest.mark.parametrize('num', [2, pytest.param(4, marks=pytest.mark.slow)])
def test_each_sample_is_trained_on_once_in_an_epoch(num, tmp_path):
    """Rounded up, the first ones of the epoch twice; ranks out of step are refused, all of them."""
    loaders = [loader for loader, _ in (*TRAININGS.values(), *REFUSED.values())]
    ranks = on_ranks(trainings, tmp_path, tmp_path, loaders, num=num)
    for i, (name, (loader, totals)) in enumerate(TRAININGS.items()):
        steps = {len(rank[i]) for rank in ranks}
        assert len(steps) == 1, name
        half = steps.pop() // 2  # of two epochs
        for epoch in (slice(half), slice(half, None)):
            seen = [x for rank in ranks for batch in rank[i][epoch] for x in batch]
            assert len(seen) == totals[num], name
            good = loader['size'] - len(loader.get('bad', ()))
            assert len(set(seen)) == min(good, totals[num]), name
        found = json.loads((tmp_path / f'{i}/work/bad_videos.json').read_text())['train']
        assert found['num_videos'] == loader['size'], name
        assert list(found['bad_videos']) == [f'{j}.mp4' for j in loader.get('bad', ())], name
    for i, (_, batches) in enumerate(REFUSED.values(), len(TRAININGS)):
        for rank in ranks:
            assert f'at least one, got {batches[num]}; set round_up=True' in rank[i]


# --- Test -----------------------------------------------------------------------------------------


def metrics_of(folder, loaders, launcher='pytorch'):
    """The metrics of tests."""
    return [
        run_of(folder / str(i), loader_of(**loader), launcher=launcher).test()
        for i, loader in enumerate(loaders)
    ]


LOADERS = [
    dict(size=size, batch_size=batch_size, bad=bad, round_up=round_up)
    for round_up in (True, False)
    for size, batch_size, bad in (
        (7, 2, ()),
        (9, 3, (0, 4, 8)),  # the first, and the last one, which is rounded up
        (3, 2, (1,)),  # less than four ranks
        (1, 1, ()),
    )
]


def written(folder):
    """The scores, what the report counted, and the bad videos."""
    scores = pickle.loads((folder / 'scores.pkl').read_bytes())
    record = (folder / 'work/distill_record.jsonl').read_text().splitlines()
    counted = [json.loads(line) for line in record]
    for line in counted:
        line.pop('when', None), line.pop('config', None)
    bad = json.loads((folder / 'work/bad_videos.json').read_text())
    return scores, counted, bad


@pytest.mark.skipif(
    'zip_longest' not in source_of('mmengine.dist.dist'),
    reason='this MMEngine (0.10.0) drops results where ranks have unequally many',
)
@pytest.mark.parametrize(
    'num, loaders',
    [
        (4, [LOADERS[1], LOADERS[6]]),
        *(pytest.param(num, LOADERS, marks=pytest.mark.slow) for num in (2, 4)),
    ],
)
def test_a_test_on_ranks_is_that_of_one_process(num, loaders, tmp_path):
    """All metrics, the scores in their order, the bad videos, and what the report counts."""
    ranks = on_ranks(metrics_of, tmp_path, tmp_path / 'ranks', loaders, num=num)
    single = metrics_of(tmp_path / 'one', loaders, 'none')
    for i, loader in enumerate(loaders):
        for rank in ranks:
            assert same(rank[i], single[i]), loader
        assert single[i]['bad_videos'] == len(loader['bad'])
        ours, theirs = (written(tmp_path / name / str(i)) for name in ('ranks', 'one'))
        good = [f'{j}.mp4' for j in range(loader['size']) if j not in loader['bad']]
        assert [sample['filename'] for sample in ours[0]] == good
        for mine, other in zip(ours[0], theirs[0], strict=True):
            assert mine.keys() == other.keys()
            assert torch.equal(mine['pred_score'], other['pred_score'])
        assert ours[1:] == theirs[1:], loader


def same(a, b):
    """Equal figures, where NaN is equal to NaN."""
    return a.keys() == b.keys() and all(
        a[k] == b[k] or (math.isnan(a[k]) and math.isnan(b[k])) for k in a
    )
