"""The paper's lists of classes on the official lists of UCF101 and HMDB51: DTKD, Table 2."""

from pathlib import Path

import pytest
import yaml

from mmaction_kd.datasets.class_subsets import load_subsets
from mmaction_kd.registry import DATASETS

PAPER = Path(__file__).parents[2] / 'configs/dtkd/paper.yml'
TABLE_2 = yaml.safe_load(PAPER.read_text())['published']['Table 2']['rows']


def ucf101(folder, split, part):
    index = (line.split() for line in (folder / 'classInd.txt').read_text().splitlines() if line)
    labels = {name: int(number) - 1 for number, name in index}
    lines = (folder / f'{part}list{split:02}.txt').read_text().split('\n')
    videos = [line.split()[0] for line in lines if line.strip()]
    return [(video, labels[video.split('/')[0]]) for video in videos]


def hmdb51(folder, split, part):
    """Id 1 is a training video, 2 a test video, 0 neither; classes are in alphabetical order."""
    wanted, found = dict(train='1', test='2')[part], []
    end = f'_test_split{split}.txt'
    for label, name in enumerate(sorted(p.name.removesuffix(end) for p in folder.glob(f'*{end}'))):
        text = (folder / f'{name}{end}').read_text()
        lines = [line.split() for line in text.splitlines() if line.strip()]
        found += [(f'{name}/{video}', label) for video, number in lines if number == wanted]
    return found


@pytest.mark.parametrize('split', [1, 2, 3])
@pytest.mark.parametrize('data', [ucf101, hmdb51], ids=lambda data: data.__name__)
def test_videos_of_the_subsets_are_those_of_table_2(data, split, real_data, tmp_path):
    name = data.__name__
    found = {subset: {} for subset in ('all', 'dynamic', 'static')}
    for part in ('train', 'test'):
        videos = data(real_data / f'splits/{name}_splits', split, part)
        ann = tmp_path / f'{part}.txt'
        ann.write_text('\n'.join(f'{video} {label}' for video, label in videos))
        found['all'][part] = len(videos)
        for subset in ('dynamic', 'static'):
            inner = dict(type='mmaction.VideoDataset', ann_file=str(ann), pipeline=[])
            made = DATASETS.build(
                dict(
                    type='mmaction_kd.OpticalFlowSubset', subset=subset, subsets=name, dataset=inner
                )
            )
            found[subset][part] = len(made)
    for subset, counts in found.items():
        classes = load_subsets(name)
        total = sum(counts.values())
        number = len(classes.names.get(subset, classes.classes))
        printed = TABLE_2[f'{name.upper()} list {split} {subset}']['paper']
        assert {**counts, 'total': total, 'classes': number} == {
            key: int(value) for key, value in printed.items()
        }
