"""Runs of MMEngine with the hook: what is written down, and when."""

import itertools
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny_dtkd
import tiny_mbd
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS, VISBACKENDS
from mmengine.runner import Runner
from mmengine.visualization import LocalVisBackend
from mmengine.visualization.vis_backend import BaseVisBackend

from mmaction_kd.engine.hooks import distill_report_hook
from mmaction_kd.observations import observe, take_observations
from mmaction_kd.registry import HOOKS
from mmaction_kd.report.run_record import RECORD_FILE, RunRecord

RUNS = itertools.count()  # each run of a process needs a name of its own
HOOK = dict(type='mmaction_kd.DistillReportHook')
VIDEOS = 8


@DATASETS.register_module()
class NoiseClips(BaseDataset):
    """Eight clips, for each pathway where there are some, and names of the classes."""

    def __init__(self, pathways=(), classes=()):
        self.pathways = pathways
        super().__init__(metainfo=dict(classes=classes) if classes else {})

    def load_data_list(self):
        return [dict(index=index) for index in range(VIDEOS)]

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        clip = torch.randint(0, 250, (1, 3, 4, 16, 16), generator=generator).byte()
        inputs = {name: clip for name in self.pathways} if self.pathways else clip
        return dict(inputs=inputs, data_samples=ActionDataSample().set_gt_label(index % 4))


@VISBACKENDS.register_module()
class KeptScalars(BaseVisBackend):
    """Stands for TensorBoard."""

    kept: list = []  # noqa: RUF012

    @property
    def experiment(self):
        return self

    def _init_env(self):
        pass

    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs):
        self.kept.append((step, scalar_dict))


def config(work_dir, model, epochs=2, hook=HOOK, validated=True, dataset=None, **changes):
    """A run in seconds; ``dataset`` changes its data set."""
    mutual = 'MBD' in model['type']
    pathways = ('local_pathway', 'global_pathway') if mutual else ()
    loader = dict(
        dataset=dict(type='mmengine.NoiseClips', pathways=pathways, **(dataset or {})),
        batch_size=4,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=True),
    )
    still = dict(loader, sampler=dict(type='DefaultSampler', shuffle=False))
    metric = dict(type='AccMetric', metric_options=dict(top_k_accuracy=dict(topk=(1,))))
    cfg = dict(
        model=model,
        work_dir=str(work_dir),
        experiment_name=f'{work_dir.parent.name}_{work_dir.name}_{next(RUNS)}',
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1),
            checkpoint=dict(type='CheckpointHook', interval=1),
            epoch_seed=dict(type='mmaction_kd.EpochSeedHook'),
            distill_report=hook,
        ),
        randomness=dict(seed=0),
        log_level='ERROR',
        default_scope='mmaction',
    )
    for kind in ('val', 'test') if validated else ():
        cfg |= {f'{kind}_dataloader': still, f'{kind}_evaluator': metric, f'{kind}_cfg': dict()}
    return {**cfg, **changes}


def train(work_dir, model, *args, **kwargs):
    runner = Runner.from_cfg(config(work_dir, model, *args, **kwargs))
    runner.train()
    return runner


def lines(work_dir, kind=None):
    return [line for line in RunRecord(Path(work_dir)).read() if kind in (None, line['kind'])]


def page(work_dir):
    return (work_dir / 'distill_report.html').read_text()


@pytest.fixture
def mbd():
    return tiny_mbd.mbd_config()


@pytest.fixture
def no_page(monkeypatch):
    """For tests that only look at the record: drawing takes a second."""
    hook = distill_report_hook.DistillReportHook
    monkeypatch.setattr(hook, '_page', lambda self, folder: 'page')


