"""tools/data/check_videos.py, as a user calls it, and what training makes of its list."""

import importlib.util
import json
import shutil
import sys

import pytest
from broken_videos import header_first, twenty_bad, write_video
from mmengine.registry import DefaultScope
from tool_runs import ROOT, run_tool, shrunken

from mmaction_kd.datasets import SkipBadVideos

LEAF = 'configs/mbd/tiny_r3d_vtn_skip_bad_videos.py'
SCRIPT = 'tools/data/check_videos.py'


@pytest.fixture
def check(monkeypatch, capsys):
    """Run the tool in this process; returns what it printed and wrote."""
    spec = importlib.util.spec_from_file_location('tools_check_videos', ROOT / SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(ROOT)

    def run(*arguments, out):
        monkeypatch.setattr(sys, 'argv', [SCRIPT, *map(str, arguments), '--out', str(out)])
        with DefaultScope.overwrite_default_scope('mmaction'):
            module.main()
        return capsys.readouterr().out, json.loads(out.read_text())

    return run


@pytest.fixture
def folder(tmp_path):
    """All kinds of bad videos, and two good ones."""
    folder = tmp_path / 'videos'
    folder.mkdir()
    good = write_video(folder / 'good.mp4', 10).read_bytes()
    contents = twenty_bad(good, folder) | dict(web=header_first(good))
    for name, content in contents.items():
        if content is not None:
            (folder / f'{name}.mp4').write_bytes(content)
    lines = [f'{name}.mp4 {i}' for i, name in enumerate(['good', *contents])]
    (folder / 'train.txt').write_text('\n'.join(lines))
    return folder


def test_an_annotation_file(check, folder, tmp_path):
    out = tmp_path / 'made/bad.json'
    source = folder / 'train.txt'
    printed, written = check(source, '--videos', folder, '--workers', 2, out=out)
    (found,) = written.values()
    bad = found['bad_videos']
    assert list(written) == ['train'] and found['num_videos'] == 22
    assert set(bad) == {str(p) for p in folder.glob('*.mp4') if p.stem not in ('good', 'web')} | {
        str(folder / 'missing.mp4')
    }
    assert 'train: 20 of 22 videos are bad' in printed
    assert f'  {folder}/zero_bytes.mp4: the file is empty' in printed
    first = out.read_bytes()
    check(source, '--videos', folder, '--workers', 1, out=out)
    assert out.read_bytes() == first  # whichever was ready first

    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = SkipBadVideos(
            dict(
                type='VideoDataset',
                ann_file=str(source),
                data_prefix=dict(video=str(folder)),
                pipeline=[],
            ),
            max_share=0.95,
            known=out,
        )
    assert [dataset.get_data_info(i)['label'] for i in range(len(dataset))] == [0, 21]


def test_a_config_with_its_wrappers(check, demo_set, tmp_path):
    """Each data set by itself; a list that does not exist yet is not asked for."""
    videos = tmp_path / 'videos'
    shutil.copytree(demo_set / 'videos', videos)
    torn = sorted(videos.glob('*/test*.mp4'))[2]
    torn.write_bytes(torn.read_bytes()[:500])
    options = shrunken(demo_set)[1:]
    for loader in ('train', 'test'):
        inner = f'{loader}_dataloader.dataset'
        options = [o.replace(f'{inner}.', f'{inner}.dataset.') for o in options]
        options.append(f'{inner}.dataset.data_prefix.video={videos}')
        options.append(f'{inner}.known={tmp_path / "none.json"}')
    out = tmp_path / 'bad.json'
    _, written = check(LEAF, '--cfg-options', *options, out=out)
    assert list(written['test'].pop('bad_videos')) == [str(torn)]
    assert written == dict(test=dict(num_videos=4), train=dict(num_videos=8, bad_videos={}))


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['a.csv'], r'must end in .py or .txt, got a.csv'),
        (['a.txt'], 'a .txt must have --videos'),
        (['a.py', '--videos', 'b'], 'a .py none'),
        (['a.txt', '--videos', 'b', '--cfg-options', 'c=1'], '--cfg-options must be for a config'),
        (['a.py', '--workers', '0'], '--workers must be 1 or more'),
        (['a.py', '--timeout', '0'], '--timeout above 0 and finite, got'),
    ],
)
def test_arguments_that_are_refused(check, arguments, words, tmp_path, capsys):
    with pytest.raises(SystemExit):
        check(*arguments, out=tmp_path / 'out.json')
    assert words.replace(r'\.', '.') in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize('processes', [1, 2])
def test_training_and_test_with_bad_videos(demo_set, tmp_path, processes):
    """On one process and two: the same videos are found, and the scores are of the same others."""
    videos = tmp_path / 'videos'
    shutil.copytree(demo_set / 'videos', videos)
    bad = dict(train=sorted(videos.glob('*/train*.mp4'))[3], test=sorted(videos.glob('*/test*'))[1])
    for path in bad.values():
        path.write_bytes(path.read_bytes()[:500])
    options = shrunken(demo_set, train_dataloader__batch_size=2)
    for loader in ('train', 'test'):
        inner = f'{loader}_dataloader.dataset'
        options = [o.replace(f'{inner}.', f'{inner}.dataset.') for o in options]
        options += [f'{inner}.dataset.data_prefix.video={videos}', f'{inner}.max_share=0.3']
    work, tested, dump = tmp_path / 'work', tmp_path / 'tested', tmp_path / 'scores.pkl'
    port = str(29700 + processes)
    tests = ('--work-dir', tested, '--dump', dump, *options)
    if processes == 1:
        run_tool('tools/train.py', LEAF, '--work-dir', work, *options)
        printed = run_tool('tools/test.py', LEAF, work / 'epoch_1.pth', *tests)
    else:
        run_tool('tools/dist_train.sh', LEAF, 2, '--work-dir', work, *options, PORT=port)
        checkpoint = work / 'epoch_1.pth'
        printed = run_tool('tools/dist_test.sh', LEAF, checkpoint, 2, *tests, PORT=port)
    for name, folder, number in (('train', work, 8), ('test', tested, 4)):
        found = json.loads((folder / 'bad_videos.json').read_text())[name]
        assert list(found['bad_videos']) == [str(bad[name])] and found['num_videos'] == number
    assert 'bad_videos: 1' in printed
    assert '1 of 4 videos could not be read and are not scored' in printed
    (metrics,) = (json.loads(path.read_text()) for path in tested.glob('*/*.json'))
    assert round(metrics['acc/fused_top1'] * 3, 4) in (0, 1, 2, 3)  # of three videos
