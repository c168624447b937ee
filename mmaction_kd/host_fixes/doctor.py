"""Says what of the host is broken, what was mended, and what is left.

``python -m mmaction_kd.host_fixes.doctor`` prints one line a package (version found) and one a
fault::

    STATE   WHAT                                             FOUND            REMEDY
    ok      torch >=2.1                                      2.14.1
    mended  No module named 'mmaction.models.localizers.drn' mmaction2 1.2.0  install mmaction2 ...

The exit code is 1 when something is left that stops training, else 0. The doctor imports the host
to see what becomes of it, but runs without it too.
"""

from __future__ import annotations

import dataclasses
import importlib
import platform
import sys
import warnings
from collections.abc import Callable, Iterable
from importlib import metadata

from mmaction_kd.host_fixes import MENDS
from mmaction_kd.host_fixes.mend import Mend, Outcome, release, version_of


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of the report.

    Args:
        state: ok, missing or outside for a package; absent, mended, present or unknown for a
            fault.
        what: The package with its range, or the fault.
        found: The versions found.
        remedy: What to do; '' where there is nothing to do.
        stops_training: Whether training can't start with it.
    """

    state: str
    what: str
    found: str = ''
    remedy: str = ''
    stops_training: bool = False


@dataclasses.dataclass(frozen=True)
class Package:
    """A package that training needs.

    Args:
        names: Distributions of which one is needed; the first is the one to install.
        least: Release from which on it works.
        below: First release that does not work any more; () where none is known.
    """

    names: tuple[str, ...]
    least: tuple[int, ...] = ()
    below: tuple[int, ...] = ()

    @property
    def specifier(self) -> str:
        """The range as pip writes it: '>=2.0,<2.2'."""
        limits = (('>=', self.least), ('<', self.below))
        return ','.join(sign + '.'.join(map(str, limit)) for sign, limit in limits if limit)


PACKAGES = (
    Package(('torch',), (2, 1)),
    Package(('torchvision',), (0, 16)),
    Package(('numpy',), (1, 23, 5)),
    Package(('mmengine',), (0, 10), (1,)),
    Package(('mmcv-lite', 'mmcv'), (2, 0), (2, 2)),
    Package(('mmpretrain',), (1, 1, 1), (2,)),
    Package(('mmaction2',), (1, 2, 0), (1, 2, 1)),
    Package(('importlib_metadata',)),  # mmaction2 imports it and does not declare it
    Package(
        (
            'opencv-python',
            'opencv-contrib-python',
            'opencv-python-headless',
            'opencv-contrib-python-headless',
        ),
        (4, 8),
    ),
)
_OPENCV = PACKAGES[-1].names


def check_package(package: Package) -> Line:
    """The line of a package: ok, missing, or outside of the range that works."""
    versions = {name: version_of(name) for name in package.names}
    installed = {name: version for name, version in versions.items() if version}
    what = f'{package.names[0]} {package.specifier}'.strip()
    remedy = f'pip install "{package.names[0]}{package.specifier}"'
    if not installed:
        return Line('missing', what, '', remedy, stops_training=True)
    found = ', '.join(
        version if name == package.names[0] else f'{name} {version}'
        for name, version in installed.items()
    )
    for version in installed.values():
        at = release(version)
        if at < package.least or (package.below and at >= package.below):
            return Line('outside', what, found, remedy, stops_training=True)
    return Line('ok', what, found)


def check_mend(mend: Mend) -> Line:
    """The line of a mend, after its module is imported, because only then it has happened."""
    error = ''
    if mend.outcome is Outcome.WAITING:
        error = _import_error(mend.module)
    versions = ((name, version_of(name)) for name in mend.hosts)
    found = ', '.join(f'{name} {version}' for name, version in versions if version)
    if mend.outcome is Outcome.ABSENT:
        return Line('absent', mend.name, found)
    if mend.outcome is Outcome.MENDED:
        return Line('mended', mend.name, found, mend.remedy)
    if mend.outcome is Outcome.FAILED:
        remedy = f'{mend.remedy} (the mend failed: {mend.error})'
        return Line('present', mend.name, found, remedy, stops_training=True)
    remedy = f'make {mend.module} importable ({error})'
    return Line('unknown', mend.name, found, remedy, stops_training=True)


def check_opencv() -> Line:
    """Two packages that own the folder ``cv2/`` overwrite each other's files."""
    installed = {name: version_of(name) for name in _OPENCV if version_of(name)}
    found = ', '.join(f'{name} {version}' for name, version in installed.items())
    what = 'OpenCV packages of several versions share the folder cv2/'
    error = _import_error('cv2')
    if not error and len(set(installed.values())) <= 1:
        return Line('absent', what, found)
    remedy = f'uninstall {" ".join(installed)}, then install one version of {_OPENCV[1]}'
    return Line('present', what, found, remedy, stops_training=bool(error))


