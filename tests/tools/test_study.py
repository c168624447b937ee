"""tools/study.py through the real launcher."""

import json
import signal
import subprocess
import time

import pytest
from tool_runs import ROOT, TINY, run_tool, tool_command, tool_env

STUDY = """
    title = 'Fusion'
    metric = 'acc/fused_top1'
    baseline = 'none'
    seeds = [0, 1]
    data = 'nowhere'
    options = {{
        'train_dataloader.batch_size': 4,
        'train_cfg.max_epochs': 2,
        'default_hooks.checkpoint.interval': 1,
        'model.fusion_head.weights': 'average',
        'model.distill_loss.layers': 'none',
        **{{
            f'{{loader}}_dataloader.{{key}}': value
            for loader, split in (('train', 'train'), ('test', 'test'))
            for key, value in {{
                'num_workers': 0,
                'persistent_workers': False,
                'dataset.ann_file': f'{{{{data}}}}/{{split}}.txt',
                'dataset.data_prefix.video': '{{data}}/videos',
            }}.items()
        }},
    }}
    arms = dict(
        none=dict(config='{tiny}', options=options),
        fusion=dict(test_of='none', options={{'model.fusion_head.weights': 'ratio'}}),
        broken=dict(config='{tiny}', options={{**options, 'model.distill_loss.layers': 'every'}}),
    )
"""


@pytest.fixture
def study(tmp_path):
    path = tmp_path / 'study.py'
    lines = STUDY.format(tiny=ROOT / TINY).splitlines()
    path.write_text('\n'.join(line[4:] for line in lines))
    return path


def command(study, demo_set):
    work = study.with_name('work')
    return [
        'tools/study.py',
        study,
        '--work-dir',
        work,
        '--jobs',
        2,
        '--cfg-options',
        f'data={demo_set}',
    ]


@pytest.mark.slow
def test_it_trains_tests_and_reports_and_goes_on_where_it_was_killed(study, demo_set):
    """Killed within the first training; begun again: each run done once, the same report twice."""
    process = subprocess.Popen(
        tool_command(*command(study, demo_set)),
        cwd=ROOT,
        env=tool_env(),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    runs = study.with_name('work') / 'runs'
    end = time.time() + 300
    while not list(runs.glob('none/seed0/train/epoch_1.pth')):
        assert time.time() < end and process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)  # the study alone: its launchers must follow
    process.wait()

    output = run_tool(*command(study, demo_set), code=1)
    assert 'broken/seed0: FAILED' in output and "got 'every'" in output, 'the reason is shown'
    results = {path.parent: json.loads(path.read_text()) for path in runs.glob('*/*/result.json')}
    assert sorted(f'{path.parent.name}/{path.name}' for path in results) == [
        f'{arm}/seed{seed}' for arm in ('fusion', 'none') for seed in (0, 1)
    ]
    for seed in (0, 1):
        none, fusion = (
            results[runs / arm / f'seed{seed}']['metrics'] for arm in ('none', 'fusion')
        )
        assert none['acc/local_top1'] == fusion['acc/local_top1'], 'one checkpoint'
        assert (runs / 'fusion' / f'seed{seed}' / 'scores.pkl').exists()
    log = (runs / 'none' / 'seed0' / 'log.txt').read_text()
    assert log.count('Epoch(train) [1]') < 2 * log.count('Epoch(train) [2]') or 'resumed' in log
    report = (study.with_name('work') / 'report' / 'report.md').read_text()
    assert '| fusion | 2 |' in report and '4 of 6 runs done' in report
    before = {path: path.stat().st_mtime_ns for path in runs.glob('none/*/result.json')}
    run_tool(*command(study, demo_set), code=1)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_dry_run_says_what_is_missing_and_makes_nothing(study, demo_set):
    output = run_tool(*command(study, demo_set), '--arms', 'fusion', '--dry-run')
    assert output.splitlines()[-2:] == ['missing none/seed1', 'missing fusion/seed1']
    assert not study.with_name('work').exists()


def test_a_study_that_is_not_there_is_refused_without_a_traceback(tmp_path):
    (tmp_path / 'bad.py').write_text("arms = dict(a=dict(config='no.py'))")
    output = run_tool('tools/study.py', tmp_path / 'bad.py', '--dry-run', code=1)
    assert "got 'no.py', which is not there" in output and 'Traceback' not in output
