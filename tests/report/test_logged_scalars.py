"""What MMEngine logged, joined over the processes that worked on a run."""

import json

import pytest

from mmaction_kd.report.logged_scalars import read_scalars


def write(run, stamp, *lines):
    folder = run / stamp / 'vis_data'
    folder.mkdir(parents=True)
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / 'scalars.json').write_text('\n'.join(text) + '\n')


def step(iteration, epoch, loss):
    return dict(loss=loss, epoch=epoch, iter=iteration, step=iteration)


def val(epoch, top1):
    return {'acc/top1': top1, 'time': 0.1, 'step': epoch}


def test_a_resumed_run_counts_later_and_doubles_nothing(tmp_path):
    write(
        tmp_path, '20260101_000000',
        step(2, 1, 9.0), step(4, 1, 8.0), val(1, 0.1), step(6, 2, 7.0), step(8, 2, 6.0),
        val(2, 0.2), '{"loss": 5.0, "epo',
    )  # fmt: skip
    write(tmp_path, '20260102_000000', step(6, 2, 3.0), step(8, 2, 2.0), val(2, 0.7))
    train, validated = read_scalars(tmp_path).curves(by_epoch=True)
    assert train['loss'][0].tolist() == [0.5, 1, 1.5, 2]
    assert train['loss'][1].tolist() == [9, 8, 3, 2]
    assert validated['acc/top1'][0].tolist() == [1, 2]
    assert validated['acc/top1'][1].tolist() == [0.1, 0.7]


@pytest.mark.parametrize('epochs', [True, False])
def test_a_validation_that_a_resumed_run_begins_with_replaces_the_one_cut_short(tmp_path, epochs):
    def line(i):
        return step(i, i // 2, float(i)) if epochs else dict(loss=float(i), iter=i, step=i)

    def validated(i, top1):
        return val(i // 2 if epochs else 0, top1)

    write(tmp_path, '20260101_000000', line(2), validated(2, 0.1), line(4), validated(4, 0.2))
    write(tmp_path, '20260102_000000', validated(4, 0.7), line(6), validated(6, 0.8))
    write(tmp_path, '20260103_000000', validated(6, 0.9))
    _, curves = read_scalars(tmp_path).curves(by_epoch=epochs)
    assert curves['acc/top1'][0].tolist() == ([1, 2, 3] if epochs else [2, 4, 6])
    assert curves['acc/top1'][1].tolist() == [0.1, 0.7, 0.9]


def test_a_run_from_the_start_replaces_a_longer_one(tmp_path):
    write(tmp_path, '20260101_000000', step(1, 1, 9.0), step(2, 2, 8.0), val(2, 0.2))
    write(tmp_path, '20260102_000000', step(1, 1, 3.0))
    train, validated = read_scalars(tmp_path).curves(by_epoch=True)
    assert train['loss'][1].tolist() == [3] and validated == {}


def test_without_epochs_a_validation_is_at_the_iteration_before_it(tmp_path):
    lines = [dict(loss=float(i), iter=i, step=i) for i in (10, 20)]
    write(tmp_path, '20260101_000000', lines[0], val(0, 0.3), lines[1], val(0, 0.4))
    train, validated = read_scalars(tmp_path).curves(by_epoch=False)
    assert train['loss'][0].tolist() == [10, 20] == validated['acc/top1'][0].tolist()


@pytest.mark.parametrize('interval', [3, 7, 20])
def test_length_of_an_epoch(tmp_path, interval):
    """From the iterations that are logged, of which the last of an epoch need not be one."""
    length = 20
    lines = [
        step(epoch * length + i, epoch + 1, 1.0)
        for epoch in range(12)
        for i in range(interval, length + 1, interval)
    ]
    write(tmp_path, '20260101_000000', *lines)
    assert read_scalars(tmp_path).epoch_length() == length
