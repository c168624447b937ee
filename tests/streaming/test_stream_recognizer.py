"""Truth: MMAction2's test of a folder of PNGs that holds just the frames of a window."""

import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate
from random_recognizers import (
    FROZEN_MBD,
    MBD,
    ROOT,
    STUDENT,
    TSN,
    own_scope,  # noqa: F401
    random_recognizer,
    unchanged,
)

from mmaction_kd.models.backbones.frame_memory import FrameMemory
from mmaction_kd.streaming import Gap, WindowPlan, recognize_stream

FPS = 25


def steps_of(cfg, kind):
    """The steps of a kind in a test pipeline, those of pathways too."""
    (*steps,) = cfg.test_pipeline
    pathways = [p for step in steps for p in step.get('pathways', {}).values()]
    return [step for pipeline in (steps, *pathways) for step in pipeline if step['type'] == kind]


def one_clip(cfg):
    for step in steps_of(cfg, 'SampleFrames'):
        step['num_clips'] = 1


def sampled_twice(cfg):
    for step in steps_of(cfg, 'SampleFrames'):
        step.update(num_clips=2, twice_sample=True)


def tsm(cfg):
    cfg.model.backbone.update(type='ResNetTSM', num_segments=5)
    head = dict(type='TSMHead', num_classes=4, in_channels=512, num_segments=5)
    cfg.model.cls_head = dict(head, average_clips='prob', is_shift=True)


def three_crops(cfg):
    for pipeline in [cfg.test_pipeline]:
        pipeline[:] = [
            dict(type='ThreeCrop', crop_size=56) if step['type'] == 'CenterCrop' else step
            for step in pipeline
        ]


def local_inside(cfg):
    cfg.test_pipeline[0].inside = dict(local_pathway='global_pathway')


def ten_crops(cfg):
    cfg.test_pipeline[3].scale = (-1, 40)
    cfg.test_pipeline[4] = dict(type='TenCrop', crop_size=32)


def made_up_frames(count, size=(48, 64), seed=0):
    """A square that moves over a ground, another one every 50 frames, (H, W, 3), RGB."""
    rng = np.random.default_rng(seed)
    height, width = size
    for index in range(count):
        if index % 50 == 0:
            ground = rng.integers(0, 60 + index, (5, 7, 3)).clip(0, 255).astype(np.uint8)
            ground = cv2.resize(ground, (width, height))
        frame = ground.copy()
        x, y = (3 * index) % (width - 12), (2 * index) % (height - 12)
        frame[y : y + 12, x : x + 12] = (255, 4 * index % 256, 99)
        yield frame


def test_of_folder(model, frames, folder):
    """What MMAction2's test answers for these frames, read from a folder."""
    folder.mkdir()
    for number, frame in enumerate(frames, 1):
        cv2.imwrite(str(folder / f'img_{number:05}.png'), frame[..., ::-1])
    pipeline = [
        dict(type='RawFrameDecode') if step['type'] == 'DecordDecode' else step
        for step in model.cfg.test_pipeline
        if step['type'] != 'DecordInit'
    ]
    data = dict(frame_dir=str(folder), total_frames=len(frames), filename_tmpl='img_{:05}.png')
    data.update(start_index=1, modality='RGB', label=-1)
    with torch.no_grad():
        [sample] = model.test_step(pseudo_collate([Compose(pipeline)(data)]))
    return sample


test_of_folder.__test__ = False


def few_clips(cfg):
    for step in steps_of(cfg, 'SampleFrames'):
        step['num_clips'] = 3


