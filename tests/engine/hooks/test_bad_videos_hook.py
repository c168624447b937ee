"""Runs of MMEngine with the hook: what is in the file, and what is in the metrics."""

import itertools
import json
from types import SimpleNamespace

import broken_videos
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS, DefaultScope
from mmengine.runner import Runner

from mmaction_kd.engine.hooks import bad_videos_hook
from mmaction_kd.engine.hooks.bad_videos_hook import BadVideosHook
from mmaction_kd.evaluation.dumped_scores import load_scores

RUNS = itertools.count()  # each run of a process needs a name of its own
NUM_VIDEOS, CLASSES = 24, 4


@DATASETS.register_module()
class SomeUnreadable(BaseDataset):
    """24 clips, each of one number, of which those in ``bad`` can not be read."""

    def __init__(self, bad=(), **kwargs):
        self.bad = bad
        super().__init__(**kwargs)

    def load_data_list(self):
        return [dict(filename=f'{i}.mp4') for i in range(NUM_VIDEOS)]

    def prepare_data(self, idx):
        if idx in self.bad:
            raise OSError('torn')
        sample = ActionDataSample().set_gt_label(idx % CLASSES)
        return dict(inputs=torch.tensor([float(idx)]), data_samples=sample)


@MODELS.register_module()
class FirstHalfIsRight(BaseModel):
    """Of videos 0 to 11 it knows the class, of the others it says the next one."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode == 'loss':
            return dict(loss=self.weight * torch.stack(inputs).float().mean())
        for value, sample in zip(inputs, data_samples, strict=True):
            index = int(value)
            guess = (index + (index >= NUM_VIDEOS // 2)) % CLASSES
            sample.set_pred_score(torch.eye(CLASSES)[guess]).set_pred_label(guess)
        return data_samples


@pytest.fixture(autouse=True)
def mmaction_scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


def loader(dataset, batch_size=4, workers=0, shuffle=False) -> dict:
    return dict(
        batch_size=batch_size,
        num_workers=workers,
        sampler=dict(type='DefaultSampler', shuffle=shuffle),
        dataset=dataset,
    )


def unreadable(bad, max_share=0.5, test_mode=False, **changes) -> dict:
    inner = dict(type='SomeUnreadable', bad=list(bad), test_mode=test_mode, pipeline=[])
    wrapper = dict(type='mmaction_kd.SkipBadVideos', max_share=max_share, dataset=inner)
    return wrapper | changes


def runner(work_dir, train=None, test=None, epochs=1, hook=None, metrics=(), **changes) -> Runner:
    parts = {}
    if train is not None:
        parts |= dict(
            train_dataloader=train,
            train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=1),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        )
    evaluator = [dict(type='AccMetric', metric_list=('top_k_accuracy',)), *metrics]
    for name in ('val', 'test') if test is not None else ():
        if name == 'test' or train is not None:
            parts |= {
                f'{name}_dataloader': test,
                f'{name}_evaluator': evaluator,
                f'{name}_cfg': dict(),
            }
    return Runner(
        model=dict(type='FirstHalfIsRight'),
        work_dir=str(work_dir),
        custom_hooks=[dict(type='mmaction_kd.BadVideosHook', **(hook or {}))],
        experiment_name=f'bad_videos_{next(RUNS)}',
        log_level='WARNING',
        default_scope='mmaction',
        **parts,
        **changes,
    )


def written(work_dir) -> dict:
    return json.loads((work_dir / 'bad_videos.json').read_text())


def test_a_training_on_200_videos_of_which_20_are_bad(tmp_path):
    names = broken_videos.two_hundred(tmp_path)
    pipeline = [
        dict(type='DecordInit'),
        dict(type='SampleFrames', clip_len=10),
        dict(type='DecordDecode'),
        lambda results: {**results, 'imgs': [img[:1, :1] for img in results['imgs']]},
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    inner = dict(
        type='VideoDataset',
        ann_file=str(tmp_path / 'ann.txt'),
        data_prefix=dict(video=str(tmp_path)),
        pipeline=pipeline,
    )
    dataset = dict(type='mmaction_kd.SkipBadVideos', max_share=0.1, dataset=inner)

    work_dir = tmp_path / 'work'
    run = runner(work_dir, loader(dataset, 8, workers=2, shuffle=True))
    run.train()
    bad = written(work_dir)['train']['bad_videos']
    assert written(work_dir)['train']['num_videos'] == 200
    expected = {str(tmp_path / f'{name}.mp4') for name in names if not name.startswith('good')}
    assert set(bad) == expected and len(bad) == 20 and all(bad.values())
    assert run.iter == 25


def test_each_is_warned_of_once(tmp_path):
    run = runner(tmp_path, loader(unreadable([3, 7])), epochs=3, hook=dict(interval=2))
    told = []
    run.logger.warning = told.append
    run.train()
    told = [text for text in told if 'BadVideosHook' in text]
    assert told == [f'BadVideosHook: {i}.mp4 can not be read: OSError: torn' for i in (3, 7)]
    reason = 'OSError: torn'
    bad = {'3.mp4': reason, '7.mp4': reason}
    assert written(tmp_path) == dict(train=dict(num_videos=24, bad_videos=bad))


def test_no_bad_video_is_written_too(tmp_path):
    runner(tmp_path, loader(unreadable([]))).train()
    assert written(tmp_path) == dict(train=dict(num_videos=24, bad_videos={}))


def test_over_the_share_the_run_ends(tmp_path):
    """Also where no single worker has seen so many, and what was found is written."""
    bad = [0, 1, 2, 3, 4]
    dataset = unreadable(bad, max_share=4 / 24)
    run = runner(tmp_path, loader(dataset, 1, workers=2), hook=dict(interval=24))
    with pytest.raises(RuntimeError, match=r'BadVideosHook: at most 0.166667 of the 24 .* got 5'):
        run.train()
    assert len(written(tmp_path)['train']['bad_videos']) == 5


def test_a_resumed_training_knows_what_was_found(tmp_path):
    """A new one in the same folder does not: the videos may have been fixed."""
    first = runner(tmp_path, loader(unreadable([3])), epochs=1)
    first.train()
    second = runner(tmp_path, loader(unreadable([7])), epochs=2, resume=True)
    second.train()
    assert list(written(tmp_path)['train']['bad_videos']) == ['3.mp4', '7.mp4']
    runner(tmp_path, loader(unreadable([9]))).train()
    assert list(written(tmp_path)['train']['bad_videos']) == ['9.mp4']


def accuracy(indices) -> float:
    return sum(i < NUM_VIDEOS // 2 for i in indices) / len(indices)


@pytest.mark.parametrize('workers', [0, 2])
def test_metrics_are_of_the_videos_that_can_be_read(workers, tmp_path):
    bad = [1, 5, 20]
    good = [i for i in range(NUM_VIDEOS) if i not in bad]
    dump = dict(type='DumpResults', out_file_path=str(tmp_path / 'scores.pkl'))
    test = loader(unreadable(bad, test_mode=True), 5, workers)
    run = runner(tmp_path, test=test, metrics=[dump])
    metrics = run.test()
    assert metrics['acc/top1'] == pytest.approx(accuracy(good)) != accuracy(range(NUM_VIDEOS))
    assert metrics['bad_videos'] == 3
    assert run.message_hub.get_scalar('test/bad_videos').current() == 3
    scores = load_scores(tmp_path / 'scores.pkl')
    assert scores.labels.tolist() == [i % CLASSES for i in good]
    assert set(written(tmp_path)['test']['bad_videos']) == {'1.mp4', '5.mp4', '20.mp4'}
    # The metric is whole again for whoever calls it next.
    assert 'compute_metrics' not in vars(run.test_evaluator.metrics[0])


def test_known_videos_are_counted_too(tmp_path):
    known = tmp_path / 'known.json'
    bad = {'2.mp4': 'torn', '20.mp4': 'torn'}
    known.write_text(json.dumps(dict(test=dict(num_videos=24, bad_videos=bad))))
    test = loader(unreadable([5, 20], test_mode=True, known=str(known)))
    metrics = runner(tmp_path / 'work', test=test).test()
    good = [i for i in range(NUM_VIDEOS) if i not in (2, 5, 20)]
    assert metrics['acc/top1'] == pytest.approx(accuracy(good)) and metrics['bad_videos'] == 3
    assert len(written(tmp_path / 'work')['test']['bad_videos']) == 3


def test_training_and_validation_have_their_own_lists(tmp_path):
    train, val = loader(unreadable([3])), loader(unreadable([15], test_mode=True))
    seen = {}

    class Metrics(BadVideosHook):
        def after_val_epoch(self, runner, metrics=None):
            super().after_val_epoch(runner, metrics)
            seen[runner.epoch] = dict(metrics)

    run = runner(tmp_path, train, val, epochs=2)
    place = next(i for i, hook in enumerate(run._hooks) if type(hook) is BadVideosHook)
    run._hooks[place] = Metrics()
    run.train()
    good = [i for i in range(NUM_VIDEOS) if i != 15]
    assert [of['acc/top1'] for of in seen.values()] == pytest.approx([accuracy(good)] * 2)
    assert [of['bad_videos'] for of in seen.values()] == [1, 1]
    found = {name: list(of['bad_videos']) for name, of in written(tmp_path).items()}
    assert found == dict(train=['3.mp4'], val=['15.mp4'])


def test_the_report_does_not_count_a_stand_in(tmp_path):
    """Hooks that come later see no prediction of it."""
    run = runner(tmp_path, test=loader(unreadable([1, 5], test_mode=True)))
    run.register_hook(dict(type='mmaction_kd.DistillReportHook'))
    run.test()
    lines = [json.loads(line) for path in tmp_path.rglob('*.jsonl') for line in path.open()]
    counted = [sum(line['count']) for line in lines if line.get('kind') == 'test']
    assert counted == [22]


@pytest.mark.parametrize('world_size', [2, 3])
def test_places_are_those_of_the_collected_results(world_size, monkeypatch):
    """Against MMEngine's own collecting, which deals the ranks' results out in turn."""
    size, bad = 11, {2, 3, 7, 10}
    parts, places = [], set()
    for rank in range(world_size):
        hook = BadVideosHook()
        monkeypatch.setattr(bad_videos_hook, 'get_rank', lambda rank=rank: rank)
        monkeypatch.setattr(bad_videos_hook, 'get_world_size', lambda: world_size)
        share = [i % size for i in range(rank, size + (-size) % world_size, world_size)]
        parts.append(share)
        hook._all, hook._new['test'] = dict(test=None), {}
        loop = SimpleNamespace(evaluator=SimpleNamespace(metrics=[]))
        runner = SimpleNamespace(test_loop=loop)
        for i in share:
            meta = dict(bad_videos=[(str(i), 'torn')]) if i in bad else {}
            samples = [ActionDataSample(metainfo=meta)]
            hook.after_test_iter(runner, 0, dict(data_samples=samples), samples)
        places |= hook._unscored
    ordered = [i for row in zip(*parts, strict=True) for i in row][:size]
    assert ordered == list(range(size))
    assert {place for place in places if place < size} == bad


@METRICS.register_module()
class TwoResults(BaseMetric):
    """Not one result a video."""

    def process(self, data_batch, data_samples):
        self.results += data_samples * 2

    def compute_metrics(self, results):
        return dict(results=len(results))


@pytest.mark.parametrize('bad', [[], [1, 3]])
def test_a_metric_with_other_results_is_refused_at_the_first_bad_video(bad, tmp_path):
    two = dict(type='TwoResults')
    test = loader(unreadable(bad, test_mode=True))
    run = runner(tmp_path, test=test, metrics=[two])
    if not bad:
        assert run.test()['bad_videos'] == 0
        return
    match = 'one result for each video, got 8 of TwoResults for 4, one of which is not'
    with pytest.raises(RuntimeError, match=match):
        run.test()


def test_interval_that_is_refused():
    with pytest.raises(ValueError, match='interval must be at least 1, got 0'):
        BadVideosHook(interval=0)
