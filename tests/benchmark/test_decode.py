"""What the measurements of reading video compare; nothing is timed here."""

import argparse
import mmap
from pathlib import Path

import numpy as np
import pytest
from benchmarks import decode, reader_memory, readers
from benchmarks.decode import pathway_step
from mmengine.registry import DefaultScope

from mmaction_kd.datasets import PathwayPipelines
from mmaction_kd.registry import TRANSFORMS

ROOT = Path(__file__).parents[2]
TINY = 'configs/mbd/tiny_r3d_vtn.py'


@pytest.fixture(autouse=True)
def tiny_config(monkeypatch):
    monkeypatch.chdir(ROOT)
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


def parsed(measurement, *arguments):
    parser = argparse.ArgumentParser()
    measurement.add_arguments(parser)
    return parser.parse_args([str(argument) for argument in arguments])


@pytest.mark.parametrize('pipeline', ['train', 'test'])
def test_both_sides_decode_the_same_frames(tiny_video, monkeypatch, pipeline):
    sides = []
    monkeypatch.setattr(
        decode, 'compare', lambda *sides_, **_: sides.append(sides_) or {'ratio': 1}
    )
    args = parsed(decode, tiny_video, '--config', TINY, '--pipeline', pipeline)
    args.pairs = 1
    seen = []
    sample = PathwayPipelines._sample

    def recorded(self, video):
        seen.append(sample(self, video))
        return seen[-1]

    monkeypatch.setattr(PathwayPipelines, '_sample', recorded)
    decode.run(args)
    assert len(sides) == 2  # up to Decode, and all of it
    for ours, _, _ in sides:
        ours()
    assert [sorted(clips) for clips in seen] == [['global_pathway', 'local_pathway']] * 2
    steps = pathway_step(TINY, pipeline).pathways
    assert {name: clip['num_clips'] for name, clip in seen[0].items()} == {
        name: next(s for s in steps[name] if s.type == 'SampleFrames').get('num_clips', 1)
        for name in steps
    }


def test_frames_of_other_values_are_told(tiny_videos):
    pipelines = TRANSFORMS.build(pathway_step(TINY, 'train'))
    video = str(tiny_videos['long'])
    assert readers.difference(pipelines, pipelines, video) == 0

    class Brighter:
        def decode(self, results):
            sampled, imgs = pipelines.decode(results)
            return sampled, {index: img.astype(int) + 2 for index, img in imgs.items()}

    class Later:
        def decode(self, results):
            sampled, imgs = pipelines.decode(results)
            return sampled, {index + 1: img for index, img in imgs.items()}

    assert readers.difference(Brighter(), pipelines, video) == 2
    assert np.isnan(readers.difference(Later(), pipelines, video))


def test_memory_is_compared_with_that_after_a_tenth(tiny_videos, monkeypatch):
    sizes = iter([100.0, 130.0])
    monkeypatch.setattr(reader_memory, 'resident_mb', lambda: next(sizes))
    read = []
    monkeypatch.setattr(
        reader_memory.TRANSFORMS, 'build', lambda step: lambda video: read.append(video['filename'])
    )
    videos = [str(tiny_videos[name]) for name in ('long', 'short')]
    result = reader_memory.run(parsed(reader_memory, *videos, '--config', TINY, '--samples', 20))
    assert result == {'decord, train samples': dict(samples=20, growth_mb=30.0, before_mb=100.0)}
    assert read == videos * 11


def test_resident_memory_is_that_of_this_process():
    # Pages of its own: memory that earlier tests freed and the allocator kept would be used again.
    with mmap.mmap(-1, 500_000_000) as block:
        before = reader_memory.resident_mb()
        for page in range(0, len(block), mmap.PAGESIZE):
            block[page] = 1
        assert 450 < reader_memory.resident_mb() - before < 550


@pytest.mark.slow
@pytest.mark.parametrize('backend', ['decord', 'opencv'])
def test_memory_stays(tiny_videos, backend):
    videos = [str(video) for video in tiny_videos.values()]
    arguments = [*videos, '--config', TINY, '--samples', 2000, '--backend', backend]
    (result,) = reader_memory.run(parsed(reader_memory, *arguments)).values()
    assert result['growth_mb'] < 50
