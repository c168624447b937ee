"""A picture of one video by one command."""

import runpy
import sys

import numpy as np
import pytest
import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image
from tool_runs import ROOT, TINY, shrunken

from mmaction_kd import visualization
from mmaction_kd.engine.hooks import distill_visualization_hook
from mmaction_kd.registry import MODELS

STUDENT = 'configs/dtkd/tiny_slowfast.py'
CLASSES = ('$walk_{$', '<run> & "jump"', 'sit/../down', 'lie')


@pytest.fixture(autouse=True)
def own_scope():
    """What init_recognizer sets globally ends with the test."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@pytest.fixture(scope='module')
def model_files(tmp_path_factory):
    """For each config, paths of it and of weights that tell the classes apart."""
    folder = tmp_path_factory.mktemp('model')
    found = {}
    for config in (TINY, STUDENT):
        cfg = Config.fromfile(ROOT / config)
        path = folder / cfg.filename.rpartition('/')[2]
        cfg.dump(path)
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope('mmaction'):
            model = MODELS.build(cfg.model)
        for part in getattr(model, 'pathways', dict(model=model)).values():
            part.cls_head.fc_cls.weight.data.normal_()
        torch.save(dict(state_dict=model.state_dict()), path.with_suffix('.pth'))
        found[config] = str(path), str(path.with_suffix('.pth'))
    return found


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn, when the tool runs."""
    pictures = []

    def draw(picture, real=visualization.filmstrip_figure):
        pictures.append(picture)
        return real(picture)

    for place in (visualization, distill_visualization_hook):
        monkeypatch.setattr(place, 'filmstrip_figure', draw)
    return pictures


@pytest.fixture
def vis_video(monkeypatch, capsys, tmp_path):
    """Run tools/visualizations/vis_video.py in an empty folder."""

    def run(*arguments):
        command = ['vis_video.py', *map(str, arguments), '--device', 'cpu']
        monkeypatch.setattr(sys, 'argv', command)
        monkeypatch.chdir(tmp_path / 'here')
        runpy.run_path(str(ROOT / 'tools/visualizations/vis_video.py'), run_name='__main__')
        return capsys.readouterr().out

    (tmp_path / 'here').mkdir()
    return run


def test_the_picture_shows_what_the_model_says(model_files, tiny_video, drawn, vis_video, tmp_path):
    (tmp_path / 'classes.txt').write_text('\n'.join(CLASSES) + '\n')
    arguments = ('--classes', tmp_path / 'classes.txt', '--label', CLASSES[1])
    printed = vis_video(*model_files[TINY], tiny_video, *arguments, '--out', 'new/a.png')
    model = init_recognizer(*model_files[TINY], device='cpu')
    sample = inference_recognizer(model, str(tiny_video))
    [picture] = drawn
    local, other, fused = picture.scores
    assert fused.values == pytest.approx(sample.pred_score.numpy(), abs=1e-6)
    assert local.values == pytest.approx(sample.local_score.numpy(), abs=1e-6)
    assert other.values == pytest.approx(sample.global_score.numpy(), abs=1e-6)
    assert (picture.truths, picture.classes) == ((1,), list(CLASSES))
    answer = CLASSES[sample.pred_label.item()]
    assert printed.endswith(f'new/a.png: {answer} {sample.pred_score.max():.2f}\n')
    local, other = picture.views
    assert local.clip.numbers.tolist() == list(range(24, 40))
    assert other.clip.numbers.tolist() == [(8 * i) % 60 for i in range(16)]
    assert (local.heat_note, local.attention) == ('backbone.layer4', None)
    assert other.heat_note == 'backbone.spatial_backbone.layer4'
    assert other.attention.sum(1) == pytest.approx(1, abs=1e-5)
    image = np.asarray(Image.open('new/a.png'))
    assert image.shape[1:] == (1600, 3)
    assert [path.name for path in (tmp_path / 'here').rglob('*')] == ['new', 'a.png']


def test_of_a_slowfast_alone(model_files, tiny_video, drawn, vis_video, tmp_path):
    """The name of the picture comes from the video; a view and a layer can be chosen."""
    layer = ('--target-layer', 'backbone.fast_path.layer3')
    vis_video(*model_files[STUDENT], tiny_video, '--view', 0, '--label', 2, *layer)
    [picture] = drawn
    [view], [scores] = picture.views, picture.scores
    assert (view.clip.view, view.clip.numbers[0]) == (0, 0)
    assert (view.heat_note, view.attention) == (layer[1], None)
    assert scores.values.sum() == pytest.approx(1, abs=1e-5)
    assert picture.truths == (2,)
    assert [path.name for path in (tmp_path / 'here').iterdir()] == ['long.png']


