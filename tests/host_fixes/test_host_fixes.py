"""Each fix of the host: the fault is there without it, and gone with it.

A probe is a function that a user's program could hold; it fails on the faulty host. Run as a
script, ``python tests/host_fixes/test_host_fixes.py bare|fixed``, it runs every probe in a
process of its own and prints what they raised. ``fixed`` imports mmaction_kd first, ``bare``
does not.
"""

import contextlib
import importlib
import io
import itertools
import json
import multiprocessing
import os
import pickle
import re
import socket
import subprocess
import sys
import tempfile
import traceback
import types
from collections import Counter, OrderedDict, defaultdict
from importlib.machinery import PathFinder
from pathlib import Path

import pytest
from full_disk import files_up_to

ROOT = Path(__file__).parents[2]
NUM_SAMPLES = 8


# --- Probes -------------------------------------------------------------------------------------


def probe_drn():
    import mmaction.models  # noqa: F401


def probe_multimodal():
    if 'mmaction_kd' not in sys.modules:
        put_drn_by_hand()
    import mmaction.models  # noqa: F401


def probe_pkg_resources():
    from mmengine.config import Config

    config = Path('child.py')
    config.write_text("_base_ = 'mmaction::_base_/default_runtime.py'")
    assert Config.fromfile(config).default_scope == 'mmaction'


def probe_base_name():
    import mmengine.hub.hub
    from mmengine.config import Config

    package = Path('mmaction_kd')
    (package / '.mim/configs/mbd').mkdir(parents=True)
    (package / '.mim/model-index.yml').write_text('Import: []')
    (package / '.mim/configs/mbd/base.py').write_text('answer = 42')
    Path('child.py').write_text("_base_ = 'mmaction_kd::mbd/base.py'")
    if 'mmaction_kd' in sys.modules:
        from mmaction_kd.host_fixes import config_packages

        # where an editable install says the package is, which is not in site-packages
        config_packages._FOLDER = package.resolve()
    assert Config.fromfile('child.py').answer == 42
    assert mmengine.hub.get_config('mmaction_kd::mbd/base.py').answer == 42


def probe_resume():
    """What a Runner saves, a Runner resumes, and a model is initialised with."""
    import torch
    from mmengine.model.weight_init import PretrainedInit, initialize

    first = make_runner()
    first.train()
    path = 'work/epoch_2.pth'
    for found in (make_runner(load_from=path, resume=True), make_runner(load_from=path)):
        found.load_or_resume()
        for expected, parameter in zip(
            first.model.parameters(), found.model.parameters(), strict=True
        ):
            assert torch.equal(expected, parameter)

    resumed = make_runner(load_from=path, resume=True, max_epochs=3)
    resumed.load_or_resume()
    assert resumed.epoch == 2
    expected, history = (
        runner.message_hub.log_scalars['train/loss'] for runner in (first, resumed)
    )
    assert history.data[0].tolist() == expected.data[0].tolist() and len(history.data[0]) == 8
    assert history.mean() == expected.mean()
    resumed.train()
    assert resumed.epoch == 3

    model = make_model()
    initialize(model, dict(type='Pretrained', checkpoint=path))
    assert torch.equal(model.linear.weight, first.model.linear.weight)
    assert PretrainedInit(path).checkpoint == path


def probe_address():
    """The checkpoint of an address is a stranger's."""
    import torch
    from mmengine.runner import checkpoint

    torch.save(dict(state_dict={}, evil=RunsCode('touch ran')), 'evil.pth')
    with contextlib.suppress(pickle.UnpicklingError):
        checkpoint.load_from_http(Path('evil.pth').resolve().as_uri(), model_dir='downloads')
    assert not Path('ran').exists(), 'ran code from the checkpoint'
    torch.save(dict(state_dict=dict(weight=torch.ones(2))), 'good.pth')
    loaded = checkpoint.load_from_http(Path('good.pth').resolve().as_uri(), model_dir='downloads')
    assert loaded['state_dict']['weight'].tolist() == [1, 1]


def probe_file():
    """So is that of a file."""
    import torch
    from mmengine.runner import CheckpointLoader

    torch.save(dict(state_dict={}, evil=RunsCode('touch file_ran')), 'evil_file.pth')
    with contextlib.suppress(pickle.UnpicklingError):
        CheckpointLoader.load_checkpoint('evil_file.pth')
    assert not Path('file_ran').exists(), 'ran code from the checkpoint'


def probe_numpy_names():
    import numpy as np

    assert np.Inf == float('inf')
    assert np.in1d([[1, 2], [3, 4]], [2, 3]).tolist() == [False, True, True, False]
    assert np.trapz([1, 2, 3], [0, 1, 3]) == 6.5


def probe_color_jitter():
    import numpy as np
    from mmaction.datasets.transforms import ColorJitter

    rng = np.random.default_rng(0)
    np.random.seed(0)
    for _ in range(60):
        images = [rng.integers(0, 256, (8, 8, 3), dtype=np.uint8) for _ in range(2)]
        out = ColorJitter(hue=0.5).transform(dict(imgs=images))['imgs']
        assert out[0].shape == (8, 8, 3) and out[0].dtype == np.uint8
    red = np.full((1, 1, 3), (255, 0, 0), np.uint8)
    there_and_back = ColorJitter.adjust_hue(ColorJitter.adjust_hue(red, 0.4), -0.4)
    assert np.abs(there_and_back - red).max() <= 4


