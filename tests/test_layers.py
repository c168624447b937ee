"""The rooms of the package and their order: imports go down, never up."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'mmaction_kd'
# From the top down. A room imports itself and the rooms of the lines below; rooms of one line do
# not import each other.
LAYERS = (
    ('study', 'streaming', 'deployment'),
    ('engine',),
    ('visualization', 'evaluation'),
    ('models', 'optical_flow'),
    ('stored_teachers', 'report'),
    ('datasets',),
    ('host_fixes', 'observations'),
    ('utils', 'options', 'registry', 'version'),
)
FLOOR = {room: floor for floor, rooms in enumerate(LAYERS) for room in rooms}
MODULES = [path for path in sorted(PACKAGE.rglob('*.py')) if '.mim' not in path.parts]


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix('.py')


def imported_rooms(path):
    """Rooms that a module imports, also within functions and for types only."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: an import names the package, not dots'
            whole = [f'{node.module}.{alias.name}' for alias in node.names]
            names = whole if node.module == 'mmaction_kd' else [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith('mmaction_kd.'):
                yield name.split('.')[1]


def test_every_module_is_in_a_room_that_has_its_place():
    assert {room_of(path) for path in MODULES} == {*FLOOR, '__init__'}


@pytest.mark.parametrize('room', FLOOR)
def test_imports_go_down(room):
    for path in MODULES:
        if room_of(path) != room:
            continue
        for other in imported_rooms(path):
            if other != room:
                assert FLOOR[other] > FLOOR[room], f'{path.relative_to(PACKAGE)} imports {other}'


def test_there_are_few_rooms_and_few_of_them_know_each_other():
    pairs = {(room_of(path), other) for path in MODULES for other in imported_rooms(path)}
    between = [pair for pair in pairs if len({*pair, '__init__'}) == 3]
    assert len(FLOOR) <= 17, 'a new room must be worth that every reader learns it'
    assert len(between) <= 51, f'one import more between rooms: {sorted(between)}'
