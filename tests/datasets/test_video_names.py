"""An error about a video says which; the shipped pipelines tell the models its name."""

from pathlib import Path

import pytest
from mmaction.structures import ActionDataSample
from mmengine.config import Config

from mmaction_kd.datasets.video_names import how_to_name, video_list, video_name, video_path

CONFIGS = Path(__file__).parents[2] / 'configs'
DTKD = (
    'tiny_slowfast.py',
    'tiny_slowfast_room8.py',
    'dtkd_slowfast_r101_16x8_ucf101_split1.py',
    'dtkd_slowfast_r101_16x8_hmdb51_split1.py',
    'transformers/timesformer_ucf101_split1.py',
    'transformers/dtkd_from_swin_t_slowfast_r50_8x8_ucf101_split1.py',
)


def sample(**metainfo):
    return ActionDataSample(metainfo=metainfo)


@pytest.mark.parametrize(
    ('metainfo', 'path'),
    [
        (dict(filename='a/b c.mp4'), 'a/b c.mp4'),
        (dict(frame_dir='a/frames'), 'a/frames'),
        (dict(pathways=dict(near=dict(img_shape=(1, 1)), far=dict(filename='x.mp4'))), 'x.mp4'),
        (dict(img_shape=(1, 1)), None),
    ],
)
def test_the_path_is_found_where_a_pipeline_packs_it(metainfo, path):
    assert video_path(sample(**metainfo)) == path
    assert video_path(metainfo) == path  # as a metric gets it
    assert video_name(metainfo, 2) == ('video 2 of the batch' if path is None else repr(path))


def test_a_list_names_three_videos_and_counts_the_others():
    batch = [sample(filename=f'{name}.mp4') for name in 'abcdef']
    assert video_list(batch, [1]) == "'b.mp4' of 6 videos"
    assert video_list(batch, [0, 2, 3]) == "'a.mp4', 'c.mp4', 'd.mp4' of 6 videos"
    assert video_list(batch, [0, 2, 3, 5]) == "'a.mp4', 'c.mp4', 'd.mp4' and 1 more of 6 videos"
    assert video_list(batch, range(6)) == "all 6 videos ('a.mp4', 'b.mp4', 'c.mp4', ...)"
    assert video_list(batch[:2], range(2)) == "all 2 videos ('a.mp4', 'b.mp4')"
    assert how_to_name(batch) == ''


def test_without_names_it_is_told_how_to_get_them():
    batch = [sample(), sample()]
    assert video_list(batch, range(2)) == 'all 2 videos'
    assert video_list(batch, [1]) == 'video 1 of the batch of 2 videos'
    assert "meta_keys=('filename', 'frame_dir')" in how_to_name(batch)


@pytest.mark.parametrize('path', DTKD)
def test_shipped_pipelines_without_pathways_pack_a_name(path):
    """Those with pathways do it by themselves."""
    cfg = Config.fromfile(CONFIGS / 'dtkd' / path)
    for loader in ('train_dataloader', 'test_dataloader'):
        pack = cfg[loader].dataset.pipeline[-1]
        assert set(pack.meta_keys) & {'filename', 'frame_dir'}