def test_what_is_no_video_leaves_no_file(model_files, vis_video, tmp_path):
    broken = tmp_path / 'broken.mp4'
    broken.write_text('this is no video')
    for config in model_files:
        with pytest.raises(SystemExit, match=r'broken\.mp4 must be a video that can be read, got'):
            vis_video(*model_files[config], broken)
    assert not list((tmp_path / 'here').iterdir())


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('no.mp4',), 'there is no video no.mp4'),
        (('VIDEO', '--label', 'walk'), '--label must be a number, or give --classes, got walk'),
        (('VIDEO', '--label', 'walk', '--classes', 'FILE'), "must be one of ['a', 'b'], got walk"),
        (('VIDEO', '--classes', 'gone.txt'), 'one name a line, got gone.txt, which is not there'),
        (('VIDEO', '--out', 'a.txt'), '--out must end in .png, got a.txt'),
    ],
)
def test_arguments_that_will_not_do(
    model_files, tiny_video, vis_video, capsys, tmp_path, arguments, words
):
    (tmp_path / 'names.txt').write_text('a\nb\n')
    places = dict(VIDEO=tiny_video, FILE=tmp_path / 'names.txt')
    with pytest.raises(SystemExit, match='2'):
        vis_video(*model_files[TINY], *(places.get(word, word) for word in arguments))
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('--target-layer', 'backbone.layer9'), "backbone has no module 'layer9'"),
        (('--target-layer', 'other=backbone'), r"of \['local', 'global'\], got \['other'\]"),
        (('--view', 30), r'view must be in \[0, 29\], got 30'),
    ],
)
def test_what_the_model_has_not(model_files, tiny_video, vis_video, tmp_path, arguments, words):
    with pytest.raises(SystemExit, match=words):
        vis_video(*model_files[TINY], tiny_video, *arguments)
    assert not list((tmp_path / 'here').iterdir())


def test_the_checkpoint_of_another_model_draws_nothing(
    model_files, tiny_video, vis_video, tmp_path
):
    with pytest.raises(SystemExit, match=r'vis_video: .*slowfast\.pth must hold all weights that'):
        vis_video(model_files[TINY][0], model_files[STUDENT][1], tiny_video)
    assert not list((tmp_path / 'here').iterdir())


def test_show_dir_draws_every_second_of_five(demo_set, model_files, drawn, monkeypatch, tmp_path):
    """tools/test.py, with the names of two classes' equal files kept apart."""
    lines = [f'{name}/train_00{i}.mp4 0' for i in (0, 1) for name in ('drift_left', 'drift_right')]
    (tmp_path / 'five.txt').write_text('\n'.join([*lines, 'drift_left/test_000.mp4 0']) + '\n')
    command = (
        *('test.py', *model_files[TINY], '--work-dir', tmp_path / 'work'),
        *('--show-dir', tmp_path / 'show', '--interval', 2, '--classes', demo_set / 'classes.txt'),
        *shrunken(
            demo_set,
            test_dataloader__dataset__ann_file=tmp_path / 'five.txt',
            test_dataloader__batch_size=2,
        ),
    )
    monkeypatch.setattr(sys, 'argv', list(map(str, command)))
    monkeypatch.setenv('LOCAL_RANK', '0')  # what the tool sets ends with the test
    runpy.run_path(str(ROOT / 'tools/test.py'), run_name='__main__')
    pictures = sorted((tmp_path / 'show').iterdir())
    names = ['00000_train_000.png', '00002_train_001.png', '00004_test_000.png']
    assert [path.name for path in pictures] == names
    assert all(Image.open(path).size[0] == 1600 for path in pictures)
    assert not list((tmp_path / 'work').rglob('*.png'))
    assert [picture.views[0].clip.total_frames for picture in drawn] == [136] * 3


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('--show',), '--show needs a display, which is not there: draw into files'),
        (('--show-dir', 'x', '--interval', 0), '--interval must be at least 1, got 0'),
        (('--show-dir', 'x', '--classes', 'no.txt'), 'must be a file, there is no no.txt'),
    ],
)
def test_arguments_of_test_that_will_not_do(monkeypatch, capsys, tmp_path, arguments, words):
    monkeypatch.setattr('sys.platform', 'linux')
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, 'argv', ['test.py', 'c.py', 'c.pth', *map(str, arguments)])
    with pytest.raises(SystemExit, match='2'):
        runpy.run_path(str(ROOT / 'tools/test.py'), run_name='__main__')
    assert words in capsys.readouterr().err
