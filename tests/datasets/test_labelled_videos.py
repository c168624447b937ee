"""The annotations are MMAction2's, whatever is around the data set."""

import pickle

import pytest

from mmaction_kd.datasets.labelled_videos import (
    LabelledVideo,
    build_datasets,
    class_names,
    labelled_videos,
)
from mmaction_kd.datasets.video_source import FrameFolder, VideoFile


@pytest.fixture
def annotated(tmp_path):
    """Writes an annotation file and returns its path."""

    def write(*lines):
        path = tmp_path / 'train.txt'
        path.write_text('\n'.join(lines) + '\n')
        return str(path)

    return write


def read(**cfg):
    return [video for dataset in build_datasets(cfg) for video in labelled_videos(dataset)]


def test_videos(annotated):
    path = annotated('walk/a.mp4 1', 'sit/b.mp4 0')
    expected = [
        LabelledVideo('walk/a.mp4', VideoFile('data/videos/walk/a.mp4'), (1,)),
        LabelledVideo('sit/b.mp4', VideoFile('data/videos/sit/b.mp4'), (0,)),
    ]
    cfg = dict(type='VideoDataset', ann_file=path, data_prefix=dict(video='data/videos'))
    assert read(**cfg) == expected
    assert read(**dict(cfg, data_prefix=dict(video='videos')), data_root='data') == expected
    assert read(**dict(cfg, type='RepeatAugDataset')) == expected
    pipeline = [dict(type='NoSuchTransform')]
    assert read(type='RepeatDataset', times=3, dataset=dict(cfg, pipeline=pipeline)) == expected
    assert read(type='ConcatDataset', datasets=[cfg, cfg]) == expected * 2
    wrapped = dict(type='ClassBalancedDataset', oversample_thr=0.1, dataset=cfg)
    assert (
        read(type='mmaction_kd.OpticalFlowSubset', subsets='none.json', dataset=wrapped) == expected
    )


def test_names_are_as_in_the_file(annotated):
    """A machine's path is in them only if it is there."""
    path = annotated('/other/a.mp4 0', 'b.mp4 0')
    videos = read(type='VideoDataset', ann_file=path, data_prefix=dict(video='/data'))
    assert [video.name for video in videos] == ['/other/a.mp4', 'b.mp4']
    assert [video.source.path for video in videos] == ['/other/a.mp4', '/data/b.mp4']


def test_frames(annotated):
    path = annotated('walk/a 163 1', 'sit/b 58 0')
    cfg = dict(type='RawframeDataset', ann_file=path, data_prefix=dict(img='frames'))
    walk, sit = read(**cfg)
    first = FrameFolder('frames/walk/a', 'img_{:05}.jpg', 1, 163)
    assert walk == LabelledVideo('walk/a', first, (1,))
    assert sit.source.num_frames == 58
    (walk, _) = read(**cfg, filename_tmpl='{:06}.png', start_index=0)
    assert walk.source == FrameFolder('frames/walk/a', '{:06}.png', 0, 163)


def test_frames_with_offset(annotated):
    """Several videos of one folder; MMAction2 adds the offset to the start index."""
    path = annotated('a 0 20 1', 'a 20 30 0')
    videos = read(
        type='RawframeDataset', ann_file=path, data_prefix=dict(img='frames'), with_offset=True
    )
    assert [video.name for video in videos] == ['a 0 20', 'a 20 30']
    assert [(v.source.first, v.source.num_frames) for v in videos] == [(1, 20), (21, 30)]


def test_a_video_of_several_classes(annotated):
    path = annotated('a.mp4 1 3', 'b.mp4 0')
    cfg = dict(type='VideoDataset', ann_file=path, multi_class=True, num_classes=4)
    assert [video.labels for video in read(**cfg)] == [(1, 3), (0,)]


def test_a_video_without_a_label(annotated):
    cfg = dict(type='VideoDataset', ann_file=annotated('a.mp4 0', 'b.mp4'))
    told = r"line 2 of .*train\.txt must be 'VIDEO LABEL', got 'b\.mp4'"
    with pytest.raises(ValueError, match=told):
        read(**cfg)


@pytest.mark.parametrize('cfg, words', [
    (dict(type='PoseDataset'), 'got PoseDataset with Pose'),
    (dict(type='RawframeDataset', modality='Flow'), 'got RawframeDataset with Flow'),
])  # fmt: skip
def test_other_data_sets(annotated, cfg, words, tmp_path):
    if cfg['type'] == 'PoseDataset':
        path = tmp_path / 'pose.pkl'
        path.write_bytes(pickle.dumps([dict(frame_dir='a', total_frames=9, label=0)]))
    else:
        path = annotated('a 9 0')
    with pytest.raises(TypeError, match=f'must be a VideoDataset or a RawframeDataset.*{words}'):
        build_datasets(dict(cfg, ann_file=str(path)))


# --- Names of the classes -----------------------------------------------------------------------

VIDEOS = [LabelledVideo(str(label), VideoFile(str(label)), (label,)) for label in (0, 2)]


def test_class_names():
    assert class_names(('a', 'b', 'c', 'd'), VIDEOS) == ['a', 'b', 'c', 'd']
    assert class_names(None, VIDEOS) == ['0', '1', '2']


@pytest.mark.parametrize('names, words', [
    (['a', 'b'], r'the labels 0\.\.2, each once, got 2 names, several times \[\]'),
    (['a', 'B', 'b'], r"got 3 names, several times \['B', 'b'\]"),
])  # fmt: skip
def test_class_names_that_do_not_fit(names, words):
    with pytest.raises(ValueError, match=words):
        class_names(names, VIDEOS)
