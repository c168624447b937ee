"""Equal settings have one fingerprint on every machine; what has none is refused."""

import pytest
import tiny_store
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmaction_kd.stored_teachers.fingerprint import (
    annotation_digest,
    canonical_json,
    library_versions,
    other_versions,
)
from mmaction_kd.stored_teachers.view_replay import build_dataset


def test_order_of_keys_and_kind_of_dict_do_not_matter_but_values_do():
    plain = dict(type='Resize', scale=(1, 2), keep_ratio=False)
    config = Config(dict(step=dict(keep_ratio=False, scale=[1, 2], type='Resize'))).step
    assert canonical_json(plain, 'x') == canonical_json(config, 'x')
    assert canonical_json(dict(plain, keep_ratio=True), 'x') != canonical_json(plain, 'x')
    assert canonical_json([dict(type=Config)], 'x') == '[{"type":"mmengine.config.config.Config"}]'


def test_a_function_has_no_fingerprint():
    with pytest.raises(ValueError, match='the pipeline must be made of plain settings, got <func'):
        canonical_json([dict(type='Lambda', fn=lambda x: x)], 'the pipeline')


def test_a_list_is_known_by_its_videos_and_labels_and_their_order(tiny_videos, tmp_path):
    def digest_of(folder, lines=None):
        cfg = tiny_store.dataset_config(tiny_videos, tmp_path / folder)
        if lines:
            (tmp_path / folder / 'train.txt').write_text('\n'.join(lines))
        with DefaultScope.overwrite_default_scope('mmaction'):
            return annotation_digest(build_dataset(cfg, 'a test'))

    right = ['long.mp4 0', 'other.mp4 2', 'short.mp4 1']
    assert digest_of('a') == digest_of('b') == digest_of('c', right)
    changed = (right[::-1], right[:2], ['long.mp4 1', *right[1:]], ['x.mp4 0', *right[1:]])
    assert digest_of('a') not in {digest_of('d', lines) for lines in changed}


def test_other_versions_are_named():
    assert other_versions(library_versions()) == 'none'
    assert {'cv2', 'decord', 'mmengine', 'torch'} <= library_versions().keys()
    then = dict(library_versions(), decord='0.1', av='1.0')
    assert 'decord 0.1 then, 0.6.0 now' in other_versions(then)
