"""SkipBadVideos: the run goes on, what was bad is known, and nothing depends on chance."""

import json

import broken_videos
import numpy as np
import pytest
import torch
from broken_videos import encode, header_first, rotated, write_video, zeroed
from mmaction.datasets import VideoDataset
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import DefaultScope
from torch.utils.data import DataLoader

from mmaction_kd.datasets import SkipBadVideos
from mmaction_kd.datasets.skip_bad_videos import skip_bad_videos_in
from mmaction_kd.registry import DATASETS

NUM_VIDEOS = 200


def pipeline(decoder: str = 'Decord', frames: int = 10) -> list[dict]:
    """All frames of a video."""
    return [
        dict(type=f'{decoder}Init'),
        dict(type='SampleFrames', clip_len=frames, test_mode=True),
        dict(type=f'{decoder}Decode'),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]


@pytest.fixture(autouse=True)
def mmaction_scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


def videos(folder, **changes) -> dict:
    """Config of a data set of the videos in ``ann.txt``."""
    return dict(
        dict(
            type='VideoDataset',
            ann_file=str(folder / 'ann.txt'),
            data_prefix=dict(video=str(folder)),
            pipeline=pipeline(),
        ),
        **changes,
    )


@pytest.fixture(scope='module')
def two_hundred(tmp_path_factory):
    """A folder with 180 good videos and 20 bad ones among them, and the names in order."""
    folder = tmp_path_factory.mktemp('two_hundred')
    return folder, broken_videos.two_hundred(folder)


def epoch(dataset, workers: int, order=range(NUM_VIDEOS)) -> tuple[dict, dict]:
    """Of each place the label that came for it; and all bad videos with their reasons."""
    loader = DataLoader(
        dataset, batch_size=8, sampler=list(order), num_workers=workers, collate_fn=pseudo_collate
    )
    samples = [sample for batch in loader for sample in batch['data_samples']]
    bad = {}
    for sample in samples:
        bad |= dict(sample.metainfo.get('bad_videos', ()))
    return dict(zip(order, (int(s.gt_label) for s in samples), strict=True)), bad


def test_an_epoch_of_200_videos_of_which_20_are_bad(two_hundred):
    """It finishes; exactly those 20 are found; who stands for whom depends on the seed alone."""
    folder, names = two_hundred
    dataset = SkipBadVideos(videos(folder), max_share=0.1)
    labels, bad = epoch(dataset, workers=0)
    ours = {folder / f'{name}.mp4' for name in names if not name.startswith('good')}
    assert set(map(str, ours)) == set(bad) and all(bad.values()) and len(bad) == 20
    assert bad[str(folder / 'missing.mp4')].startswith('FileNotFoundError: [Errno 2]')
    assert bad[str(folder / 'zero_bytes.mp4')] == 'RuntimeError: Error reading 0 bytes...'
    for place, name in enumerate(names):
        if name.startswith('good'):
            assert labels[place] == place
        else:
            assert names[labels[place]].startswith('good')

    order = np.random.default_rng(1).permutation(NUM_VIDEOS).tolist()
    for workers, own_order in ((1, range(NUM_VIDEOS)), (2, order)):
        np.random.seed(workers)
        again = SkipBadVideos(videos(folder), max_share=0.1)
        assert epoch(again, workers, own_order) == ({i: labels[i] for i in own_order}, bad)
    other = SkipBadVideos(videos(folder), seed=1)
    places = [place for place, name in enumerate(names) if not name.startswith('good')]
    differ = [int(other[i]['data_samples'].gt_label) != labels[i] for i in places]
    assert sum(differ) > 15