def probe_two_processes():
    """Stock DDP from a stock Runner: SyncBN, an unused layer, a metric over both ranks."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context('fork')
    answers = context.Queue()
    ranks = [context.Process(target=run_rank, args=(rank, port, answers)) for rank in (0, 1)]
    for process in ranks:
        process.start()
    found = [answers.get(timeout=60) for _ in ranks]
    for process in ranks:
        process.join()
    assert not any('error' in answer for answer in found), found[0].get('error')
    assert found[0]['weight'] == found[1]['weight']
    assert found[0]['trained']
    assert found[0]['seen'] == NUM_SAMPLES, found
    assert [answer['backend'] for answer in found] == ['gloo', 'gloo']


def probe_ddp():
    with single_process_group():
        from mmengine.model import MMDistributedDataParallel

        MMDistributedDataParallel(make_model(), device_ids=[0])


def probe_sync_bn():
    import torch

    with single_process_group():
        from mmengine.model import MMDistributedDataParallel

        model = MMDistributedDataParallel(make_model(sync_bn=True))
        model(torch.randn(2, 2), torch.randn(2, 1), mode='loss')


def probe_amp():
    """As ``tools/train.py --amp`` writes it."""
    import torch
    from mmengine.optim import build_optim_wrapper

    model = make_model()
    config = dict(type='AmpOptimWrapper', loss_scale='dynamic', optimizer=dict(type='SGD', lr=0.1))
    config['clip_grad'] = dict(max_norm=1e-3)
    wrapper = build_optim_wrapper(model, config)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    with wrapper.optim_context(model):
        assert model.linear(torch.ones(1, 2)).dtype is torch.bfloat16
        loss = model(torch.ones(1, 2), torch.ones(1, 1), mode='loss')['loss']
    wrapper.update_params(loss)
    step = [old - new.detach() for old, new in zip(before, model.parameters(), strict=True)]
    norm = torch.cat([part.flatten() for part in step]).norm().item()
    assert abs(norm - 0.1 * 1e-3) < 1e-6  # neither scaled nor unscaled: the clipped gradient
    wrapper.load_state_dict(wrapper.state_dict())


def probe_bfloat16_scores():
    import torch
    from mmaction.models.heads import OmniHead, RGBPoseHead, TSNHead
    from mmaction.structures import ActionDataSample

    scores = torch.randn(3, 5, dtype=torch.bfloat16, requires_grad=True)
    heads = (TSNHead(5, 4), OmniHead(5, 5, 4), RGBPoseHead(5, (4, 4)))
    for head in heads:
        samples = [ActionDataSample().set_gt_label(label) for label in (0, 1, 2)]
        given = dict(rgb=scores, pose=scores) if isinstance(head, RGBPoseHead) else scores
        losses = head.loss_by_feat(given, samples)
        sum(loss for name, loss in losses.items() if 'loss' in name).backward()
        head.average_clips = 'prob'
        prediction = head.predict_by_feat(given, samples)[0].pred_score
        for score in prediction.values() if isinstance(prediction, dict) else [prediction]:
            assert abs(score.detach().numpy().sum() - 1) < 1e-5
    assert scores.grad.dtype is torch.bfloat16 and scores.grad.abs().sum() > 0


def probe_chained_eval():
    from mmaction.models import backbones

    net = backbones.ResNet3d(18, pretrained=None, pretrained2d=False, norm_eval=True)
    assert net.eval() is net, 'eval() returned None'
    assert net.train() is net and net.training and not net.conv1.bn.training
    for backbone in (backbones.X3D(), backbones.ResNet(18), backbones.ResNet3dLayer(18, None)):
        assert backbone.train() is backbone


def probe_metrics_file():
    """A test's metrics are in one file: the first rank writes it, and no other."""
    from unittest import mock

    from mmengine.dist import utils
    from mmengine.hooks import LoggerHook

    hook = LoggerHook()
    hook.json_log_path = 'metrics.json'
    log = types.SimpleNamespace(get_log_after_epoch=lambda *_, **__: ({'acc/top1': 0.5}, ''))
    runner = types.SimpleNamespace(
        log_processor=log, logger=mock.Mock(), test_dataloader=[], log_dir='.'
    )
    with mock.patch.object(utils, 'get_rank', return_value=1):
        hook.after_test_epoch(runner)
    assert not Path('metrics.json').exists(), 'the second rank wrote the metrics'
    hook.after_test_epoch(runner)
    assert json.loads(Path('metrics.json').read_text()) == {'acc/top1': 0.5}


def probe_batches_of_ranks():
    """Ranks with other numbers of batches are told so before they wait for each other."""
    from unittest import mock

    from mmengine import dist
    from mmengine.runner import EpochBasedTrainLoop

    runner = types.SimpleNamespace(call_hook=lambda name: None, model=None)
    loop = types.SimpleNamespace(runner=runner, _epoch=0, _max_epochs=0, stop_training=False)
    for batches in ([2, 1], [0, 0]):
        loop.dataloader = range(batches[0])
        with mock.patch.object(dist, 'all_gather_object', return_value=batches):
            try:
                EpochBasedTrainLoop.run(loop)
            except ValueError as error:
                assert f'got {batches}; set round_up=True' in str(error)
            else:
                raise AssertionError('the ranks began to train')


