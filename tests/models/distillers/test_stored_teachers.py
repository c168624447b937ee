"""DualTeacherDistiller with stored teachers: the loss of live ones, and no teacher runs."""

import copy
import json

import pytest
import tiny_store
import torch
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader, Runner
from tiny_dtkd import PREPROCESSOR, SUBSETS, loss_config, recognizer

from mmaction_kd.registry import MODELS

READINGS = dict(
    teacher={},
    buffer=dict(outside_score='buffer'),
    mixture=dict(order='mixture'),
    full=dict(teacher_head='full', mask_value=None, ce_norm_scope='batch'),
    bskd=dict(weighting='ResponsibleTeacher'),
)


@pytest.fixture(scope='module', autouse=True)
def mmaction_scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


class Recorded:
    """A store, what it was made of, and a batch from it."""

    def __init__(self, videos, folder, **loss):
        self.folder = folder
        self.checkpoints = tiny_store.teacher_checkpoints(folder)
        self.data = tiny_store.dataset_config(videos, folder)
        self.model = tiny_store.model_config(self.checkpoints, loss=loss)
        tiny_store.record(self.model, self.data, folder / 'store')
        views = tiny_store.stored_views(self.data, folder / 'store')
        self.samples = [views[index] for index in (0, 1, 2, 0, 1, 2)]

    def build(self, stored=True, **changes):
        """A distiller with the same student for equal seeds; its student makes no noise."""
        store = str(self.folder / 'store') if stored else None
        torch.manual_seed(0)
        model = MODELS.build(dict(copy.deepcopy(self.model), stored_teachers=store, **changes))
        model.init_weights()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            if isinstance(module, torch.nn.Linear):
                torch.nn.init.normal_(module.weight, std=2.0)
        return model.train()

    def losses(self, model):
        """Of the batch, which is collated and preprocessed as in training."""
        batch = copy.deepcopy(pseudo_collate(self.samples))
        return model(**model.data_preprocessor(batch, training=True), mode='loss')


@pytest.fixture(scope='module')
def recorded(tiny_videos, tmp_path_factory):
    return Recorded(tiny_videos, tmp_path_factory.mktemp('recorded'))


@pytest.mark.parametrize('reading', [name for name in READINGS if name != 'full'])
def test_loss_and_gradient_are_those_of_live_teachers(recorded, reading):
    """Within 1e-3; the loss is some 1, and what is left is the float16 of the logits."""
    loss = loss_config(subsets=SUBSETS, **READINGS[reading])
    models = [recorded.build(stored, distill_loss=loss) for stored in (True, False)]
    ours, theirs = (recorded.losses(model) for model in models)
    assert ours.keys() == theirs.keys() and theirs['loss_kd'] > 0.1
    for key, value in ours.items():
        assert value.item() == pytest.approx(theirs[key].item(), abs=1e-3), key
    for model, losses in zip(models, (ours, theirs), strict=True):
        model.parse_losses(losses)[0].backward()
    grads = [torch.cat([p.grad.flatten() for p in m.student.parameters()]) for m in models]
    assert (grads[0] - grads[1]).norm() <= 1e-3 * grads[1].norm()


def test_no_teacher_runs_or_goes_to_the_device(recorded, monkeypatch):
    model = recorded.build()
    for teacher in model.teachers.values():
        monkeypatch.setattr(teacher, 'extract_feat', None)
    recorded.losses(model)
    model.double()
    assert {p.dtype for p in model.student.parameters()} == {torch.float64}
    assert {p.dtype for t in model.teachers.values() for p in t.parameters()} == {torch.float32}


def test_teachers_that_predict_go_along_and_are_the_live_ones(recorded):
    clips = [sample['inputs'] for sample in recorded.samples[:2]]
    scores = []
    for stored in (True, False):
        model = recorded.build(stored, predict_teachers=True).eval()
        samples = [copy.deepcopy(sample['data_samples']) for sample in recorded.samples[:2]]
        data = model.data_preprocessor(dict(inputs=clips, data_samples=samples))
        scores.append([sample.static_score for sample in model(**data, mode='predict')])
        model.double()
        dtypes = {p.dtype for t in model.teachers.values() for p in t.parameters()}
        assert dtypes == {torch.float64}
    assert all(torch.equal(a, b) for a, b in zip(*scores, strict=True))


def refused(recorded, words, **changes):
    with pytest.raises(ValueError, match=words):
        recorded.build(**changes)


def teachers(recorded, **changes):
    found = copy.deepcopy(recorded.model['teachers'])
    found['static'].update(changes)
    return found


def test_other_teachers_than_the_stores_are_refused_by_name(recorded):
    others = tiny_store.teacher_checkpoints(recorded.folder, seed=1)
    changed = teachers(recorded, checkpoint=others['static'])
    refused(recorded, "state of the weights of teacher 'static'; name the ch", teachers=changed)
    changed = teachers(recorded, data_preprocessor=dict(PREPROCESSOR, mean=[0.0] * 3))
    refused(recorded, "state of the config of teacher 'static'; name", teachers=changed)
    subsets = dict(dynamic=[0, 3, 4, 1], static=[5, 2])
    words = "state of the classes of teacher 'dynamic', the classes of teacher 'static'"
    loss = loss_config('ResponsibleTeacher', subsets=subsets)
    refused(recorded, words, distill_loss=loss)


