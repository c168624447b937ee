"""Try everything in minutes, without a download: what `make demo` runs.

Renders a small video set, trains a small MBD on one process and on two, tests it with 10 clips x 3
crops, names the action in one clip and draws what it saw in another. Then DTKD: splits the classes
by optical flow, trains a teacher for each subset and students of both. Each step is a command that
you can run yourself.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = 'configs/mbd/tiny_r3d_vtn.py'
DATA, WORK = 'data/demo', 'work_dirs/demo'
STUDENT = 'configs/dtkd/tiny_slowfast.py'
CHANCE, CLEARLY_ABOVE = 0.25, 0.75
# Of what the commands print, these groups are shown.
PROGRESS = (
    re.compile(
        r'Epoch\(train\) +(\[\d+\]\[ *\d+/\d+\]).*( loss: \S+).*(local/top1_acc: \S+)'
        r'.*(global/top1_acc: \S+).*(fused/top1_acc: \S+)'
    ),
    re.compile(r'Epoch\(train\) +(\[ *\d+\]\[ *\d+/\d+\]).*( loss: \S+).*( top1_acc: \S+)'),
    re.compile(r'Epoch\(test\).*(acc/fused_top1: \S+)'),
    re.compile(r'^(\$ .*|(?:static|dynamic): .*|\S+ \| .*\d)$'),  # of tools/dtkd.py
    re.compile(r'^(\w+: \d+ videos in .*)'),
    re.compile(r'^(\S*\.mp4|  \S+ \d\.\d\d, .*|    \w+ +\(weight .*)$'),
)


def progress(line: str) -> str:
    """Return what to show of a line of output.

    Args:
        line: the line.

    Returns:
        The part to show, or ''.
    """
    found = filter(None, (pattern.search(line) for pattern in PROGRESS))
    return next((' '.join(match.groups()) for match in found), '')


def step(title: str, *command: str) -> None:
    """Run a command from the project's root; show its progress, keep its output.

    Args:
        title: what it does.
        command: its words.
    """
    print(f'\n=== {title}\n$ {shlex.join(command)}', flush=True)
    start = time.monotonic()
    words = [sys.executable if word == 'python' else word for word in command]
    # One thread a process: two processes on two cores, and no fight for cores that are busy.
    env = {'OMP_NUM_THREADS': '1', **os.environ, 'PYTHON': sys.executable}
    log = ROOT / WORK / f'{title.split(",")[0].lower().replace(" ", "_")}.log'
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open('w') as file,
        subprocess.Popen(
            words, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            if shown := progress(line):
                print(f'  {shown}', flush=True)
    if process.returncode:
        print(''.join(log.read_text().splitlines(keepends=True)[-40:]))
        sys.exit(f'demo: "{title}" failed; its output is in {log.relative_to(ROOT)}.')
    print(f'=== done in {time.monotonic() - start:.0f} s', flush=True)


def accuracies(work_dir: Path) -> dict:
    """Return the metrics of the last test.

    Args:
        work_dir: where the test ran.

    Returns:
        Names to ratios in [0, 1].
    """
    files = sorted(work_dir.glob('*/*.json'))
    return json.loads(files[-1].read_text())


def main() -> None:
    start = time.monotonic()
    step('Render 200 videos of 4 classes', 'python', 'tools/data/make_demo_videos.py', DATA)
    step(
        'Train on 1 process, one epoch',
        *('tools/dist_train.sh', CONFIG, '1', '--work-dir', f'{WORK}/one_process'),
        *('--cfg-options', 'train_cfg.max_epochs=1'),
    )
    step(
        'Train on 2 processes',
        *('tools/dist_train.sh', CONFIG, '2', '--work-dir', f'{WORK}/two_processes'),
    )
    checkpoint = (ROOT / WORK / 'two_processes' / 'last_checkpoint').read_text()
    step(
        'Test with 10 clips x 3 crops',
        *('tools/dist_test.sh', CONFIG, checkpoint, '2', '--work-dir', f'{WORK}/test'),
    )
    step(
        'Name the action in one clip',
        *('python', 'tools/predict.py', CONFIG, checkpoint),
        *(f'{DATA}/videos/drift_left/test_000.mp4', '--classes', f'{DATA}/classes.txt'),
    )
    picture, video = f'{WORK}/red_then_blue.png', f'{DATA}/videos/red_then_blue/test_000.mp4'
    step(
        'Draw what it saw in another',
        *('python', 'tools/visualizations/vis_video.py', CONFIG, checkpoint, video),
        *('--classes', f'{DATA}/classes.txt', '--label', 'red_then_blue', '--out', picture),
    )
    shutil.rmtree(ROOT / WORK / 'dtkd', ignore_errors=True)  # it would resume there
    step(
        'DTKD from one config, teachers and students',
        *('python', 'tools/dtkd.py', STUDENT, '--devices', '2', '--work-dir', f'{WORK}/dtkd'),
        *('--threshold', 'q2', '--classes', f'{DATA}/classes.txt'),
    )
    found = accuracies(ROOT / WORK / 'test')
    dtkd = json.loads((ROOT / WORK / 'dtkd' / 'results.json').read_text())
    reached = {f'MBD {name}': found[f'acc/{name}_top1'] for name in ('local', 'global', 'fused')}
    for name in ('baseline', 'bskd', 'dtkd'):
        reached[f'DTKD {name}'] = dtkd[name]['acc/top1']
    print(f'\nTop-1 accuracy on the demo videos (chance {CHANCE}):')
    for name, accuracy in reached.items():
        print(f'  {name:13} {accuracy:.3f}')
    print('Results:')
    runs = ('two_processes', 'dtkd/runs/dtkd/train')
    for path in (picture, *(f'{WORK}/{run}/distill_report.html' for run in runs)):
        print(f'  {path}')
    print(f'All in {time.monotonic() - start:.0f} s.')
    if min(reached['MBD fused'], reached['DTKD dtkd']) < CLEARLY_ABOVE:
        sys.exit(f'demo: expected an accuracy of {CLEARLY_ABOVE} or more of MBD fused and of DTKD.')


if __name__ == '__main__':
    main()