def check_torchvision() -> Line:
    """A CPU-only torch with the torchvision of another build has no compiled operators."""
    what = 'operator torchvision::nms does not exist'
    found = f'torch {version_of("torch")}, torchvision {version_of("torchvision")}'
    error = _import_error('torchvision')
    if not error:
        return Line('absent', what, found)
    remedy = f'install torch and torchvision of one build from one index ({error})'
    return Line('present', what, found, remedy, stops_training=True)


def check_decord() -> Line:
    """Decord reads videos by default; PyAV and OpenCV can do it too."""
    what = 'decord cannot be imported'
    error = _import_error('decord')
    if not error:
        return Line('absent', what, f'decord {version_of("decord")}')
    remedy = 'pip install decord, or let the pipeline read videos by PyAV or OpenCV'
    return Line('present', what, version_of('decord'), remedy)


def check_forks() -> Line:
    """The onedl forks install modules of the same names as their originals."""
    what = 'onedl forks under the import names of the host'
    names = {(dist.metadata['Name'] or '').lower() for dist in metadata.distributions()}
    forks = sorted(name for name in names if name.startswith('onedl-mm'))
    if not forks:
        return Line('absent', what)
    remedy = f'uninstall {" ".join(forks)} and install the originals again'
    return Line('present', what, ', '.join(forks), remedy, stops_training=True)


def check_host_import() -> Line:
    """Whatever else may be wrong: can the models be imported in the end?"""
    what = 'mmaction.models cannot be imported'
    error = _import_error('mmaction.models')
    if not error:
        return Line('absent', what, f'mmaction2 {version_of("mmaction2")}')
    return Line('present', what, version_of('mmaction2'), error, stops_training=True)


def examine() -> list[Line]:
    """All lines: packages, faults that code mends, faults of the installation."""
    # What needs no host comes first: a broken torchvision would also break the imports after it.
    checks: tuple[Callable[[], Line], ...] = (
        check_opencv,
        check_torchvision,
        check_decord,
        check_forks,
        check_host_import,
    )
    lines = [Line('ok', 'python', platform.python_version())]
    lines += [check_package(package) for package in PACKAGES]
    installation = [check() for check in checks]
    lines += [check_mend(mend) for mend in MENDS]
    return lines + installation


def render(lines: Iterable[Line]) -> str:
    """The lines in aligned columns, under a header; the remedy, being long, comes last."""
    rows = [('STATE', 'WHAT', 'FOUND', 'REMEDY')]
    rows += [(line.state, line.what, line.found, line.remedy) for line in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return '\n'.join(
        '  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _import_error(module: str) -> str:
    """Why a module can't be imported, in one line; '' if it can."""
    try:
        importlib.import_module(module)
    except Exception as error:  # broken binaries raise all kinds, e.g. RuntimeError
        return f'{type(error).__name__}: {error}'.splitlines()[0]
    return ''


def main() -> int:
    """Print the report.

    Returns:
        The exit code: 1 if something is left that stops training, else 0.
    """
    warnings.simplefilter('ignore')  # the host's own; what matters here is in the report
    lines = examine()
    stops = [line for line in lines if line.stops_training]
    print(render(lines))
    print()
    if stops:
        print(f'{len(stops)} left that stop training: ' + '; '.join(line.what for line in stops))
    else:
        print('Nothing is left that stops training.')
    return 1 if stops else 0


if __name__ == '__main__':
    sys.exit(main())
