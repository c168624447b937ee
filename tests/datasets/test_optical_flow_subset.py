"""OpticalFlowSubset: the videos of a subset, labelled for its head."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from mmaction.datasets import VideoDataset
from mmaction.structures import ActionDataSample

from mmaction_kd.datasets import OpticalFlowSubset
from mmaction_kd.datasets.skip_bad_videos import skip_bad_videos_in
from mmaction_kd.registry import DATASETS

CLASSES = ['lie', 'run', 'sit', 'walk', 'jump']
STATIC = ['lie', 'sit']
LABELS = [0, 1, 2, 3, 4, 2, 0, 4]


def keep_annotation(results):
    return results


def packed_but_the_first(results):
    if results['filename'] == '0.mp4':
        raise RuntimeError('cut short')
    sample = ActionDataSample().set_gt_label(results['label'])
    sample.set_metainfo(dict(name=results['filename']))
    return dict(data_samples=sample)


@pytest.fixture
def files(tmp_path):
    """An annotation file whose videos' names are their places, and the subsets."""
    lines = [f'{i}.mp4 {label}' for i, label in enumerate(LABELS)]
    (tmp_path / 'ann.txt').write_text('\n'.join(lines))
    dynamic = [name for name in CLASSES if name not in STATIC]
    content = dict(classes=CLASSES, subsets=dict(static=STATIC, dynamic=dynamic))
    (tmp_path / 'subsets.json').write_text(json.dumps(content))
    return dict(ann=str(tmp_path / 'ann.txt'), subsets=str(tmp_path / 'subsets.json'))


def build(files, subset, pipeline=(), metainfo=None, test_mode=False, **changes):
    dataset = dict(
        type='VideoDataset',
        ann_file=files['ann'],
        pipeline=list(pipeline),
        test_mode=test_mode,
        metainfo=metainfo,
        _scope_='mmaction',
    )
    cfg = dict(
        type='mmaction_kd.OpticalFlowSubset',
        subset=subset,
        subsets=files['subsets'],
        dataset=dataset,
    )
    return DATASETS.build({**cfg, **changes})


def videos(dataset):
    """Of each video its place in the list and its label."""
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    return [(int(info['filename'].removesuffix('.mp4')), info['label']) for info in infos]


@pytest.mark.parametrize('subset', ['static', 'dynamic'])
def test_videos_and_labels(files, subset):
    names = [name for name in CLASSES if (name in STATIC) == (subset == 'static')]
    dataset = build(files, subset)
    expected = [
        (i, names.index(CLASSES[label]))
        for i, label in enumerate(LABELS)
        if CLASSES[label] in names
    ]
    assert videos(dataset) == expected
    assert dataset.metainfo['classes'] == tuple(names) and dataset.metainfo['subset'] == subset


def test_the_subsets_share_the_videos_among_them(files):
    places = [i for subset in ('static', 'dynamic') for i, _ in videos(build(files, subset))]
    assert sorted(places) == list(range(len(LABELS)))


def test_labels_may_be_kept(files):
    dataset = build(files, 'dynamic', relabel=False)
    assert [(i, LABELS[i]) for i, _ in videos(dataset)] == videos(dataset)
    assert dataset.metainfo['classes'] == tuple(CLASSES)


def test_the_pipeline_gets_what_it_would_get_alone(files):
    """But for the label and its own number."""
    keys = ('filename', 'modality', 'start_index')
    dataset = build(files, 'dynamic', pipeline=[lambda results: dict(results)])
    inner = VideoDataset(ann_file=files['ann'], pipeline=[])
    for place, (i, label) in enumerate(videos(dataset)):
        alone, ours = inner.get_data_info(i), dataset[place]
        assert {k: alone[k] for k in keys} == {k: ours[k] for k in keys}
        assert ours['label'] == label and ours['sample_idx'] == place


def test_a_bad_video_is_replaced_by_one_of_the_subset(files):
    """The data set alone would draw any video: with a label that the head does not have."""
    dataset = build(files, 'static', [lambda r: None if r['filename'] == '0.mp4' else r])
    np.random.seed(0)
    drawn = {dataset[0]['filename'] for _ in range(30)}
    assert drawn == {'2.mp4', '5.mp4', '6.mp4'}
    with pytest.raises(Exception, match='should not get `None`'):  # the data set's own words
        build(files, 'static', [lambda r: None], test_mode=True)[0]