def probe_pretrained():
    """Of two names one fits; of the other model none does."""
    import torch
    from mmengine.model import PretrainedInit

    model, other = torch.nn.Linear(2, 1), torch.nn.Sequential(torch.nn.Linear(2, 1))
    torch.save(dict(weight=torch.full((1, 2), 7.0)), 'half.pth')
    PretrainedInit('half.pth')(model)
    assert model.weight.tolist() == [[7.0, 7.0]]
    try:
        PretrainedInit('half.pth')(other)
    except ValueError as error:
        assert 'Sequential.init_cfg: half.pth must hold weights of the model' in str(error)
    else:
        raise AssertionError('no weight was loaded')
    assert not other._load_state_dict_post_hooks


def probe_half_a_checkpoint():
    from mmengine.fileio import LocalBackend

    backend = LocalBackend()
    for put, content in ((backend.put, bytes(2000)), (backend.put_text, 2000 * 'a')):
        Path('epoch_1.pth').write_text('whole')
        with contextlib.suppress(OSError), files_up_to(1000):
            put(content, 'epoch_1.pth')
        assert Path('epoch_1.pth').read_text() == 'whole', 'a full disk cut the file short'
    assert os.listdir() == ['epoch_1.pth']


def probe_note():
    hook, runner = bare_checkpoint_hook()
    Path('last_checkpoint').write_text('epoch_1.pth')
    with contextlib.suppress(OSError), files_up_to(0):
        hook._save_checkpoint_with_step(runner, 2, {})
    assert Path('last_checkpoint').read_text() == 'epoch_1.pth', 'last_checkpoint is empty'


def probe_scalars():
    from mmengine.visualization import LocalVisBackend

    backend = LocalVisBackend('vis_data')
    backend.add_scalar('loss', 1.0)
    try:
        with files_up_to(0):
            backend.add_scalar('loss', 2.0)
    except OSError as error:
        assert 'scalars.json' in str(error), f'the error names no file: {error}'
    else:
        raise AssertionError('it was written')


def probe_last_complete():
    import mmengine.runner
    import torch

    for name in ('epoch_1.pth', 'epoch_2.pth'):
        torch.save(dict(weight=torch.ones(9)), name)
    os.truncate('epoch_2.pth', 500)
    Path('last_checkpoint').write_text('epoch_2.pth')
    for module in (mmengine.runner, mmengine.runner.runner):
        found = module.find_latest_checkpoint('.')
        assert found == 'epoch_1.pth', f'{found} was found, which is cut short'


def probe_early_stop():
    """As EarlyStoppingHook stops it, between two checkpoints."""
    from mmengine.hooks import CheckpointHook, Hook

    class StopInTheFirst(Hook):
        def after_train_epoch(self, runner):
            runner.train_loop.stop_training = True

    hooks = [CheckpointHook(interval=5), StopInTheFirst()]
    make_runner(default_hooks=dict(checkpoint=None), custom_hooks=hooks).train()
    assert Path('work/epoch_1.pth').exists(), 'the stopped training saved nothing'


def probe_frame_rate():
    """A video of 10 frames a second, sampled as if it had 5: every second frame."""
    import cv2
    import numpy as np
    from mmaction.datasets import transforms

    video = cv2.VideoWriter('a.mp4', cv2.VideoWriter_fourcc(*'mp4v'), 10, (32, 32))
    for _ in range(40):
        video.write(np.zeros((32, 32, 3), np.uint8))
    video.release()
    readers = [transforms.OpenCVInit()]
    if importlib.util.find_spec('av'):
        readers.append(transforms.PyAVInit())
    sample = transforms.SampleFrames(clip_len=8, target_fps=5, test_mode=True)
    for reader in readers:
        results = sample(reader(dict(filename='a.mp4', start_index=0)))
        assert np.ptp(results['frame_inds']) == 15, 'target_fps had no effect'


def probe_activation_checkpointing():
    """Weights whose input needs no gradient learn, and a batch is counted once."""
    import torch
    from mmengine.runner.activation_checkpointing import turn_on_activation_checkpointing
    from torch import nn

    backbone = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model = nn.Sequential(backbone, nn.Linear(2, 1))
    turn_on_activation_checkpointing(model, ['0'])
    model(torch.randn(4, 2)).sum().backward()
    assert backbone[0].weight.grad is not None, 'the backbone has no gradient'
    assert backbone[1].num_batches_tracked == 1


def probe_printed_content():
    import decord

    shown = os.dup(2)
    with open('printed', 'wb') as printed:
        os.dup2(printed.fileno(), 2)
        with contextlib.suppress(RuntimeError):
            decord.VideoReader(io.BytesIO(b'hunter2 ' * 20))
        os.dup2(shown, 2)
    assert 'hunter2' not in Path('printed').read_text(), 'decord printed the content'