CASES = {
    'MBD, 3 clips x 3 crops': (MBD, few_clips, None),
    'MBD, 1 clip': (MBD, one_clip, None),
    'MBD, local inside global': (MBD, local_inside, None),
    'MBD, longer than a clip': (MBD, few_clips, 150 / FPS),
    'MBD, shorter than a clip': (MBD, few_clips, 40 / FPS),
    'MBD, frozen encoders': (FROZEN_MBD, unchanged, 60 / FPS),
    'SlowFast, 2 clips, sampled twice': (STUDENT, sampled_twice, None),
    'SlowFast, 3 clips x 3 crops': (STUDENT, three_crops, 110 / FPS),
    'TSN, 5 segments x 10 crops': (TSN, ten_crops, 2.0),
    'TSM, 5 segments of one frame': (TSN, tsm, 1 / FPS),
}


def answers_of(model, frames, **settings):
    settings = dict(dict(every=0.96), **settings)
    return list(recognize_stream(model, iter(frames), FPS, **settings))


def compare_with_truth(model, frames, answers, folder):
    """Every field of an answer, within 1e-6 of the test of a folder with its frames."""
    for index, (start, end, sample) in enumerate(answers):
        own = frames[round(start * FPS) : round(end * FPS)]
        truth = test_of_folder(model, own, folder / str(index))
        assert set(sample.keys()) == set(truth.keys())
        for key in truth.keys():  # noqa: SIM118  (a data sample is no dict)
            assert (sample.get(key) - truth.get(key)).abs().max() <= 1e-6, (index, key)


@pytest.mark.parametrize('case', CASES)
def test_a_window_is_the_test_of_its_frames(case, tmp_path):
    config, change, window = CASES[case]
    model = random_recognizer(config, change)
    frames = list(made_up_frames(190))
    answers = answers_of(model, frames, window=window)
    assert len(answers) > 2 and answers[0].start == 0 and answers[-1].end == len(frames) / FPS
    scores = torch.stack([answer.sample.pred_score for answer in answers])
    assert (scores - scores[0]).abs().max() > 1e-3  # else nothing is compared
    compare_with_truth(model, frames, [*answers[:2], answers[-1]], tmp_path)


def test_the_gate_holds_the_global_pathway_back_window_by_window(tmp_path):
    model = random_recognizer(MBD, one_clip)
    frames = list(made_up_frames(190))
    dominance = [float(a.sample.local_dominance) for a in answers_of(model, frames)]
    model.fusion_head.gate = sum(sorted(dominance)[1:3]) / 2
    runs = []
    model.global_pathway.backbone.register_forward_hook(lambda *_: runs.append(1))
    answers = answers_of(model, frames)
    assert len(runs) == sum(d < model.fusion_head.gate for d in dominance) == 2
    compare_with_truth(model, frames, answers, tmp_path)


def test_vtn_encodes_a_frame_once():
    model = random_recognizer(MBD, one_clip)
    seen = []
    backbone = model.global_pathway.backbone.spatial_backbone
    backbone.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs[0]))
    frames = np.random.default_rng(0).integers(0, 256, (217, 48, 64, 3), np.uint8)
    answers = answers_of(model, frames, every=1.0)  # 25 frames, rounded to 24 = 3 x 8
    assert [round(a.start * FPS) for a in answers] == [0, 24, 48, 72, 96]
    sampled = {start + 8 * t for start in (0, 24, 48, 72, 96) for t in range(16)}
    assert len(seen) == 3 * len(sampled)  # 3 crops
    assert len({frame.numpy().tobytes() for frame in seen}) == len(seen)
    assert model.global_pathway.backbone.frame_memory is None