def test_an_mbd_run_leaves_its_record_and_its_page(mbd, tmp_path):
    """Shares of an epoch agree with what the loss itself logged of each batch."""
    KeptScalars.kept.clear()
    backends = [dict(type='LocalVisBackend'), dict(type='mmengine.KeptScalars')]
    visualizer = dict(type='Visualizer', vis_backends=backends)
    runner = train(tmp_path, mbd, visualizer=visualizer, dataset=dict(classes=tuple('abcd')))
    header, *rest = lines(tmp_path)
    assert header['classes'] == list('abcd') and header['max_time'] == 2
    found = [(line['kind'], line['epoch'], line['iter']) for line in rest]
    assert found == [('train', 1, 2), ('val', 1, 2), ('train', 2, 4), ('val', 2, 4)]
    (scalars,) = tmp_path.glob('*/vis_data/scalars.json')
    logged = [json.loads(text) for text in scalars.read_text().splitlines()]
    for epoch in (1, 2):
        (line,) = (li for li in lines(tmp_path, 'train') if li['epoch'] == epoch)
        seen = line['sources']['dominance']
        assert seen['count'] == [2, 2, 2, 2]  # 8 videos of 4 classes
        batches = [li['local/dominance_share'] for li in logged if li.get('epoch') == epoch]
        share = sum(seen['sums']['local']) / VIDEOS
        assert share == pytest.approx(sum(batches) / len(batches))
        (sent,) = (s for step, s in KeptScalars.kept if 'report/dominance/local' in s and
                   step == 2 * epoch)  # fmt: skip
        assert sent['report/dominance/local'] == pytest.approx(share)
    assert not any('report/dominance/local' in line for line in logged)
    for line in lines(tmp_path, 'val'):
        assert sum(line['count']) == VIDEOS == sum(line['weights']['local']['bins'])
        both = zip(*(line['weights'][n]['mean'] for n in ('local', 'global')), strict=True)
        assert all(sum(pair) == pytest.approx(1, abs=1e-4) for pair in both)
    metrics = [li['acc/top1'] for li in logged if 'acc/top1' in li]
    assert [sum(li['hits']) / VIDEOS for li in lines(tmp_path, 'val')] == metrics
    html = page(tmp_path)
    assert 'MBD' in html and 'Fusion weights' in html and '2 of 2 epochs' in html
    runner.test()
    (test,) = lines(tmp_path, 'test')
    assert test['metrics']['acc/top1'] == sum(test['hits']) / VIDEOS
    assert 'Reached in the last test' in page(tmp_path)


def test_a_dtkd_run_shows_the_weights_of_its_teachers(tmp_path):
    model = tiny_dtkd.distiller_config(predict_teachers=True)
    train(tmp_path, model, epochs=1)
    (line,) = lines(tmp_path, 'train')
    seen = line['sources']['teacher_weights']
    assert seen['count'] == [2, 2, 2, 2, 0, 0]
    for name, classes in tiny_dtkd.SUBSETS.items():
        for index, total in enumerate(seen['sums'][name]):
            assert (0 < total <= 2) == (index in classes and index < 4)
    (val,) = lines(tmp_path, 'val')
    assert sorted(val['hits_of']) == ['dynamic', 'static']
    assert 'On their own classes' in page(tmp_path)


def test_a_stock_recognizer_has_losses_and_confusions(tmp_path):
    train(tmp_path, tiny_dtkd.recognizer(), epochs=1)
    assert lines(tmp_path, 'train') == []
    (val,) = lines(tmp_path, 'val')
    assert sum(val['count']) == sum(val['hits']) + sum(n for _, _, n in val['wrong']) == VIDEOS
    html = page(tmp_path)
    assert 'Cross-entropy' in html and 'Confusions' in html and 'Dominance' not in html


def test_a_resumed_run_doubles_nothing(mbd, tmp_path, no_page):
    """The process died in epoch 3, within a line."""
    train(tmp_path / 'whole', mbd, epochs=3)
    cut = tmp_path / 'cut'
    train(cut, mbd, epochs=2)
    (cut / 'last_checkpoint').write_text(str(cut / 'epoch_1.pth'))
    with open(cut / RECORD_FILE, 'a') as file:
        file.write('{"kind": "train", "epoch": 3, "it')
    train(cut, mbd, epochs=3, resume=True)

    def told(line):
        return {k: v for k, v in line.items() if k != 'config'}

    whole, found = (list(map(told, lines(tmp_path / name))) for name in ('whole', 'cut'))
    assert [line.get('epoch') for line in found] == [None, 1, 1, 2, 2, 3, 3]
    assert found == whole


def test_a_new_run_in_an_old_work_dir_starts_anew(mbd, tmp_path, no_page):
    train(tmp_path, mbd, epochs=2, validated=False)
    train(tmp_path, mbd, epochs=1, validated=False)
    assert [line.get('epoch') for line in lines(tmp_path)] == [None, 1]


def test_a_loop_without_epochs(mbd, tmp_path, monkeypatch):
    """10 iterations, a line after each 3, and one for what is left."""
    monkeypatch.setattr(distill_report_hook, 'PARTS_WITHOUT_EPOCHS', 3)
    loader = config(tmp_path, mbd)['train_dataloader']
    loader = dict(loader, sampler=dict(type='InfiniteSampler', shuffle=True))
    loop = dict(type='IterBasedTrainLoop', max_iters=10, val_interval=5)
    train(
        tmp_path, mbd, train_dataloader=loader, train_cfg=loop,
        log_processor=dict(by_epoch=False),
    )  # fmt: skip
    found = [(line['kind'], line['iter']) for line in lines(tmp_path)[1:]]
    assert sorted(found) == [*(('train', i) for i in (3, 6, 9, 10)), ('val', 5), ('val', 10)]
    counts = [sum(li['sources']['dominance']['count']) for li in lines(tmp_path, 'train')]
    assert counts == [12, 12, 12, 4]
    assert '10 of 10 iterations' in page(tmp_path)


