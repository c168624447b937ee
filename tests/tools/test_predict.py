"""One call from a config, a checkpoint and a file to the action: three doors, one answer."""

import re
import runpy
import shutil
import sys

import pytest
import torch
from mmaction.apis import MMAction2Inferencer, inference_recognizer, init_recognizer
from mmengine.config import Config
from mmengine.registry import DefaultScope
from strange_files import animated
from tool_runs import ROOT, TINY

from mmaction_kd.registry import MODELS

CLASSES = ('walk', 'run', 'jump', 'sit down')
PATHWAYS = ('local', 'global')


@pytest.fixture(autouse=True)
def own_scope():
    """What init_recognizer sets globally ends with the test."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@pytest.fixture(scope='module')
def model_files(tmp_path_factory):
    """Paths of a dumped MBD config and of weights that tell the classes apart."""
    folder = tmp_path_factory.mktemp('model')
    cfg = Config.fromfile(ROOT / TINY)
    cfg.dump(folder / 'config.py')
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg.model)
    for pathway in model.pathways.values():
        pathway.cls_head.fc_cls.weight.data.normal_()
    torch.save(dict(state_dict=model.state_dict()), folder / 'model.pth')
    return str(folder / 'config.py'), str(folder / 'model.pth')


@pytest.fixture(scope='module')
def sample(model_files, tiny_video):
    """What inference_recognizer makes of the video."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        return inference_recognizer(init_recognizer(*model_files, device='cpu'), str(tiny_video))


def predict(monkeypatch, capsys, *arguments):
    """What tools/predict.py prints."""
    monkeypatch.setattr(sys, 'argv', ['predict.py', *map(str, arguments), '--device', 'cpu'])
    runpy.run_path(str(ROOT / 'tools/predict.py'), run_name='__main__')
    return capsys.readouterr().out


def test_inference_recognizer_gives_scores_and_how_they_came_about(sample):
    fused = sum(sample.get(f'{name}_weight') * sample.get(f'{name}_score') for name in PATHWAYS)
    assert sample.pred_score.numpy() == pytest.approx(fused.numpy(), abs=1e-6)
    assert sample.pred_score.max() > 0.3  # the weights do tell the classes apart
    assert (sample.local_score - sample.global_score).abs().max() > 0.01


def test_the_inferencer_gives_the_same_scores(model_files, tiny_video, sample):
    """It prepends steps of its own: the video is opened before the pathways see it."""
    config, checkpoint = model_files
    inferencer = MMAction2Inferencer(rec=config, rec_weights=checkpoint, device='cpu')
    (found,) = inferencer(str(tiny_video))['predictions']
    assert found['rec_scores'] == [pytest.approx(sample.pred_score.tolist(), abs=1e-6)]
    assert found['rec_labels'] == [sample.pred_label.tolist()]


def test_predict_names_the_classes(model_files, tiny_video, sample, monkeypatch, capsys, tmp_path):
    (tmp_path / 'classes.txt').write_text('\n'.join(CLASSES) + '\n')
    classes = ('--classes', tmp_path / 'classes.txt')
    lines = predict(monkeypatch, capsys, *model_files, tiny_video, *classes).splitlines()[-4:]

    def words(score, count):
        best = sorted(zip(score.tolist(), CLASSES, strict=True), reverse=True)[:count]
        return ', '.join(f'{name} {value:.2f}' for value, name in best)

    expected = [str(tiny_video), f'  {words(sample.pred_score, 4)}']
    for name in PATHWAYS:
        weight, score = sample.get(f'{name}_weight').item(), sample.get(f'{name}_score')
        expected.append(f'    {name:6} (weight {weight:.2f}): {words(score, 2)}')
    assert lines == expected


def test_predict_without_names_prints_numbers(
    model_files, tiny_videos, sample, monkeypatch, capsys
):
    videos = (tiny_videos['short'], tiny_videos['long'])
    lines = predict(monkeypatch, capsys, *model_files, *videos).splitlines()[-8:]
    assert [lines[0], lines[4]] == [str(video) for video in videos]
    best = sample.pred_label.item()
    assert lines[5].startswith(f'  {best} {sample.pred_score[best]:.2f}, ')