def test_over_the_share_the_run_ends(two_hundred):
    folder, _ = two_hundred
    dataset = SkipBadVideos(videos(folder), max_share=0.09)
    match = (
        r'at most 0.09 of the 200 videos may be bad, got 19 bad ones: .*/\w+.mp4 \(.*and 9 more; '
        r'fix or remove(.|\n)*Traceback'
    )
    with pytest.raises(RuntimeError, match=match):
        epoch(dataset, 1)
    with pytest.raises(RuntimeError, match='at most 0 of the 200 videos may be bad, got 1 bad one'):
        epoch(SkipBadVideos(videos(folder), max_share=0), 0)


def test_a_mistake_in_the_pipeline_ends_the_run_at_once(two_hundred):
    folder, _ = two_hundred
    tried = []

    def mistake(results):
        tried.append(results['filename'])
        return results['no_such_key']

    dataset = SkipBadVideos(videos(folder, pipeline=[mistake]))
    with pytest.raises(
        RuntimeError, match=r"ones in a row.*KeyError: 'no_such_key'(.|\n)*in mistake\n"
    ):
        dataset[0]
    assert 10 < len(set(tried)) == len(tried) < 15  # all different

    tried.clear()
    dataset = SkipBadVideos(videos(folder, pipeline=[mistake], indices=12), max_share=0.99)
    with pytest.raises(RuntimeError, match='got 12 bad ones'):
        dataset[3]
    assert len(set(tried)) == len(tried) == 12  # where chance would draw one again


def test_none_of_the_pipeline_is_a_reason(two_hundred):
    folder, names = two_hundred
    steps = [lambda r: None if r['filename'].endswith('good_3.mp4') else r, *pipeline()]
    dataset = SkipBadVideos(videos(folder, pipeline=steps))
    place = names.index('good_3')
    (found, *_) = dataset[place]['data_samples'].bad_videos
    assert found == (str(folder / 'good_3.mp4'), 'the pipeline returned None')


def test_a_test_video_is_never_replaced_unless_someone_leaves_it_out(two_hundred):
    folder, names = two_hundred
    dataset = SkipBadVideos(videos(folder, test_mode=True))
    place = names.index('no_video')
    match = r'of a test must be readable, got .*no_video.mp4: RuntimeError: .*BadVideosHook.*known='
    with pytest.raises(RuntimeError, match=match):
        dataset[place]
    dataset.has_hook = True
    (found, *_) = dataset[place]['data_samples'].bad_videos
    assert found[0] == str(folder / 'no_video.mp4')


def known_file(path, names, folder) -> str:
    bad = {str(folder / f'{name}.mp4'): 'torn' for name in names}
    path.write_text(json.dumps(dict(train=dict(num_videos=1, bad_videos=bad))))
    return str(path)


@pytest.mark.parametrize('test_mode', [False, True])
def test_known_videos_are_left_out(two_hundred, tmp_path, monkeypatch, test_mode):
    """Also where the list has absolute paths and the data set relative ones."""
    folder, names = two_hundred
    known = known_file(tmp_path / 'known.json', ['good_1', 'good_7', 'elsewhere'], folder)
    monkeypatch.chdir(folder)
    cfg = videos(folder, data_prefix=dict(video='.'), test_mode=test_mode)
    dataset = SkipBadVideos(cfg, known=known)
    left = [name for name in names if name not in ('good_1', 'good_7')]
    assert [dataset.get_data_info(i)['filename'] for i in range(len(dataset))] == [
        f'./{name}.mp4' for name in left
    ]
    assert dataset.num_videos == 200 and dataset.left_out == {
        './good_1.mp4': 'torn',
        './good_7.mp4': 'torn',
    }
    place = left.index('good_9')
    assert int(dataset[place]['data_samples'].gt_label) == names.index('good_9')


