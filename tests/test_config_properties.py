"""What must hold of every config: the order of the classes, a dump and a load, change nothing."""

import numpy as np
import pytest
import tiny_dtkd
import tiny_mbd
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config
from strange_input import QUICK

from mmaction_kd.registry import MODELS

VIDEOS = 12
RATIOS = st.floats(0, 1, allow_subnormal=False)
SHARED = dict(
    kd_weight=RATIOS,
    kd_temperature=st.floats(0.5, 8),
    t_squared=st.booleans(),
    reduction=st.sampled_from(['batchmean', 'mean', 'subset']),
    log_w_term=st.booleans(),
)
HYBRID_SCORE = st.fixed_dictionaries(
    dict(type=st.just('mmaction_kd.HybridScore')),
    optional=dict(
        s_alpha=RATIOS,
        order=st.sampled_from(['normalise_then_zero', 'zero_then_normalise', 'mixture']),
        outside_score=st.sampled_from(['teacher', 'buffer', 'zero']),
        renormalise=st.booleans(),
        ce_norm_degenerate=RATIOS,
        conf_temperature=st.sampled_from(['kd', 1]),
    ),
)
BSKD = st.just(dict(type='mmaction_kd.ResponsibleTeacher'))
DTKD = st.fixed_dictionaries(
    dict(type=st.just('mmaction_kd.SubsetDistillLoss'), weighting=HYBRID_SCORE | BSKD),
    optional=SHARED,
)
DOMINANCE = st.fixed_dictionaries(
    dict(type=st.just('mmaction_kd.DominanceDistillLoss')),
    optional=dict(
        kl_weight=RATIOS | st.lists(RATIOS, min_size=2, max_size=2),
        mse_weight=RATIOS,
        temperature=st.floats(0.5, 8),
        t_squared=st.booleans(),
        teacher=st.sampled_from(['dominant', 'local', 'global', 'both']),
        final_align=st.sampled_from(['kl', 'mse']),
        group_reduction=st.sampled_from(['group', 'batch']),
        projection=st.sampled_from(['student', 'teacher']),
        require_teacher_correct=st.booleans(),
        tie=st.sampled_from(['local', 'global']),
        dominance=st.fixed_dictionaries(
            {},
            optional=dict(
                metric=st.sampled_from(['euclidean', 'sqeuclidean']),
                space=st.sampled_from(['prob', 'logits']),
                tau=st.floats(0.1, 10),
            ),
        ),
    ),
)


@QUICK
@given(
    cfg=DTKD,
    head=st.sampled_from(['subset', 'full']),
    subset_of=st.lists(st.integers(0, 2), min_size=3, max_size=7).filter(lambda s: len(set(s)) > 1),
    random=st.randoms(use_true_random=False),
)
def test_other_numbers_for_the_classes_give_the_same_distillation(cfg, head, subset_of, random):
    """A head of a subset has its outputs in the order in which the subset names its classes."""
    num_classes = len(subset_of)
    subsets = {f's{i}': np.flatnonzero(np.equal(subset_of, i)).tolist() for i in set(subset_of)}
    new = random.sample(range(num_classes), num_classes)  # class k is now new[k]
    renamed = {name: [new[k] for k in classes] for name, classes in subsets.items()}
    rng = np.random.default_rng(random.randrange(10**6))
    targets = rng.integers(0, num_classes, VIDEOS)
    logits = {
        name: rng.normal(size=(VIDEOS, num_classes if head == 'full' else len(classes)))
        for name, classes in subsets.items()
    }
    student = rng.normal(size=(VIDEOS, num_classes))

    def losses(of, place, labels):
        def moved(z):
            full = z.shape[1] == num_classes and (head == 'full' or z is student)
            return torch.from_numpy(z[:, np.argsort(place)] if full else z)

        loss = MODELS.build(dict(cfg, num_classes=num_classes, subsets=of, teacher_head=head))
        teachers = {name: moved(z) for name, z in logits.items()}
        return loss(moved(student), teachers, torch.from_numpy(labels))

    before = losses(subsets, range(num_classes), targets)
    after = losses(renamed, new, np.array(new)[targets])
    assert before.keys() == after.keys()
    for key, value in before.items():
        assert torch.allclose(value, after[key], atol=1e-9, equal_nan=True), key


@QUICK
@given(cfg=DOMINANCE, seed=st.integers(0, 10**6), num_classes=st.integers(2, 7))
def test_other_numbers_for_the_classes_give_the_same_dominance(cfg, seed, num_classes):
    rng = np.random.default_rng(seed)
    new = rng.permutation(num_classes)
    logits = {name: rng.normal(size=(VIDEOS, num_classes)) for name in ('local', 'global')}
    feats = {name: torch.from_numpy(rng.normal(size=(VIDEOS, 3))) for name in logits}
    targets = rng.integers(0, num_classes, VIDEOS)
    dims = dict.fromkeys(logits, 3)
    loss = MODELS.build(dict(cfg, num_classes=num_classes, feat_dims=dims)).double()
    before = loss({n: torch.from_numpy(z) for n, z in logits.items()}, feats, _tensor(targets))
    moved = {n: torch.from_numpy(z[:, np.argsort(new)]) for n, z in logits.items()}
    after = loss(moved, feats, _tensor(new[targets]))
    assert before.keys() == after.keys()
    for key, value in before.items():
        assert torch.allclose(value, after[key], atol=1e-9), key


def _tensor(labels):
    return torch.from_numpy(np.asarray(labels, dtype=np.int64))


def settings_of(component):
    """Options as a component keeps them, those of its parts too."""
    found = {}
    for name, part in component.named_modules():
        for key, value in vars(part).items():
            if isinstance(value, (bool, int, float, str, dict, list, tuple)) and key[0] != '_':
                found[f'{name}.{key}'] = value
    return found


def reloaded(cfg, path):
    Config(dict(model=cfg)).dump(path)
    return Config.fromfile(path).model


@QUICK
@given(cfg=DTKD)
def test_a_dumped_config_builds_the_same_distiller_loss(tmp_path, cfg):
    whole = dict(cfg, num_classes=6, subsets=tiny_dtkd.SUBSETS)
    built, again = MODELS.build(whole), MODELS.build(reloaded(whole, tmp_path / 'cfg.py'))
    assert settings_of(built) == settings_of(again)
    assert {k for k in cfg if k not in ('type', 'weighting')} <= vars(again).keys()
    assert {k for k in cfg['weighting'] if k != 'type'} <= vars(again.weighting).keys()


@QUICK
@given(cfg=DOMINANCE)
def test_a_dumped_config_builds_the_same_dominance_loss(tmp_path, cfg):
    whole = dict(cfg, num_classes=4, layers='final')
    built, again = MODELS.build(whole), MODELS.build(reloaded(whole, tmp_path / 'cfg.py'))
    assert settings_of(built) == settings_of(again)


@pytest.mark.parametrize('make', [tiny_mbd.mbd_config, tiny_dtkd.distiller_config])
def test_a_dumped_config_builds_the_same_model(tmp_path, make):
    built, again = MODELS.build(make()), MODELS.build(reloaded(make(), tmp_path / 'cfg.py'))
    assert str(built) == str(again) and settings_of(built) == settings_of(again)
    shapes = [{k: v.shape for k, v in model.state_dict().items()} for model in (built, again)]
    assert shapes[0] == shapes[1]