def answered(printed):
    """The videos that an answer follows."""
    lines = printed.splitlines()
    return [lines[i - 1] for i, line in enumerate(lines) if line.startswith('  1 0.')]


def test_predict_reports_a_missing_video_and_answers_the_others(
    model_files, tiny_videos, monkeypatch, capsys
):
    videos = tiny_videos['short'], 'no.mp4', 'none/*.mp4', tiny_videos['long']
    with pytest.raises(SystemExit, match='1'):
        predict(monkeypatch, capsys, *model_files, *videos)
    printed = capsys.readouterr()
    assert answered(printed.out) == [str(tiny_videos[name]) for name in ('short', 'long')]
    first, second = printed.err.splitlines()[-2:]
    assert re.match(r'predict: no\.mp4 must be a video .* No such file or directory', first)
    assert second.startswith('predict: none/*.mp4 must be a video')


def test_predict_takes_a_folder_and_a_pattern(
    model_files, tiny_videos, monkeypatch, capsys, tmp_path
):
    """Each file once, hidden ones and folders inside left out; a name like a pattern is a name."""
    for name in ('b.mp4', 'a', '.hidden.mp4', 'in/c.mp4', '[ab].mp4'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(tiny_videos['short'], tmp_path / name)

    def videos(*given):
        printed = predict(monkeypatch, capsys, *model_files, *given)
        return [name.removeprefix(f'{tmp_path}/') for name in answered(printed)]

    assert videos(tmp_path) == ['[ab].mp4', 'a', 'b.mp4']
    both = f'{tmp_path}/**/*.mp4', tmp_path / 'b.mp4'
    assert videos(*both) == ['[ab].mp4', 'b.mp4', 'in/c.mp4']
    assert videos(tmp_path / '[ab].mp4') == ['[ab].mp4']


def test_predict_takes_whichever_reader_can(model_files, monkeypatch, capsys, tmp_path):
    animated(tmp_path / 'a.gif')
    with pytest.raises(SystemExit, match='1'):
        predict(monkeypatch, capsys, *model_files, tmp_path / 'a.gif')
    assert 'opencv can read it: set backend=' in capsys.readouterr().err
    printed = predict(monkeypatch, capsys, *model_files, tmp_path / 'a.gif', '--backend', 'auto')
    assert answered(printed) == [str(tmp_path / 'a.gif')]


def test_predict_takes_no_checkpoint_of_other_classes(
    model_files, tiny_video, monkeypatch, capsys, tmp_path
):
    config, checkpoint = model_files
    weights = torch.load(checkpoint)['state_dict']
    more = {n: torch.cat([w, w]) if 'fc_cls' in n else w for n, w in weights.items()}
    torch.save(dict(state_dict=more), path := tmp_path / 'more.pth')
    with pytest.raises(SystemExit, match=r'predict: .*more\.pth must .*none for 4 of .*fc_cls'):
        predict(monkeypatch, capsys, config, path, tiny_video)


def test_predict_tells_of_a_video_that_can_not_be_read_and_goes_on(
    model_files, tiny_video, monkeypatch, capsys, tmp_path
):
    (tmp_path / 'bad.mp4').write_text('no video')
    with pytest.raises(SystemExit, match='1'):
        predict(monkeypatch, capsys, *model_files, tmp_path / 'bad.mp4', tiny_video)
    printed = capsys.readouterr()
    assert f'predict: {tmp_path}/bad.mp4 must be a video that can be read, got ' in printed.err
    assert printed.out.splitlines()[-4] == str(tiny_video)


@pytest.mark.parametrize(
    ('names', 'told'),
    [
        (b'a\nb\nc\n', 'predict: --classes must name the 4 classes of the model, got 3 lines'),
        (b'\xff\xfe', 'predict: classes must be a file of text in UTF-8'),
        (None, 'predict: classes must be a file with one name a line, got .*which is not there'),
    ],
)
def test_predict_needs_a_name_for_each_class(
    model_files, tiny_video, monkeypatch, capsys, tmp_path, names, told
):
    if names is not None:
        (tmp_path / 'names.txt').write_bytes(names)
    with pytest.raises(SystemExit, match=told):
        classes = ('--classes', tmp_path / 'names.txt')
        predict(monkeypatch, capsys, *model_files, tiny_video, *classes)