def probe_no_video():
    import mmcv

    Path('list.txt').write_text('a.mp4 1')
    with contextlib.suppress(OSError):
        len(mmcv.VideoReader('list.txt'))


def probe_ending():
    import cv2
    import numpy as np
    from mmaction.datasets.transforms import DecordInit

    writer = cv2.VideoWriter('clip.mp4', cv2.VideoWriter_fourcc(*'mp4v'), 25, (64, 48))
    for _ in range(3):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    step = DecordInit()
    assert step.transform(dict(filename='clip'))['total_frames'] == 3  # some lists have no endings
    Path('clip.mp4').rename('clip')
    assert step.transform(dict(filename='clip'))['total_frames'] == 3


def probe_testing_views():
    import torch
    from mmaction.models import Recognizer3D
    from mmengine.model import BaseDataPreprocessor

    backbone = dict(type='ResNet3d', depth=18, base_channels=2, pretrained=None)
    preprocessor = BaseDataPreprocessor()
    model = Recognizer3D(
        backbone, data_preprocessor=preprocessor, test_cfg=dict(max_testing_views=2)
    )
    model.eval()
    videos = torch.rand(2, 3, 3, 8, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        alone = [model.extract_feat(video[None], test_mode=True)[0] for video in videos]
        both, _ = model.extract_feat(videos, test_mode=True)
    torch.testing.assert_close(both, torch.cat(alone))
    assert not torch.equal(alone[0], alone[1])


def probe_tanet():
    import torch
    from mmaction.models.backbones import TANet
    from torchvision.models import resnet50

    TANet(50, 8, pretrained='elsewhere.pth')
    weights = resnet50().state_dict()
    torch.save(weights, 'resnet50.pth')
    net = TANet(50, 8, pretrained='resnet50.pth')
    names = list(net.state_dict())
    net.init_weights()
    assert list(net.state_dict()) == names
    loaded = net.layer3[2].block.conv2.conv.weight
    assert torch.equal(loaded, weights['layer3.2.conv2.weight'])


# What each probe says on the bare host.
def probe_subsets():
    from mmengine.dataset import BaseDataset, Compose

    def made():
        dataset = BaseDataset(serialize_data=False, lazy_init=True)
        dataset.data_list, dataset._fully_initialized = [dict(label=0)], True
        return dataset

    for dataset in [made() for _ in range(100)]:
        dataset.get_subset([0])
    del dataset
    pipelines, dataset = [Compose([]) for _ in range(1000)], made()  # some where a data set was
    for dataset.pipeline in pipelines:
        assert type(dataset.get_subset([0]).pipeline) is Compose


def probe_balanced_classes():
    """A data set of videos in which each class is as frequent as the most frequent one."""
    from mmaction.datasets import VideoDataset
    from mmengine.dataset import ClassBalancedDataset

    labels = [0, 0, 0, 0, 1]
    for multi_class in (False, True):
        Path('uneven.txt').write_text('\n'.join(f'{i}.mp4 {k}' for i, k in enumerate(labels)))
        kwargs = dict(multi_class=True, num_classes=2) if multi_class else {}
        videos = VideoDataset('uneven.txt', pipeline=[], **kwargs)
        balanced = ClassBalancedDataset(videos, oversample_thr=0.8)  # sqrt(0.8 / 0.2) = 2 times
        names = [balanced.get_data_info(i)['filename'] for i in range(len(balanced))]
        assert names == ['0.mp4', '1.mp4', '2.mp4', '3.mp4', '4.mp4', '4.mp4']


PROBES = {
    # 'Found no NVIDIA driver' in a program of one's own, other words in a forked process
    probe_two_processes: r'torch\.cuda\.set_device\(local_rank\)',
    probe_drn: r"No module named 'mmaction\.models\.localizers\.drn'",
    probe_multimodal: r'timm|transformers',
    probe_pkg_resources: r"No module named 'pkg_resources'",
    probe_base_name: r'mmengine does not support to load mmaction_kd config',
    probe_resume: r'Weights only load failed',
    probe_address: r'ran code from the checkpoint',
    probe_file: r'ran code from the checkpoint',
    probe_numpy_names: r'`?np\.Inf`? was removed|no attribute',
    probe_color_jitter: r'OverflowError',
    probe_ddp: r'device_ids',
    probe_sync_bn: r'SyncBatchNorm layers only work with GPU modules',
    probe_amp: r'only available training on gpu',
    probe_bfloat16_scores: r'BFloat16',
    probe_metrics_file: r'the second rank wrote the metrics',
    probe_batches_of_ranks: r'the ranks began to train',
    probe_chained_eval: r'eval\(\) returned None',
    probe_pretrained: r'no weight was loaded',
    probe_half_a_checkpoint: r'a full disk cut the file short',
    probe_note: r'last_checkpoint is empty',
    probe_scalars: r'the error names no file',
    probe_last_complete: r'epoch_2\.pth was found, which is cut short',
    probe_printed_content: r'decord printed the content',
    probe_no_video: r'__len__\(\) should return >= 0',
    probe_ending: r'No such file or directory: .*clip\.mp4',
    probe_testing_views: r'only compatible with batch_size == 1',
    probe_tanet: r'elsewhere\.pth',
    probe_early_stop: r'the stopped training saved nothing|Weights only load failed',
    probe_frame_rate: r'target_fps had no effect',
    probe_activation_checkpointing: r'the backbone has no gradient',
    probe_subsets: r'AssertionError',
    probe_balanced_classes: r'NotImplementedError|get_cat_ids',
}


# --- What the probes are made of ----------------------------------------------------------------


class RunsCode:
    """Runs a shell command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def bare_checkpoint_hook(**settings):
    """A CheckpointHook that saves into the current folder, and a Runner that saves nothing."""
    from unittest import mock

    from mmengine.fileio import LocalBackend
    from mmengine.hooks import CheckpointHook

    hook = CheckpointHook(interval=1, **settings)
    hook.out_dir, hook.file_backend, hook.file_client_args = '.', LocalBackend(), None
    runner = mock.MagicMock(work_dir='.', epoch=2)
    runner.message_hub.runtime_info = {}
    return hook, runner


def make_model(sync_bn=False):
    import torch
    from mmengine.model import BaseModel

    class Model(BaseModel):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(2, 1)
            self.norm = torch.nn.SyncBatchNorm(1) if sync_bn else torch.nn.Identity()
            self.unused = torch.nn.Linear(1, 1)

        def forward(self, inputs, targets, mode='tensor'):
            out = self.norm(self.linear(inputs))
            return dict(loss=(out - targets).square().mean()) if mode == 'loss' else list(out)

    return Model()


def make_runner(model=None, max_epochs=2, **kwargs):
    import torch
    from mmengine.evaluator import BaseMetric
    from mmengine.runner import Runner

    class CountSamples(BaseMetric):
        def process(self, data_batch, data_samples):
            self.results += data_samples

        def compute_metrics(self, results):
            return dict(seen=len(results))

    dataset = [
        dict(inputs=torch.tensor([float(i), 1.0]), targets=torch.tensor([2.0 * i]))
        for i in range(NUM_SAMPLES)
    ]
    loader = dict(
        batch_size=2, dataset=dataset, num_workers=0, collate_fn=dict(type='default_collate')
    )
    return Runner(
        make_model() if model is None else model,
        work_dir='work',
        train_dataloader=loader | dict(sampler=dict(type='DefaultSampler', shuffle=True)),
        val_dataloader=loader | dict(sampler=dict(type='DefaultSampler', shuffle=False)),
        train_cfg=dict(by_epoch=True, max_epochs=max_epochs),
        val_cfg=dict(),
        val_evaluator=[CountSamples(collect_device='cpu')],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
        default_scope='mmengine',
        experiment_name=f'run{next(RUN_NUMBERS)}',
        randomness=dict(seed=0),
        **kwargs,
    )


RUN_NUMBERS = iter(range(1000))


def run_rank(rank, port, answers):
    try:
        import torch

        # rank + 1: DDP has to make the models equal
        torch.manual_seed(rank + 1)
        os.environ.update(
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE='2',
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=str(port),
        )
        runner = make_runner(
            make_model(sync_bn=True),
            launcher='pytorch',
            cfg=dict(find_unused_parameters=True),
        )
        before = runner.model.module.linear.weight.tolist()
        runner.train()
        weight = runner.model.module.linear.weight.tolist()
        backend = torch.distributed.get_backend()
        seen = runner.message_hub.get_scalar('val/seen').current() if rank == 0 else NUM_SAMPLES
        answers.put(dict(weight=weight, trained=weight != before, seen=int(seen), backend=backend))
        torch.distributed.destroy_process_group()
    except BaseException:
        answers.put(dict(error=traceback.format_exc()))


@contextlib.contextmanager
def single_process_group():
    import torch

    store = torch.distributed.HashStore()
    torch.distributed.init_process_group('gloo', store=store, rank=0, world_size=1)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


class BlindFinder(PathFinder):
    """Python's own path finder on a machine with setuptools >= 82."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition('.')[0] == 'pkg_resources':
            return None
        return super().find_spec(name, path, target)


def put_drn_by_hand():
    for name in ('mmaction.models.localizers.drn', 'mmaction.models.localizers.drn.drn'):
        module = types.ModuleType(name)
        module.__path__ = []
        module.DRN = object
        sys.modules[name] = module


def run_forked(probe, folder):
    """What the probe raises in a process of its own, '' if nothing."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        os.chdir(folder)
        error = ''
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                probe()
        except BaseException:
            error = traceback.format_exc()
        with os.fdopen(write_end, 'w') as pipe:
            pipe.write(error)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        error = pipe.read()
    _, status = os.waitpid(child, 0)
    return error or (f'died with status {status}' if status else '')


def main(mode):
    """Run every probe and print ``{name: error}`` as the last line."""
    sys.meta_path[sys.meta_path.index(PathFinder)] = BlindFinder
    sys.modules.pop('pkg_resources', None)
    if mode == 'fixed':
        import mmaction_kd  # noqa: F401
    # what several probes import, so that it is imported once
    import mmengine.runner  # noqa: F401
    import torch
    import torch._dynamo

    torch.set_num_threads(1)
    errors = {}
    for probe in PROBES:
        if probe is probe_bfloat16_scores:
            if mode == 'bare':
                put_drn_by_hand()
                importlib.import_module('mmaction.utils.dependency').WITH_MULTIMODAL = False
            with contextlib.suppress(Exception):  # then probe_drn or probe_multimodal tells why
                importlib.import_module('mmaction.models')
        with tempfile.TemporaryDirectory() as folder:
            errors[probe.__name__] = run_forked(probe, folder)
    print('\n' + json.dumps(errors))


def run_probes(mode):
    command = [sys.executable, '-W', 'ignore', __file__, mode]
    path = os.pathsep.join([str(ROOT), str(ROOT / 'tests')])
    env = os.environ | dict(PYTHONPATH=path, CUDA_VISIBLE_DEVICES='-1', OMP_NUM_THREADS='1')
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope='module')
def bare():
    return run_probes('bare')


@pytest.fixture(scope='module')
def fixed():
    return run_probes('fixed')


# --- Tests --------------------------------------------------------------------------------------


@pytest.mark.parametrize('probe', PROBES, ids=lambda probe: probe.__name__)
def test_fault_is_there_without_the_fix(probe, bare):
    if not bare[probe.__name__]:
        pytest.skip('this host has no such fault')
    last_words = bare[probe.__name__]
    assert re.search(PROBES[probe], last_words), last_words


@pytest.mark.parametrize('probe', PROBES, ids=lambda probe: probe.__name__)
def test_fault_is_gone_with_the_fix(probe, fixed):
    assert fixed[probe.__name__] == ''


def test_every_fix_has_a_probe():
    from mmaction_kd.host_fixes import FIXES

    assert len(FIXES) == len(PROBES) - 1  # one fix, two probes: device_ids and SyncBN


def test_import_is_cheap_and_leaves_the_host_alone():
    code = (
        'import sys, mmaction_kd.host_fixes; '
        'print(sorted({"torch", "numpy", "mmengine", "mmaction"} & set(sys.modules)))'
    )
    env = os.environ | dict(PYTHONPATH=str(ROOT))
    assert subprocess.check_output([sys.executable, '-c', code], env=env, text=True) == '[]\n'


def test_a_host_without_faults_has_none(monkeypatch):
    from mmaction_kd import host_fixes

    for kind in vars(host_fixes).values():
        if isinstance(kind, types.ModuleType):
            monkeypatch.setattr(kind, 'source_of', lambda module: 'fixed upstream', raising=False)
            monkeypatch.setattr(
                kind, 'version_of', lambda name: {'torch': '9.0'}.get(name, '1.0'), raising=False
            )
            monkeypatch.setattr(
                kind, 'is_importable', lambda name: name != 'transformers', raising=False
            )
    monkeypatch.setattr(host_fixes.numpy_two, '_DROPPED', ('inf', 'isin'))
    assert [fix.name for fix in host_fixes.FIXES if fix.fault()] == []


def make_fix(fault, fix, module='textwrap'):
    from mmaction_kd.host_fixes.fix import Fix

    return Fix('a fault', ('host',), module, fault, fix, 'a remedy')


def test_a_host_without_faults_is_not_touched():
    touched = []
    fix = make_fix(lambda: False, touched.append)
    fix.apply()
    assert fix.outcome.name == 'ABSENT' and touched == []


def test_fix_is_applied_once():
    touched = []
    fix = make_fix(lambda: True, touched.append)
    fix.apply()
    fix.apply()
    assert fix.outcome.name == 'FIXED' and touched == [sys.modules['textwrap']]


def test_fix_waits_for_its_module(monkeypatch, tmp_path):
    (tmp_path / 'late_module.py').write_text('value = 1')
    monkeypatch.syspath_prepend(tmp_path)

    def double(module):
        module.value *= 2

    fix = make_fix(lambda: True, double, 'late_module')
    fix.apply()
    assert fix.outcome.name == 'WAITING' and 'late_module' not in sys.modules
    module = importlib.import_module('late_module')
    assert fix.outcome.name == 'FIXED' and module.value == 2
    assert importlib.reload(module).value == 2  # a reloaded module is fixed anew


def test_failing_fix_is_recorded_and_not_raised():
    def fail(module):
        raise AttributeError('the host has changed')

    fix = make_fix(lambda: True, fail)
    with pytest.warns(UserWarning, match=r'could not fix "a fault".*host_fixes\.doctor'):
        fix.apply()
    assert fix.outcome.name == 'FAILED'
    assert fix.error == 'AttributeError: the host has changed'


def test_stand_in_yields_to_the_real_module(monkeypatch, tmp_path):
    from mmaction_kd.host_fixes.import_hooks import stand_in

    for folder in ('ours', 'theirs'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'perhaps.py').write_text(f'owner = {folder!r}')
    stand_in('perhaps', tmp_path / 'ours/perhaps.py')
    assert importlib.import_module('perhaps').owner == 'ours'
    monkeypatch.delitem(sys.modules, 'perhaps')
    monkeypatch.syspath_prepend(tmp_path / 'theirs')
    assert importlib.import_module('perhaps').owner == 'theirs'
    monkeypatch.delitem(sys.modules, 'perhaps')


def test_stand_in_of_drn_says_what_to_do():
    import mmaction.models  # noqa: F401
    from mmaction.registry import MODELS

    from mmaction_kd.host_fixes.missing_modules import FIXES

    if FIXES[0].outcome.name == 'ABSENT':
        pytest.skip('this host has no such fault')
    with pytest.raises(RuntimeError, match='install mmaction2 from its source'):
        MODELS.build(dict(type='DRN'))


def test_stand_in_of_pkg_resources_has_only_what_mmengine_calls():
    from mmaction_kd.host_fixes.stand_ins import pkg_resources

    found = pkg_resources.get_distribution('mmaction2')
    assert (Path(found.location) / 'mmaction').is_dir()
    assert found.has_metadata('top_level.txt')
    assert found.get_metadata('top_level.txt').split('\n')[0] == 'mmaction'
    with pytest.raises(pkg_resources.DistributionNotFound):
        pkg_resources.get_distribution('no-such-distribution')
    with pytest.raises(AttributeError, match=r"got 'resource_filename'; install .*<82"):
        _ = pkg_resources.resource_filename


def test_amp_on_cpu_says_that_it_takes_bfloat16():
    import torch
    from mmengine.device import get_device
    from mmengine.optim import AmpOptimWrapper

    import mmaction_kd  # noqa: F401

    if get_device() != 'cpu':
        pytest.skip('this machine has an accelerator')
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    with pytest.warns(UserWarning, match="must be bfloat16, got 'float16'; bfloat16 is used"):
        wrapper = AmpOptimWrapper(dtype='float16', optimizer=optimizer)
    assert wrapper.cast_dtype is torch.bfloat16


def test_gradients_under_amp_on_cpu_are_those_of_float32():
    """Of maps that are small and have padding in time, where oneDNN's are wrong."""
    import torch
    from mmengine.device import get_device
    from mmengine.optim import AmpOptimWrapper, OptimWrapper

    import mmaction_kd  # noqa: F401

    if get_device() != 'cpu':
        pytest.skip('this machine has an accelerator')
    for seed, frames in itertools.product(range(4), (1, 2)):
        torch.manual_seed(seed)
        model = torch.nn.Conv3d(32, 64, (3, 1, 1), padding=(1, 0, 0), bias=False)
        video = torch.randn(frames, 32, 2, 4, 4)
        grads = []
        for kind in (OptimWrapper, AmpOptimWrapper):
            wrapper = kind(optimizer=torch.optim.SGD(model.parameters(), lr=0.0))
            with wrapper.optim_context(model):
                scores = model(video)
            wrapper.backward(scores.float().square().mean())
            grads.append(model.weight.grad.clone())
            wrapper.zero_grad()
        assert (grads[1] - grads[0]).norm() < 0.02 * grads[0].norm()


# --- Checkpoints --------------------------------------------------------------------------------


def test_a_process_leaves_its_gloo_group_before_python_ends(tmp_path):
    """With the group left to the end of Python, gloo aborts one process in some dozens."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    script = tmp_path / 'script.py'
    script.write_text(
        'import atexit\n'
        'from torch import distributed\n'
        'atexit.register(lambda: print("in a group:", distributed.is_initialized()))\n'
        'import mmaction_kd\n'
        'from mmengine.dist import init_dist\n'
        'init_dist("pytorch", backend="nccl")\n'
        'print("began in", distributed.get_backend())\n'
    )
    rank = dict(RANK='0', LOCAL_RANK='0', WORLD_SIZE='1')
    env = {**os.environ, **rank, 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port)}
    command = [sys.executable, '-W', 'ignore', str(script)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.stdout.split('\n')[-3:] == ['began in gloo', 'in a group: False', ''], done.stderr


@pytest.fixture(scope='module')
def torch():
    return pytest.importorskip('torch')


@pytest.fixture(params=['torch', 'python'])
def unpickler(request, monkeypatch):
    """The unpickler of torch >= 2.6 and that of earlier ones, which keep to the same list."""
    from mmaction_kd.host_fixes import checkpoint_loader

    if request.param == 'python':
        monkeypatch.setattr(checkpoint_loader, '_is_guarded_by_torch', lambda: False)
    elif not checkpoint_loader._is_guarded_by_torch():
        pytest.skip('torch < 2.6 has no allow-list')
    return request.param


def load(path, **kwargs):
    from mmengine.runner import CheckpointLoader

    import mmaction_kd  # noqa: F401

    return CheckpointLoader.load_checkpoint(str(path), **kwargs)


class Calls:
    """Pickled as a call: unpickling calls ``function(*args)``."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def malicious(ran):
    """Ways to run code or to reach what runs code, with the name that is refused."""
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    command = f'touch {ran}'
    return {
        'a shell': (RunsCode(command), 'posix.system'),
        'eval': (Calls(eval, f'__import__("os").system("{command}")'), 'eval'),
        'import': (Calls(__import__, 'os'), '__import__'),
        'getattr of a module': (Calls(getattr, os, 'system'), None),
        'getattr of another class': (Calls(getattr, OrderedDict, 'update'), 'getattr'),
        'private method': (Calls(getattr, HistoryBuffer, '__init__'), 'getattr'),
        'class method': (Calls(getattr, HistoryBuffer, 'register_statistics'), 'getattr'),
        'a call of a method': (
            Calls(Calls(getattr, HistoryBuffer, 'update'), HistoryBuffer(), 1),
            None,
        ),
        'a nested load': (Calls(torch.storage._load_from_bytes, b''), '_load_from_bytes'),
        'an array of objects': (np.array([None]), type(np.dtype(object)).__name__),
        'subprocess': (Calls(subprocess.call, [command]), '.call'),
    }


@pytest.mark.parametrize('legacy', [False, True], ids=['zip', 'legacy'])
@pytest.mark.parametrize('way', malicious(''))
def test_malicious_checkpoint_is_refused(way, legacy, unpickler, torch, tmp_path):
    if (way, unpickler) == ('a call of a method', 'python'):
        pytest.skip('it calls what a history may: nothing happens')
    ran, path = tmp_path / 'ran', tmp_path / 'evil.pth'
    payload, refused = malicious(ran)[way]
    try:
        torch.save(
            dict(state_dict={}, payload=payload), path, _use_new_zipfile_serialization=not legacy
        )
    except (TypeError, pickle.PicklingError):
        # what pickle does not write, a stranger writes by hand
        path.write_bytes(b'\x80\x02cbuiltins\ngetattr\n(cos\nsystem\nX\x04\x00\x00\x00nametR.')
    with pytest.raises(pickle.UnpicklingError) as error:
        load(path)
    text = str(error.value)
    assert text.startswith('checkpoint loader: a checkpoint must hold only tensors')
    assert 'torch.serialization.add_safe_globals' in text and str(path) in text
    assert refused is None or refused in text
    assert 'weights_only' not in text  # no advice to unpickle anything
    assert not ran.exists()


def test_checkpoint_of_plain_data_and_history(unpickler, torch, tmp_path):
    import numpy as np
    from mmengine.config import ConfigDict
    from mmengine.logging import HistoryBuffer

    saved = dict(
        weight=torch.arange(3.0),
        ordered=OrderedDict(a=1),
        counter=Counter('aab'),
        default=defaultdict(list, a=[1]),
        config=ConfigDict(a=dict(b=1)),
        scalars=[np.float32(0.5), np.int64(3), np.bool_(True), np.str_('x')],
        arrays=[np.arange(3), np.array(['a', 'b']), np.zeros((2, 2), np.float16)],
        plain=[1, 2.5, None, True, 'text', b'bytes', (1, 2), {3}, 1 << 70],
    )
    path = tmp_path / 'checkpoint.pth'
    torch.save(saved | dict(history=HistoryBuffer([1.0, 3.0], [1, 1])), path)
    loaded = load(path)
    assert loaded['history'].mean() == 2 and loaded['history'].statistics('max') == 3
    for name in ('ordered', 'counter', 'default', 'config', 'scalars', 'plain'):
        assert loaded[name] == saved[name]
    assert loaded['config'].a.b == 1
    assert type(loaded['default']) is dict
    for expected, array in zip(saved['arrays'], loaded['arrays'], strict=True):
        assert array.dtype == expected.dtype and np.array_equal(array, expected)
    assert torch.equal(loaded['weight'], saved['weight'])


@pytest.mark.parametrize('package', ['numpy.core', 'numpy._core'])
def test_arrays_of_either_numpy(package, unpickler, torch, tmp_path):
    import numpy as np

    path = tmp_path / 'checkpoint.pth'
    content = [np.arange(3), np.float64(2)]
    torch.save(content, path, _use_new_zipfile_serialization=False)
    written = re.sub(rb'numpy\._?core\.', f'{package}.'.encode(), path.read_bytes())
    path.write_bytes(written)
    array, scalar = load(path)
    assert array.tolist() == [0, 1, 2] and scalar == 2


def test_map_location(unpickler, torch, tmp_path):
    torch.save(torch.ones(2), tmp_path / 'checkpoint.pth')
    assert load(tmp_path / 'checkpoint.pth', map_location='meta').device.type == 'meta'
    assert load(tmp_path / 'checkpoint.pth', map_location='cpu').device.type == 'cpu'


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nothing\.pth can not be found'):
        load(tmp_path / 'nothing.pth')


class OfTheUser:
    """A class of a user's own."""


def test_class_that_the_user_admits(unpickler, torch, tmp_path):
    if not hasattr(torch.serialization, 'safe_globals'):
        pytest.skip('torch < 2.5 has no safe_globals')
    path = tmp_path / 'checkpoint.pth'
    torch.save(OfTheUser(), path)
    with pytest.raises(pickle.UnpicklingError, match=r'got .*OfTheUser'):
        load(path)
    before = set(torch.serialization.get_safe_globals())
    with torch.serialization.safe_globals([OfTheUser]):
        assert isinstance(load(path), OfTheUser)
        assert set(torch.serialization.get_safe_globals()) == before | {OfTheUser}
    assert set(torch.serialization.get_safe_globals()) == before


if __name__ == '__main__':
    main(sys.argv[1])
