import pytest
from recorded import read_study

ARMS = """
    data = 'videos'
    short = '{data}/{fold}'
    folds = ['one', 'two']
    seeds = [0, 1]
    arms = dict(
        taught=dict(command='train {teacher.checkpoint} {short}.txt'),
        teacher=dict(command='train {subsets.folder}/s.json {seed}'),
        subsets=dict(command='measure {data}', once_per='fold'),
        {more}
    )
"""


def study_of(tmp_path, more='', **options):
    return read_study(tmp_path, ARMS.replace('{more}', more), **options)


def test_each_arm_is_run_for_each_fold_and_seed_behind_what_it_needs(tmp_path):
    names = [run.name for run in study_of(tmp_path).runs]
    assert names[:3] == ['subsets/one', 'teacher/one/seed0', 'taught/one/seed0']
    assert len(names) == len(set(names)) == 2 * (1 + 2 + 2)
    for fold in ('one', 'two'):
        for seed in (0, 1):
            places = [f'subsets/{fold}', f'teacher/{fold}/seed{seed}', f'taught/{fold}/seed{seed}']
            assert sorted(places, key=names.index) == places


def test_seeds_are_outermost_so_that_a_part_of_a_study_compares_all_arms(tmp_path):
    seeds = [run.seed for run in study_of(tmp_path).runs if run.seed is not None]
    assert seeds == sorted(seeds)


def test_placeholders_stand_for_values_of_the_file_and_for_what_other_runs_left(tmp_path):
    taught = study_of(tmp_path, data='elsewhere').runs[2]
    teacher = tmp_path / 'work' / 'runs' / 'teacher' / 'one' / 'seed0' / 'checkpoint.pth'
    assert taught.command == f'train {teacher} elsewhere/one.txt'


def test_a_placeholder_alone_keeps_the_type_of_its_value(tmp_path):
    study = read_study(
        tmp_path, "epochs = 7\narms = dict(a=dict(command='x', options=dict(n='{epochs}')))"
    )
    assert study.runs[0].options == dict(n=7)


def test_an_arm_of_the_whole_study_is_run_once(tmp_path):
    runs = study_of(tmp_path, "whole=dict(command='x', once_per='study'),").runs
    assert [run.name for run in runs if run.arm == 'whole'] == ['whole']


def test_a_grid_repeats_its_arm_for_each_combination(tmp_path):
    study = read_study(
        tmp_path,
        "arms = dict(x=dict(command='c', grid={'model.a': [1, 2], 'model.b': [0.5]}),\n"
        "            y=dict(command='d'))",
    )
    assert [(run.arm, run.options) for run in study.runs] == [
        ('x,a=1,b=0.5', {'model.a': 1, 'model.b': 0.5}),
        ('x,a=2,b=0.5', {'model.a': 2, 'model.b': 0.5}),
        ('y', {}),
    ]


def test_an_option_that_deletes_does_so_each_time_that_the_config_is_built(tmp_path):
    """MMEngine takes _delete_ out of what it merges."""
    (tmp_path / 'c.py').write_text('loss = dict(a=1, b=2)')
    options = dict(loss=dict(_delete_=True, c=3))
    (run,) = read_study(tmp_path, f"arms = dict(x=dict(config='c.py', options={options}))").runs
    for _ in range(2):
        assert run.build_config().loss == dict(c=3)


def test_a_tuple_stays_one(tmp_path):
    """MMAction2's RandomRescale takes no list."""
    arms = dict(x=dict(command='x', options=dict(a=(64, 80), b=[1, '{seed}'])))
    (run,) = read_study(tmp_path, f'arms = {arms}').runs
    assert run.options == dict(a=(64, 80), b=[1, 0])


def test_only_some_arms_and_what_they_need(tmp_path):
    study = study_of(tmp_path, "other=dict(command='x'),")
    assert {run.arm for run in study.wanted(['teacher'])} == {'teacher', 'subsets'}


def test_the_fingerprint_knows_settings_and_needs_but_not_the_folder(tmp_path):
    def prints(text, place):
        (tmp_path / place).mkdir()
        return {run.arm: run.fingerprint() for run in read_study(tmp_path / place, text).runs}

    text = "arms = dict(a=dict(command='x 1'), b=dict(command='y {a.folder}'), c=dict(command='z'))"
    first = prints(text, 'here')
    assert prints(text, 'there') == first
    changed = prints(text.replace('x 1', 'x 2'), 'changed')
    assert changed['a'] != first['a']
    assert changed['b'] != first['b'], 'b depends on a'
    assert changed['c'] == first['c']
    for other in ("evaluate = 'val'\n", 'seeds = [1]\n'):
        assert prints(other + text, other[:4])['c'] != first['c'], other


def test_the_fingerprint_of_a_config_is_that_of_its_content(tmp_path, monkeypatch):
    """Not of its text as MMEngine prints it, which another version of yapf breaks elsewhere."""
    monkeypatch.setattr('mmengine.config.config.FormatCode', lambda text, **style: ('', False))
    (tmp_path / 'base.py').write_text('model = dict(width=1)\ntrain_cfg = dict(max_epochs=1)')
    text = "arms = dict(a=dict(config='base.py', options={'model.width': WIDTH}))"

    def fingerprint(width):
        return read_study(tmp_path, text.replace('WIDTH', width)).runs[0].fingerprint()

    first = fingerprint('1')
    assert fingerprint('2') != first
    (tmp_path / 'base.py').write_text('# note\nmodel = dict(width=5)\ntrain_cfg=dict(max_epochs=1)')
    assert fingerprint('1') == first, 'the option overrides what was changed'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('arms = {}', 'a study must have arms'),
        ("arms = dict(a=dict(comand='x'))", r"may have .*got \['comand'\]"),
        ('arms = dict(a=dict(options={}))', 'must have a config, a command'),
        ("arms = dict(a=dict(command='{nothing}'))", r'\{nothing\} must be a known placeholder'),
        ("arms = dict(a=dict(command='{b.folder}'))", "needs the arm 'b', which is not among"),
        ("arms = dict(a=dict(command='{a.folder}'))", 'circle, got a -> a'),
        ("arms = dict(a=dict(command='{a.weights}'))", "must be one of .*got 'weights'"),
        ("arms = dict(a=dict(config='no.py'))", "got 'no.py', which is not there"),
        ("arms = {'a/../..': dict(command='x')}", 'names a folder'),
        ("arms = dict(a=dict(command='x', once_per='day'))", 'once_per must be one of'),
        ("seed = 1\narms = dict(a=dict(command='x'))", "each run's own, got a setting 'seed'"),
    ],
)
def test_a_bad_study_file_is_refused_in_words(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_study(tmp_path, text)
