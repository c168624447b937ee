"""Studies whose runs are commands of milliseconds, and recorded runs."""

import json
import textwrap

from mmaction_kd.study.plan import Study


def write_study(tmp_path, text, name='study.py'):
    path = tmp_path / name
    path.write_text(textwrap.dedent(text))
    return path


def read_study(tmp_path, text, **options):
    return Study(write_study(tmp_path, text), tmp_path / 'work', options)


def record(run, metrics, validations=()):
    """What a run leaves when it is done."""
    run.folder.mkdir(parents=True, exist_ok=True)
    run.result_file.write_text(json.dumps(dict(metrics=metrics, grid=dict(run.grid))))
    if validations:
        folder = run.folder / 'train' / '20260101_000000' / 'vis_data'
        folder.mkdir(parents=True)
        lines = [json.dumps(dict(lr=0.1, loss=1.0, iter=1, epoch=1, step=1))]
        lines += [json.dumps({**values, 'step': step}) for step, values in validations]
        (folder / 'scalars.json').write_text('\n'.join(lines) + '\n')