def test_a_teacher_with_the_students_preprocessor_is_another_with_another(recorded):
    found = []
    for mean in (110.0, 0.0):
        cfg = copy.deepcopy(recorded.model)
        del cfg['teachers']['static']['data_preprocessor']
        cfg['student']['data_preprocessor'] = dict(PREPROCESSOR, mean=[mean] * 3)
        model = MODELS.build(cfg)
        model.load_teachers()
        found.append(model.teacher_identities())
    assert found[0]['dynamic'] == found[1]['dynamic']
    assert found[0]['static'].config != found[1]['static'].config
    assert found[0]['static'].weights == found[1]['static'].weights


def test_a_teacher_whose_checkpoint_is_gone_is_trusted(recorded, monkeypatch):
    warned = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'warning', warned.append)
    changed = teachers(recorded, checkpoint=str(recorded.folder / 'gone.pth'))
    model = recorded.build(teachers=changed)
    assert [line for line in warned if 'teacher static: there is no checkpoint to compare' in line]
    whole = recorded.build()
    assert model.teacher_hashes == whole.teacher_hashes
    assert recorded.losses(model)['loss_kd'] == recorded.losses(whole)['loss_kd']
    with pytest.raises(FileNotFoundError, match=r'no checkpoint .*gone.pth'):
        model.load_teachers()  # what it does not know it must not predict


def test_trained_teachers_can_not_be_stored(recorded):
    refused(recorded, 'stored_teachers needs frozen_teachers=True, got F', frozen_teachers=False)


def test_samples_of_another_store_or_of_none_are_refused(recorded):
    model = recorded.build()
    batch = copy.deepcopy(pseudo_collate(recorded.samples))
    batch['data_samples'][1].set_metainfo(dict(teacher_store='another'))
    data = model.data_preprocessor(batch, training=True)
    with pytest.raises(
        ValueError, match=r'must be a view of .*store, got others; wrap the data set'
    ):
        model(**data, mode='loss')
    del data['data_samples'][1].teacher_store
    with pytest.raises(ValueError, match='got others; wrap the data set of train_dataloader in'):
        model(**data, mode='loss')


def test_full_heads_work_too(tiny_videos, tmp_path):
    """Each teacher knows all classes."""
    record = object.__new__(Recorded)
    record.folder = tmp_path
    record.data = tiny_store.dataset_config(tiny_videos, tmp_path)
    loss = loss_config(subsets=SUBSETS, **READINGS['full'])
    cfg = dict(recognizer(), _scope_='mmaction')
    weights = MODELS.build(cfg).state_dict()
    torch.save(dict(state_dict=weights), tmp_path / 'teacher.pth')
    teacher = recognizer(checkpoint=str(tmp_path / 'teacher.pth'))
    record.model = dict(
        type='mmaction_kd.DualTeacherDistiller', student=recognizer(),
        teachers=dict(dynamic=teacher, static=teacher), distill_loss=loss,
    )  # fmt: skip
    tiny_store.record(record.model, record.data, tmp_path / 'store')
    views = tiny_store.stored_views(record.data, tmp_path / 'store')
    record.samples = [views[index] for index in range(3)]
    ours, theirs = (record.losses(record.build(stored)) for stored in (True, False))
    assert ours['loss_kd'].item() == pytest.approx(theirs['loss_kd'].item(), abs=1e-3)


def test_a_run_has_the_students_checkpoint_and_the_stores_hashes_and_goes_on(recorded):
    """Begun with live teachers, it may go on with what is stored of them."""
    plain = recorded.data
    stored = dict(
        type='mmaction_kd.StoredTeacherViews', dataset=plain, store=str(recorded.folder / 'store')
    )
    work, hashes = recorded.folder / 'work', None
    for epoch, (data, store) in enumerate([(plain, None), (stored, stored['store'])], 1):
        model = dict(copy.deepcopy(recorded.model), stored_teachers=store)
        cfg = tiny_store.training_config(
            model, data, work, train_cfg=dict(by_epoch=True, max_epochs=epoch),
            experiment_name=f'stored_{epoch}', log_level='ERROR', resume=True,
        )  # fmt: skip
        Runner.from_cfg(cfg).train()
        checkpoint = CheckpointLoader.load_checkpoint(str(work / f'epoch_{epoch}.pth'), 'cpu')
        hashes = hashes or checkpoint['meta']['teachers']
        assert checkpoint['meta']['teachers'] == hashes
    student = MODELS.build(dict(recognizer(), _scope_='mmaction'))
    assert checkpoint['state_dict'].keys() == student.state_dict().keys()
    header = json.loads((recorded.folder / 'store/store.json').read_text())
    assert hashes == {name: teacher['weights'] for name, teacher in header['teachers'].items()}