def test_names_of_the_data_set_are_those_of_the_file(files):
    upper = [name.upper() for name in CLASSES]
    assert len(build(files, 'static', metainfo=dict(classes=upper))) == 4
    with pytest.raises(ValueError, match=r"got other classes: \['fly', 'jump'\]; make the file"):
        build(files, 'static', metainfo=dict(classes=[*CLASSES[:4], 'fly']))
    with pytest.raises(ValueError, match='got the same in another order'):
        build(files, 'static', metainfo=dict(classes=CLASSES[::-1]))


def test_lazy(files):
    dataset = build(files, 'static', lazy_init=True)
    assert not hasattr(dataset, '_indices')
    assert len(dataset) == 4  # it loads when it is asked


def test_an_unknown_wrapper_is_refused(files):
    class Shuffled:
        dataset = VideoDataset(ann_file=files['ann'], pipeline=[])

    with pytest.raises(TypeError, match='got Shuffled; put it around OpticalFlowSubset instead'):
        OpticalFlowSubset(Shuffled(), 'static', files['subsets'])


def plain(files, ann='ann', **changes):
    """Config of the data set alone."""
    cfg = dict(type='mmaction.VideoDataset', ann_file=files[ann], pipeline=[keep_annotation])
    return {**cfg, **changes}


def subset(files, dataset, name='static'):
    kind = 'mmaction_kd.OpticalFlowSubset'
    return dict(type=kind, subset=name, subsets=files['subsets'], dataset=dataset)


WRAPPERS = {
    'concat': lambda x: dict(type='ConcatDataset', datasets=[x, x]),
    'repeat': lambda x: dict(type='RepeatDataset', times=3, dataset=x),
    'balanced': lambda x: dict(type='ClassBalancedDataset', oversample_thr=0.9, dataset=x),
    'skip': lambda x: dict(type='mmaction_kd.SkipBadVideos', dataset=x),
    'known': lambda x: dict(
        type='mmaction_kd.SkipBadVideos', dataset=x, known='known.json', max_share=0.5
    ),
}
NESTED = [
    *((name,) for name in WRAPPERS),
    *[('concat', 'repeat'), ('repeat', 'known'), ('repeat', 'balanced'), ('concat', 'skip')],
]


def wrapped(names, dataset):
    for name in reversed(names):
        dataset = WRAPPERS[name](dataset)
    return dataset


@pytest.fixture
def known_bad(tmp_path, monkeypatch, files):
    """Videos 2 and 5 are known to be bad; static alone stands in an annotation of its own."""
    monkeypatch.chdir(tmp_path)
    bad = {name: 'no video' for name in ('2.mp4', '5.mp4')}
    Path('known.json').write_text(json.dumps(dict(train=dict(num_videos=8, bad_videos=bad))))
    static = [i for i, label in enumerate(LABELS) if CLASSES[label] in STATIC]
    lines = [f'{i}.mp4 {STATIC.index(CLASSES[LABELS[i]])}' for i in static]
    Path('static.txt').write_text('\n'.join(lines))
    return dict(files, static='static.txt')


@pytest.mark.parametrize('names', NESTED, ids='-'.join)
def test_wrappers_inside(known_bad, names):
    """What is left is what the wrapper gives, less the other classes: each video as often."""
    everything = DATASETS.build(wrapped(names, plain(known_bad)))
    dataset = DATASETS.build(subset(known_bad, wrapped(names, plain(known_bad))))
    static = [(i, label) for i, label in videos(everything) if CLASSES[label] in STATIC]
    assert videos(dataset) == [(i, STATIC.index(CLASSES[label])) for i, label in static]
    for one in (dataset, pickle.loads(pickle.dumps(dataset))):  # a worker has a copy
        samples = [one[place] for place in range(len(one))]
        assert [int(x['filename'].removesuffix('.mp4')) for x in samples] == [i for i, _ in static]
        assert [x['label'] for x in samples] == [label for _, label in videos(dataset)]
        assert [one.prepare_data(i)['filename'] for i in range(len(one))] == [
            x['filename'] for x in samples
        ]
    assert len(everything) == len(DATASETS.build(wrapped(names, plain(known_bad))))


@pytest.mark.parametrize('names', NESTED, ids='-'.join)
def test_wrappers_outside(known_bad, names):
    """As around a data set that has no other classes."""
    alone = DATASETS.build(wrapped(names, plain(known_bad, 'static')))
    dataset = DATASETS.build(wrapped(names, subset(known_bad, plain(known_bad))))
    assert videos(dataset) == videos(alone)
    labels = [dataset[place]['label'] for place in range(len(dataset))]
    assert labels == [label for _, label in videos(alone)]


