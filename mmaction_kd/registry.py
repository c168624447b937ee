"""The package's registries: children of MMEngine's roots, in the scope ``mmaction_kd``.

``type='mmaction_kd.MBDRecognizer'`` therefore works in any config, whatever its
``default_scope``; a bare name keeps meaning MMAction2's own. Each registry names the
packages that register into it, so MMEngine imports them when a type is first looked up.
"""

from mmengine import registry as root

SCOPE = 'mmaction_kd'


def _child(name: str, parent: root.Registry, *locations: str) -> root.Registry:
    return root.Registry(
        name, parent=parent, scope=SCOPE, locations=[f'mmaction_kd.{where}' for where in locations]
    )


MODELS = _child('model', root.MODELS, 'models')
DATASETS = _child('dataset', root.DATASETS, 'datasets', 'stored_teachers')
TRANSFORMS = _child('transform', root.TRANSFORMS, 'datasets.transforms')
METRICS = _child('metric', root.METRICS, 'evaluation')
HOOKS = _child('hook', root.HOOKS, 'engine')