# --- Without a run ------------------------------------------------------------------------------


def bare_runner(work_dir):
    """What the hook uses of a Runner while it trains."""
    return SimpleNamespace(
        work_dir=str(work_dir),
        epoch=0,
        iter=0,
        max_iters=1000,
        _train_loop=None,
        visualizer=SimpleNamespace(_vis_backends={}),
        logger=MMLogger.get_instance('distill_report_hook'),
    )


@pytest.mark.parametrize('max_share, pages', [(0.01, 3), (0.0, 0), (0.5, 10)])
def test_pages_wait_until_they_are_cheap(tmp_path, monkeypatch, max_share, pages):
    """A page takes 3 s of a clock that runs 100 s an epoch; the first is taken for 5 s."""
    hook, now, written = HOOKS.build(dict(HOOK, max_share=max_share)), [0.0], []
    hook.clock = lambda: now[0]
    hook._began = 0.0

    def slow_page(folder):
        now[0] += 3
        written.append(now[0])
        return 'page'

    monkeypatch.setattr(hook, '_page', slow_page)
    runner = bare_runner(tmp_path)
    for _ in range(10):
        now[0] += 100
        observe('dominance', 2, torch.tensor([0, 1]), dict(local=torch.ones(2)))
        hook.after_train_iter(runner, 0)
        hook.after_train_epoch(runner)
        assert hook.spent <= max_share * now[0]
    assert len(written) == pages
    hook.after_train(runner)
    assert len(written) == pages + 1 and page(tmp_path) == 'page'


def test_a_page_that_fails_does_not_end_the_training(tmp_path, monkeypatch):
    hook, runner, warnings = HOOKS.build(HOOK), bare_runner(tmp_path / 'gone'), []
    monkeypatch.setattr(runner.logger, 'warning', warnings.append)
    hook.after_train(runner)
    assert re.search('distill_report.html could not be written: FileNotFound', warnings[0])


def test_what_an_earlier_run_left_is_not_counted(tmp_path, monkeypatch):
    observe('dominance', 2, torch.tensor([0, 1]), dict(local=torch.ones(2)))
    hook = HOOKS.build(HOOK)
    monkeypatch.setattr(distill_report_hook, 'get_rank', lambda: 1)
    hook.before_train(bare_runner(tmp_path))
    assert take_observations() == {}
    assert not list(tmp_path.iterdir())  # rank 0 alone writes


def test_scalars_json_stays_the_loggers(tmp_path):
    backend, other = LocalVisBackend(str(tmp_path)), KeptScalars(str(tmp_path))
    runner = bare_runner(tmp_path)
    runner.visualizer._vis_backends = dict(a=backend, b=other)
    KeptScalars.kept.clear()
    distill_report_hook._to_visualizer(runner, dict(x=1.0), 3)
    assert KeptScalars.kept == [(3, dict(x=1.0))] and not (tmp_path / 'scalars.json').exists()


def test_names_come_from_the_subsets_that_the_config_names(tmp_path):
    path = tmp_path / 'subsets.json'
    subsets = dict(static=['sit'], dynamic=['run'])
    path.write_text(json.dumps(dict(classes=['run', 'sit'], subsets=subsets)))
    cfg = dict(model=dict(student=dict(), losses=[dict(subsets=str(path))]))
    runner = SimpleNamespace(cfg=Config(cfg), experiment_name='a')
    header = HOOKS.build(HOOK)._header(runner, object())
    assert header == dict(kind='run', config='a', classes=['run', 'sit'])
    known = distill_report_hook.known_classes
    assert known(cfg, object()) == ('run', 'sit')
    assert known(cfg, SimpleNamespace(metainfo=dict(classes=['a', 'b']))) == ('a', 'b')
    assert known(dict(model=dict(subsets=dict(static=[0], dynamic=[1]))), object()) == ()
    assert len(known(dict(model=dict(subsets='ucf101')), object())) == 101


@pytest.mark.parametrize(
    'setting, error, words',
    [
        (dict(max_share=1.0), ValueError, r'max_share must be in \[0, 1\), got 1.0'),
        (dict(classes='no/file.txt'), FileNotFoundError, 'one name a line, got no/file.txt'),
    ],
)
def test_bad_settings_are_refused(setting, error, words):
    with pytest.raises(error, match=words):
        HOOKS.build(dict(HOOK, **setting))