def test_one_of_several_may_have_no_video_of_the_subset(known_bad):
    Path('dynamic.txt').write_text('1.mp4 1\n3.mp4 3')
    first = plain(known_bad, ann_file='dynamic.txt')
    both = dict(type='ConcatDataset', datasets=[first, plain(known_bad)])
    assert videos(DATASETS.build(subset(known_bad, both))) == videos(build(known_bad, 'static'))


@pytest.mark.parametrize('outside', [False, True])
def test_what_stands_for_a_bad_video_is_of_the_subset(known_bad, outside):
    """BadVideosHook finds the wrapper, and the sample says for which video it stands."""
    unreadable = plain(known_bad, pipeline=[packed_but_the_first])
    skip = dict(type='mmaction_kd.SkipBadVideos', max_share=0.3)
    if outside:
        dataset = DATASETS.build(dict(skip, dataset=subset(known_bad, unreadable)))
    else:
        dataset = DATASETS.build(subset(known_bad, dict(skip, dataset=unreadable)))
    (wrapper,) = skip_bad_videos_in(dataset)
    assert wrapper.num_videos == 4
    sample = dataset[0]['data_samples']
    assert sample.metainfo['bad_videos'] == [('0.mp4', 'RuntimeError: cut short')]
    assert sample.metainfo['name'] in ('2.mp4', '5.mp4', '6.mp4')


def test_a_data_set_that_repeats_its_videos_itself(files, tiny_videos, tmp_path):
    """MMAction2's RepeatAugDataset: each video gives several samples."""
    folder = str(Path(next(iter(tiny_videos.values()))).parent)
    lines = [f'{path.name} {i}' for i, path in enumerate(tiny_videos.values())]
    (tmp_path / 'real.txt').write_text('\n'.join(lines))
    pipeline = [
        dict(type='DecordInit'),
        dict(type='SampleFrames', clip_len=2),
        dict(type='DecordDecode'),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    repeated = dict(
        type='RepeatAugDataset', ann_file=str(tmp_path / 'real.txt'), num_repeats=3,
        data_prefix=dict(video=folder), pipeline=pipeline, _scope_='mmaction',
    )  # fmt: skip
    dataset = DATASETS.build(subset(files, repeated, 'dynamic'))
    assert [int(x['data_samples'].gt_label) for x in dataset[0]] == [0, 0, 0]
    assert dataset.get_data_info(0)['filename'].endswith(lines[1].split()[0])


def test_refused(files, tmp_path):
    with pytest.raises(ValueError, match=r"one of \['dynamic', 'static'\], got 'still'"):
        build(files, 'still')
    (tmp_path / 'ann.txt').write_text('0.mp4 0\n1.mp4 5')
    with pytest.raises(ValueError, match=r'one of the 5 classes of .*, got 5 in .*ann.txt; give'):
        build(files, 'static')
    (tmp_path / 'ann.txt').write_text('0.mp4 0')
    with pytest.raises(ValueError, match=r"'dynamic' must have videos in .*, got none of its 3"):
        build(files, 'dynamic')


def test_soft_labels_are_refused(files):
    inner = VideoDataset(ann_file=files['ann'], pipeline=[], multi_class=True, num_classes=5)
    with pytest.raises(ValueError, match='a label must be one of the 5 classes'):
        OpticalFlowSubset(inner, 'static', files['subsets'])


def ucf101_list(tmp_path, *videos):
    (tmp_path / 'u.txt').write_text('\n'.join(f'{video} {label}' for video, label in videos))
    return dict(ann=str(tmp_path / 'u.txt'), subsets='ucf101')


def test_the_papers_subsets_by_name(tmp_path):
    """ApplyLipstick is static, class 1, the first of the 26; HandstandPushups 36, in any case."""
    files = ucf101_list(
        tmp_path,
        ('ApplyEyeMakeup/a.avi', 0),
        ('ApplyLipstick/b.avi', 1),
        ('Handstand_pushups/c', 36),
    )
    dataset = build(files, 'static')
    names = [dataset.get_data_info(i)['filename'] for i in range(len(dataset))]
    assert names == ['ApplyLipstick/b.avi', 'Handstand_pushups/c']
    assert [dataset.get_data_info(i)['label'] for i in range(2)] == [0, 8]
    assert len(dataset.metainfo['classes']) == 26


def test_labels_in_another_order_than_the_papers_are_refused(tmp_path):
    files = ucf101_list(tmp_path, ('ApplyEyeMakeup/a.avi', 0), ('Typing/b.avi', 1))
    with pytest.raises(ValueError, match=r"'ucf101', in which Typing is 94, got 1 for a video"):
        build(files, 'static')