def test_known_files_that_are_refused(two_hundred, tmp_path):
    folder, names = two_hundred
    cfg = videos(folder)
    many = known_file(tmp_path / 'many.json', names[:21], folder)
    with pytest.raises(ValueError, match=r'at most 0.1 of the 200 videos may be bad, got 21'):
        SkipBadVideos(cfg, known=many)
    with pytest.raises(FileNotFoundError, match=r'got .*none.json, which is not there; make it'):
        SkipBadVideos(cfg, known=tmp_path / 'none.json')
    for content in (
        'no json',
        '[]',
        '{"train": {"videos": {}}}',
        '{"a": {"bad_videos": {"x": 1}}}',
    ):
        (tmp_path / 'wrong.json').write_text(content)
        with pytest.raises(ValueError, match=r'as BadVideosHook and .* from .*wrong.json; make it'):
            SkipBadVideos(cfg, known=tmp_path / 'wrong.json')


def test_settings_that_are_refused(two_hundred):
    folder, _ = two_hundred
    cfg = videos(folder, lazy_init=True)
    wrong = dict(max_share=(-0.1, 1, 10), seed=(-1,), reader_timeout=(0, -1, float('inf')))
    for key, values in wrong.items():
        for value in values:
            with pytest.raises(ValueError, match=rf'SkipBadVideos: {key} must be .*, got {value}'):
                SkipBadVideos(cfg, **{key: value})
    with pytest.raises(TypeError, match='got RepeatDataset; put SkipBadVideos inside of that'):
        SkipBadVideos(dict(type='RepeatDataset', times=2, dataset=cfg))


def test_wrappers_of_mmengine_go_around_it(two_hundred):
    folder, names = two_hundred
    one = dict(type='mmaction_kd.SkipBadVideos', dataset=videos(folder))
    twice = dict(type='RepeatDataset', times=2, dataset=one)
    both = ROOT_DATASETS.build(dict(type='ConcatDataset', datasets=[twice, one]))
    assert len(both) == 600
    place = names.index('no_video')
    labels = {int(both[i + place]['data_samples'].gt_label) for i in (0, 200, 400)}
    assert len(labels) == 1
    assert [type(found) for found in skip_bad_videos_in(both)] == [SkipBadVideos] * 2


def test_around_a_subset_the_stand_in_is_of_the_subset(two_hundred, tmp_path):
    folder, names = two_hundred
    classes = [str(i) for i in range(NUM_VIDEOS)]
    bad = names.index('cut_30')
    static = sorted({bad, *(names.index(f'good_{i}') for i in range(12))})
    subsets = dict(
        static=[classes[i] for i in static], dynamic=[c for c in classes if int(c) not in static]
    )
    (tmp_path / 'subsets.json').write_text(json.dumps(dict(classes=classes, subsets=subsets)))
    dataset = DATASETS.build(
        dict(
            type='mmaction_kd.SkipBadVideos',
            dataset=dict(
                type='mmaction_kd.OpticalFlowSubset',
                subset='static',
                subsets=str(tmp_path / 'subsets.json'),
                dataset=videos(folder),
            ),
        )
    )
    sample = dataset[static.index(bad)]['data_samples']
    assert [path for path, _ in sample.bad_videos] == [str(folder / 'cut_30.mp4')]
    assert 0 <= int(sample.gt_label) < 13 and dataset.metainfo['subset'] == 'static'


def test_one_reader_for_two_pathways(two_hundred):
    folder, names = two_hundred
    steps = pipeline()[1:]
    both = dict(type='mmaction_kd.PathwayPipelines', pathways=dict(near=steps, far=steps))
    sample = SkipBadVideos(videos(folder, pipeline=[both]))[names.index('web_60')]
    (path, reason), *_ = sample['data_samples'].bad_videos
    assert path == str(folder / 'web_60.mp4')
    assert 'web_60.mp4 must be readable, got DECORDError: /github' in reason  # not: [07:08:09]
    assert set(sample['inputs']) == {'near', 'far'}


def test_the_first_of_repeated_samples_tells(two_hundred):
    """RepeatAugDataset gives several samples of a video."""
    folder, names = two_hundred
    cfg = videos(folder, type='RepeatAugDataset', num_repeats=2)
    samples = SkipBadVideos(cfg)[names.index('no_video')]
    assert ['bad_videos' in sample['data_samples'].metainfo for sample in samples] == [True, False]


