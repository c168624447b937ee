"""OpticalFlowSubset: the videos of a subset, labelled for its head."""

import json

import numpy as np
import pytest
from mmaction.datasets import VideoDataset
from mmengine.dataset import RepeatDataset

from mmaction_kd.datasets import OpticalFlowSubset
from mmaction_kd.registry import DATASETS

CLASSES = ['lie', 'run', 'sit', 'walk', 'jump']
STATIC = ['lie', 'sit']
LABELS = [0, 1, 2, 3, 4, 2, 0, 4]


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
    inner = dataset.dataset
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
    with pytest.raises(RuntimeError, match=r'got None 1 times in .static.'):
        build(files, 'static', [lambda r: None], test_mode=True)[0]
    with pytest.raises(RuntimeError, match='got None 1001 times'):
        build(files, 'static', [lambda r: None])[0]


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


def test_repeat_goes_around_it(files):
    dataset = build(files, 'static')
    with pytest.raises(TypeError, match='got RepeatDataset; put the wrapper around OpticalFlow'):
        OpticalFlowSubset(RepeatDataset(dataset.dataset, 2), 'static', files['subsets'])


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