def test_equal_frozen_encoders_encode_a_frame_once():
    """Also from window to window: these begin 24 frames apart, a multiple of SnapFrames' 3."""
    model = random_recognizer(FROZEN_MBD)
    encoders = [p.backbone.spatial_backbone for p in (model.local_pathway, model.global_pathway)]
    seen = []
    for encoder in encoders:
        encoder.backbone.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs[0]))

    def encoded():
        seen.clear()
        frames = list(np.random.default_rng(0).integers(0, 256, (98, 48, 64, 3), np.uint8))
        answers = answers_of(model, frames, every=1.0, window=50 / FPS)
        assert [round(a.start * FPS) for a in answers] == [0, 24, 48]
        return len(seen)

    assert encoded() == (1 + 96 // 3) * 2
    encoders[1].load_state_dict(encoders[0].state_dict())
    model.eval()  # else the encoders know their former fingerprints
    assert encoded() == 1 + 96 // 3


def test_a_memory_keeps_no_more_than_it_may():
    memory, asked = FrameMemory(capacity=3), []

    def encode(images):
        asked.extend(images[:, 0, 0, 0].tolist())
        return images.flatten(1).sum(1, keepdim=True)

    for numbers in ([1, 2, 1], [2, 3], [4], [2, 1], [4, 5, 6, 2, 7], [2, 7, 4]):
        images = torch.tensor(numbers).float()[:, None, None, None].expand(-1, 2, 2, 2)
        assert memory.vectors(images, encode)[:, 0].tolist() == [8 * n for n in numbers]
    assert asked[:5] == [1, 2, 3, 4, 1]  # 1 was the oldest when 4 came
    assert asked[5:] == [5, 6, 7, 2, 4]  # 2 and 4 made room, after they had been looked up
    for _ in range(2):  # new, and known
        assert memory.vectors(images.half(), encode).dtype == torch.half  # other bits, another key


def test_large_frames_are_kept_at_the_size_of_the_first_resize():
    """Shrunk once as they come, they are what the pipeline itself makes of them."""
    model = random_recognizer(MBD, one_clip)
    frames = list(made_up_frames(121, size=(120, 214)))
    plan = WindowPlan(model.cfg.test_pipeline, FPS, 1, None)
    kept = [plan.take(frame) for frame in frames]
    assert {frame.shape for frame in kept} == {(56, 100, 3)}
    early, late = plan.inputs(kept)['inputs'], plan.inputs(frames)['inputs']
    assert all(torch.equal(early[name], late[name]) for name in late)


def other_scale(cfg):
    cfg.test_pipeline[0].pathways.local_pathway[2].scale = (-1, 60)


def relative_scale(cfg):
    for step in steps_of(cfg, 'Resize'):
        step.scale = 0.5


@pytest.mark.parametrize('change', [other_scale, relative_scale])
def test_frames_that_pathways_shrink_differently_are_kept_as_they_are(change):
    model = random_recognizer(MBD, change)
    assert {step.type for step in steps_of(model.cfg, 'Resize')} == {'Resize'}
    plan = WindowPlan(model.cfg.test_pipeline, FPS, 1, None)
    frame = np.zeros((120, 214, 3), np.uint8)
    assert plan.take(frame) is frame


def test_no_window_reaches_across_an_interruption(tmp_path):
    model = random_recognizer(STUDENT, one_clip)
    before, behind = list(made_up_frames(100)), list(made_up_frames(40, seed=1))
    answers = answers_of(model, [*before, Gap(2.0), *behind], every=10.0)
    assert [a[:2] for a in answers] == [(0, 91 / FPS), (9 / FPS, 4.0), (6.0, 7.6)]
    truth = test_of_folder(model, behind, tmp_path / 'behind')
    assert (answers[-1].sample.pred_score - truth.pred_score).abs().max() <= 1e-6


def test_a_window_that_is_skipped_is_left_out():
    model = random_recognizer(STUDENT, one_clip)
    late = iter([False, True, True, False])
    answers = answers_of(model, made_up_frames(181), every=30 / FPS, skip=lambda: next(late))
    assert [round(a.start * FPS) for a in answers] == [0, 90]


@pytest.mark.parametrize(
    ('change', 'settings', 'told'),
    [
        (None, dict(fps=0), 'recognize_stream: fps must be above 0'),
        (None, dict(fps=25, every=-1), 'recognize_stream: every must be above 0'),
        ('train', dict(fps=25), 'the model must be in eval mode'),
        ('apart', dict(fps=25), "average_clips must be 'prob' or 'score', got None"),
        (TSN, dict(fps=25), r'window must be given \(--window SECONDS\), got None'),
        (FROZEN_MBD, dict(fps=25), r'window must be given \(--window SECONDS\), got None'),
    ],
)
def test_a_mistake_is_told_before_the_first_frame(change, settings, told):
    model = random_recognizer(change if change in (TSN, FROZEN_MBD) else STUDENT)
    model.train(change == 'train')
    if change == 'apart':
        model.cls_head.average_clips = None
    with pytest.raises(ValueError, match=told):
        recognize_stream(model, iter(()), **settings)


def test_a_frame_must_be_one():
    model = random_recognizer(STUDENT)
    with pytest.raises(ValueError, match=r'must be an array \(H, W, 3\) of uint8, .* float32'):
        list(recognize_stream(model, [np.zeros((8, 8, 3), np.float32)], 25))


def test_frames_have_one_size_up_to_a_gap():
    model = random_recognizer(STUDENT, one_clip)
    small, large = (np.zeros((size, 64, 3), np.uint8) for size in (48, 50))
    with pytest.raises(ValueError, match=r'one size, got \(50, 64\) behind \(48, 64\)'):
        answers_of(model, [small, large])
    assert len(answers_of(model, [small, Gap(1.0), large])) == 2


def test_the_snippet_of_the_page_runs(tmp_path, monkeypatch, capsys):
    """With a file in place of the camera, and a student of random weights."""
    model = random_recognizer(STUDENT)
    checkpoint = tmp_path / 'student.pth'
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    video = tmp_path / 'video.mp4'
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*'mp4v'), FPS, (64, 48))
    for frame in made_up_frames(110):
        writer.write(frame[..., ::-1].copy())
    writer.release()
    page = (ROOT / 'tools/README.md').read_text()
    blocks = re.findall(r'```python\n(.*?)```', page, re.S)
    [snippet] = [block for block in blocks if 'recognize_stream' in block]
    for words, ours in (
        ('config.py', STUDENT),
        ('checkpoint.pth', str(checkpoint)),
        ('VideoCapture(0)', f'VideoCapture({str(video)!r})'),
        ('fps=30', 'fps=25'),
    ):
        assert words in snippet
        snippet = snippet.replace(words, ours)
    assert len([line for line in snippet.splitlines() if line]) <= 10
    exec(compile(snippet, 'tools/README.md', 'exec'), {})
    spans = [line.split(':')[0] for line in capsys.readouterr().out.splitlines() if ' to ' in line]
    assert spans == ['0.0 to 3.6 s', '0.5 to 4.1 s', '0.8 to 4.4 s']


@pytest.mark.slow
def test_ten_hours_take_no_more_memory_than_an_hour(tmp_path):
    """In a process of its own, with all that the tool writes."""
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', TEN_HOURS, STUDENT, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    windows, grown = map(int, done.stdout.split()[-2:])
    assert windows == 10 * 60 + 1  # the last one ends with the stream
    assert grown < 50_000  # kB


TEN_HOURS = """
import sys
from pathlib import Path
import numpy as np
from mmaction.apis import init_recognizer
import mmaction_kd
from mmaction_kd.streaming import SegmentMerger, StreamRecord, recognize_stream

def peak():
    return int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])

def frames():
    rng = np.random.default_rng(0)
    for second in range(10 * 3600):
        yield from rng.integers(0, 256, (10, 16, 16, 3), np.uint8)

model = init_recognizer(sys.argv[1], None, 'cpu')
merger = SegmentMerger(0.5, 0.3, 60)
count = 0
with StreamRecord(Path(sys.argv[2]), 'ten hours', 10, (), merger) as record:
    for answer in recognize_stream(model, record.watch(frames()), 10, every=60.0):
        record.add(answer)
        count += 1
        if count == 5:
            before = peak()
    grown = peak() - before
print(count, grown)
"""
