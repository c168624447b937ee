"""Which videos are drawn, under which names, and where the pictures go."""

from types import SimpleNamespace

import numpy as np
import pytest
import tiny_mbd
import torch
from mmaction.structures import ActionDataSample
from mmengine.visualization import LocalVisBackend
from PIL import Image

from mmaction_kd.engine import DistillVisualizationHook
from mmaction_kd.engine.hooks import distill_visualization_hook
from mmaction_kd.registry import HOOKS

CLASSES = ['$a$', '<b>', 'c', 'd']


class Videos(list):
    """A data set of numbers."""

    @property
    def metainfo(self):
        return dict(classes=CLASSES)


class Backend:
    """Remembers images, as TensorBoard's would."""

    def __init__(self):
        self.images = {}

    def add_image(self, name, image, step):
        self.images[name, step] = image


class Local(Backend, LocalVisBackend):
    """MMEngine's own, that would write them into the work dir."""


@pytest.fixture
def runner():
    """As much of a Runner as the hook uses."""
    backends = dict(local=Local(), board=Backend())

    def add_image(name, image, step):
        for backend in backends.values():
            backend.add_image(name, image, step)

    visualizer = SimpleNamespace(add_image=add_image, _vis_backends=backends)
    loader = SimpleNamespace(batch_size=2, dataset=Videos(range(5)))
    model = tiny_mbd.build().eval()
    return SimpleNamespace(
        model=model, test_dataloader=loader, val_dataloader=loader, visualizer=visualizer, epoch=7
    )


def run_batches(hook, runner, batches=((0, 1), (2, 3), (4,)), when='test'):
    """A test of these batches of videos; the model's scores come from the model."""
    for index, numbers in enumerate(batches):
        inputs = {
            f'{name}_pathway': [
                torch.full((3, 3, 4, 16, 16), 10 * number, dtype=torch.uint8) for number in numbers
            ]
            for name in ('local', 'global')
        }
        samples = [
            ActionDataSample(metainfo=dict(filename=f'../walk/v {number}.avi')).set_gt_label(1)
            for number in numbers
        ]
        batch = dict(inputs=inputs, data_samples=samples)
        with torch.no_grad():
            outputs = runner.model.test_step(batch)
        getattr(hook, f'after_{when}_iter')(runner, index, batch, outputs)


def test_every_second_of_five_into_a_folder(runner, tmp_path):
    """Also of the last batch, which is smaller; whatever is there of that name is replaced."""
    folder = tmp_path / 'pictures'
    folder.mkdir()
    (folder / '00002_v_2.png').write_text('old')
    hook = HOOKS.build(
        dict(type='mmaction_kd.DistillVisualizationHook', interval=2, out_dir=str(folder))
    )
    run_batches(hook, runner)
    assert sorted(path.name for path in tmp_path.rglob('*') if path.is_file()) == [
        *('00000_v_0.png', '00002_v_2.png', '00004_v_4.png'),
    ]
    backends = runner.visualizer._vis_backends
    assert not backends['local'].images
    for (name, step), image in backends['board'].images.items():
        assert step == 0
        assert np.array_equal(np.asarray(Image.open(folder / f'{name}.png')), image)
    assert len(backends['board'].images) == 3


def test_without_a_folder_the_visualizer_has_them(runner):
    run_batches(DistillVisualizationHook(interval=4), runner, when='val')
    for backend in runner.visualizer._vis_backends.values():
        assert sorted(backend.images) == [('00000_v_0', 7), ('00004_v_4', 7)]


def test_each_video_once_on_two_ranks(runner, tmp_path, monkeypatch):
    """DefaultSampler deals 5 videos to 2 ranks as 0 2 4 and 1 3 0."""
    module = distill_visualization_hook
    monkeypatch.setattr(module, 'get_world_size', lambda: 2)
    drawn = {}
    for rank, batches in enumerate([((0, 2), (4,)), ((1, 3), (0,))]):
        monkeypatch.setattr(module, 'get_rank', lambda rank=rank: rank)
        monkeypatch.setattr(module, 'is_main_process', lambda rank=rank: rank == 0)
        folder = tmp_path / str(rank)
        run_batches(DistillVisualizationHook(1, str(folder)), runner, batches)
        drawn[rank] = sorted(path.name for path in folder.iterdir())
    assert drawn[0] == ['00000_v_0.png', '00002_v_2.png', '00004_v_4.png']
    assert drawn[1] == ['00001_v_1.png', '00003_v_3.png']
    assert len(runner.visualizer._vis_backends['board'].images) == 3


def test_each_picture_is_of_its_own_video(runner, tmp_path, monkeypatch):
    seen = {}

    def explain(model, inputs, sample, title, classes, with_grad_cam):
        seen[title] = inputs['local_pathway'].unique().tolist(), classes, with_grad_cam
        return explain.real(model, inputs, sample, title, classes, with_grad_cam=with_grad_cam)

    explain.real = distill_visualization_hook.explain_video
    monkeypatch.setattr(distill_visualization_hook, 'explain_video', explain)
    run_batches(DistillVisualizationHook(1, str(tmp_path)), runner, ((0, 1),))
    assert seen == {f'../walk/v {i}.avi': ([10 * i], CLASSES, False) for i in (0, 1)}


def test_names_from_a_file_go_before_those_of_the_data_set(tmp_path):
    (tmp_path / 'classes.txt').write_text('walk\nrun\n')
    hook = DistillVisualizationHook(classes=str(tmp_path / 'classes.txt'))
    assert list(hook.classes) == ['walk', 'run']


def test_a_window_needs_a_display(monkeypatch):
    monkeypatch.setattr('sys.platform', 'linux')
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match='show must find a display, got neither DISPLAY'):
        DistillVisualizationHook(show=True)
    monkeypatch.setenv('DISPLAY', ':0')
    assert DistillVisualizationHook(show=True).show


def test_windows_are_the_visualizers(runner, monkeypatch):
    monkeypatch.setenv('DISPLAY', ':0')
    shown = []
    runner.visualizer.show = lambda image, **kwargs: shown.append((image.shape[1], kwargs))
    run_batches(DistillVisualizationHook(4, show=True, wait_time=3), runner)
    assert shown == [
        (1600, dict(win_name='00000_v_0', wait_time=3)),
        (1600, dict(win_name='00004_v_4', wait_time=3)),
    ]


def test_an_interval_of_zero_is_refused():
    with pytest.raises(ValueError, match='interval must be at least 1, got 0'):
        DistillVisualizationHook(interval=0)