def test_a_pipeline_without_data_samples_is_refused(two_hundred):
    folder, names = two_hundred
    dataset = SkipBadVideos(videos(folder, pipeline=pipeline()[:3]))
    with pytest.raises(TypeError, match=r'must have data_samples, as PackActionInputs makes'):
        dataset[names.index('no_video')]


# --- Videos that are unusual, but good ------------------------------------------------------------


def first_of(path, decoder='Decord', frames=10) -> tuple[torch.Tensor, list]:
    """A clip (C, T, H, W) of a video, and what it stands for: the second video is a good one."""
    (path.parent / 'ann.txt').write_text(f'{path.name} 0\nstand_in.mp4 1')
    stand_in = path.parent / 'stand_in.mp4'
    if not stand_in.exists():
        write_video(stand_in, 10)
    dataset = VideoDataset(
        str(path.parent / 'ann.txt'),
        data_prefix=dict(video=str(path.parent)),
        pipeline=pipeline(decoder, frames),
    )
    sample = SkipBadVideos(dataset, max_share=0.5)[0]
    return sample['inputs'][0], sample['data_samples'].metainfo.get('bad_videos', [])


UNUSUAL = dict(
    ten_bits=dict(pixels='yuv420p10le'),
    grey=dict(pixels='gray'),
    odd_sizes=dict(pixels='yuv444p', size=(65, 49)),
    variable_frame_rate=dict(times=np.cumsum([10, 200, 40, 33, 90] * 4)),
)


@pytest.mark.parametrize('decoder', ['Decord', 'OpenCV', 'PyAV'])
@pytest.mark.parametrize('kind', UNUSUAL)
def test_unusual_videos_are_good(kind, decoder, tmp_path):
    path = encode(tmp_path / 'a.mp4', **UNUSUAL[kind])
    clip, bad = first_of(path, decoder)
    width, height = UNUSUAL[kind].get('size', (64, 48))
    assert bad == [] and clip.shape == (3, 10, height, width)
    steps = (clip[:, 1:].float() - clip[:, :-1].float()).abs().mean((0, 2, 3))
    assert (steps > 1).all()  # all frames differ
    if kind == 'grey':
        assert torch.equal(clip[0], clip[1]) and torch.equal(clip[0], clip[2])


def test_one_frame_is_a_video(tmp_path):
    clip, bad = first_of(write_video(tmp_path / 'one.mp4', 1))
    assert bad == [] and clip.shape == (3, 10, 48, 64)
    assert all(torch.equal(clip[:, 0], clip[:, t]) for t in range(10))


def test_a_rotated_video_is_good_where_the_reader_can_read_it(tmp_path):
    """Not by decord 0.6: its batches are as large as the frames would be unturned."""
    path = tmp_path / 'turned.mp4'
    path.write_bytes(rotated(write_video(path, 10).read_bytes()))
    clip, bad = first_of(path, 'OpenCV')
    assert bad == [] and clip.shape == (3, 10, 64, 48)
    clip, bad = first_of(path)
    assert clip.shape == (3, 10, 48, 64) and 'from_size == to_size' in bad[0][1]


def test_of_a_half_good_video_right_frames_come_or_none(tmp_path):
    """Which, is chance even for one clip: decord reads ahead into the damage, or not yet."""
    whole = write_video(tmp_path / 'whole.mp4', 60)
    expected, _ = first_of(whole, frames=1)
    damaged = zeroed(header_first(whole.read_bytes()), 0.8, 0.9)
    (tmp_path / 'a.mp4').write_bytes(damaged)
    for _ in range(5):
        clip, bad = first_of(tmp_path / 'a.mp4', frames=1)
        assert bad or torch.equal(clip, expected)
    _, bad = first_of(tmp_path / 'a.mp4', frames=60)
    assert len(bad) == 1
