"""Report which faults the host has, which were fixed, and which are left.

``python -m mmaction_kd.host_fixes.doctor`` prints one line a package (version found) and one a
fault::

    STATE  WHAT                                             FOUND            REMEDY
    ok     torch >=2.1                                      2.14.1
    fixed  No module named 'mmaction.models.localizers.drn' mmaction2 1.2.0  install mmaction2 ...

The exit code is 1 if a fault is left that stops training, else 0. The doctor imports the host, so
that the fixes run, but works without it too.
"""

from __future__ import annotations

import dataclasses
import importlib
import platform
import re
import sys
import warnings
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

from mmaction_kd.host_fixes import FIXES
from mmaction_kd.host_fixes.fix import Fix, Outcome, version_of


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of the report.

    Args:
        state: ok, missing or outside for a package; absent, fixed, present or unknown for a
            fault.
        what: the package with its range, or the fault.
        found: the versions found.
        remedy: what to do; '' where there is nothing to do.
        stops_training: whether training can't start with it.
    """

    state: str
    what: str
    found: str = ''
    remedy: str = ''
    stops_training: bool = False


# Distributions that have the same import name: one of them is needed.
_MMCV = ('mmcv-lite', 'mmcv')
_OPENCV = (
    'opencv-python',
    'opencv-contrib-python',
    'opencv-python-headless',
    'opencv-contrib-python-headless',
)
# These do not stop training: another backend reads videos, and a fix stands in for pkg_resources.
_NOT_NEEDED = ('decord', 'setuptools')


def requirements() -> dict[str, str]:
    """Return the version range, as pip writes it, of each distribution that training needs.

    From the requirements of a checkout, else from the metadata of the installed package.
    """
    folder = Path(__file__).parents[2] / 'requirements'
    if (folder / 'runtime.txt').is_file():
        lines = [
            line for name in ('runtime', 'lite') for line in (folder / f'{name}.txt').open('rt')
        ]
    else:
        needed = metadata.requires('mmaction_kd') or []
        lines = [line for line in needed if ';' not in line or "'lite'" in line.replace('"', "'")]
    found = {}
    for line in lines:
        if match := re.match(r'([\w-]+)\s*([^;#]*)', line):
            found[match[1]] = match[2].strip()
    left_out = (*_NOT_NEEDED, _OPENCV[1])
    return {name: wanted for name, wanted in found.items() if name not in left_out}


def check_package(name: str, wanted: str) -> Line:
    """Report a package: ok, missing, or outside the supported range.

    Args:
        name: its distribution; mmcv and OpenCV have several.
        wanted: the range, such as '>=2.0,<2.2'.
    """
    names = next((names for names in (_MMCV, _OPENCV) if name in names), (name,))
    installed = {n: version_of(n) for n in names if version_of(n)}
    what, remedy = f'{name} {wanted}'.strip(), f'pip install "{name}{wanted}"'
    if not installed:
        return Line('missing', what, '', remedy, stops_training=True)
    from packaging.specifiers import SpecifierSet  # not without the host's packages
    from packaging.version import Version

    found = ', '.join(v if n == name else f'{n} {v}' for n, v in installed.items())
    releases = [Version(version).base_version for version in installed.values()]
    if not all(SpecifierSet(wanted).contains(release) for release in releases):
        return Line('outside', what, found, remedy, stops_training=True)
    return Line('ok', what, found)


def check_fix(fix: Fix) -> Line:
    """Report a fix; import its module first, as only then it is applied."""
    error = ''
    if fix.outcome is Outcome.WAITING:
        error = _import_error(fix.module)
    versions = ((name, version_of(name)) for name in fix.hosts)
    found = ', '.join(f'{name} {version}' for name, version in versions if version)
    if fix.outcome is Outcome.ABSENT:
        return Line('absent', fix.name, found)
    if fix.outcome is Outcome.FIXED:
        return Line('fixed', fix.name, found, fix.remedy)
    if fix.outcome is Outcome.FAILED:
        remedy = f'{fix.remedy} (the fix failed: {fix.error})'
        return Line('present', fix.name, found, remedy, stops_training=True)
    remedy = f'make {fix.module} importable ({error})'
    return Line('unknown', fix.name, found, remedy, stops_training=True)


def check_opencv() -> Line:
    """Report OpenCV packages that overwrite each other's files in the folder ``cv2/``."""
    installed = {name: version_of(name) for name in _OPENCV if version_of(name)}
    found = ', '.join(f'{name} {version}' for name, version in installed.items())
    what = 'OpenCV packages of several versions share the folder cv2/'
    error = _import_error('cv2')
    if not error and len(set(installed.values())) <= 1:
        return Line('absent', what, found)
    remedy = f'uninstall {" ".join(installed)}, then install one version of {_OPENCV[1]}'
    return Line('present', what, found, remedy, stops_training=bool(error))


def check_torchvision() -> Line:
    """Report a torchvision of another build than torch, whose compiled operators can't load."""
    what = 'operator torchvision::nms does not exist'
    found = f'torch {version_of("torch")}, torchvision {version_of("torchvision")}'
    error = _import_error('torchvision')
    if not error:
        return Line('absent', what, found)
    remedy = f'install torch and torchvision of one build from one index ({error})'
    return Line('present', what, found, remedy, stops_training=True)


def check_decord() -> Line:
    """Report whether decord can be imported; PyAV and OpenCV can read videos too."""
    what = 'decord cannot be imported'
    error = _import_error('decord')
    if not error:
        return Line('absent', what, f'decord {version_of("decord")}')
    remedy = 'pip install decord, or let the pipeline read videos by PyAV or OpenCV'
    return Line('present', what, version_of('decord'), remedy)


def check_forks() -> Line:
    """Report the onedl forks, whose modules have the names of the originals."""
    what = 'onedl forks under the import names of the host'
    names = {(dist.metadata['Name'] or '').lower() for dist in metadata.distributions()}
    forks = sorted(name for name in names if name.startswith('onedl-mm'))
    if not forks:
        return Line('absent', what)
    remedy = f'uninstall {" ".join(forks)} and install the originals again'
    return Line('present', what, ', '.join(forks), remedy, stops_training=True)


def check_host_import() -> Line:
    """Report whether MMAction2's models can be imported after all fixes."""
    what = 'mmaction.models cannot be imported'
    error = _import_error('mmaction.models')
    if not error:
        return Line('absent', what, f'mmaction2 {version_of("mmaction2")}')
    return Line('present', what, version_of('mmaction2'), error, stops_training=True)


def examine() -> list[Line]:
    """Return all lines: packages, faults that code fixes, faults of the installation."""
    # These run before the fixes: a broken torchvision would also break the imports of the host.
    checks: tuple[Callable[[], Line], ...] = (
        check_opencv,
        check_torchvision,
        check_decord,
        check_forks,
        check_host_import,
    )
    lines = [Line('ok', 'python', platform.python_version())]
    lines += [check_package(name, wanted) for name, wanted in requirements().items()]
    installation = [check() for check in checks]
    lines += [check_fix(fix) for fix in FIXES]
    return lines + installation


def render(lines: Iterable[Line]) -> str:
    """Format the lines in aligned columns under a header; the long remedy comes last."""
    rows = [('STATE', 'WHAT', 'FOUND', 'REMEDY')]
    rows += [(line.state, line.what, line.found, line.remedy) for line in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return '\n'.join(
        '  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _import_error(module: str) -> str:
    """Return why a module can't be imported, in one line; '' if it can."""
    try:
        importlib.import_module(module)
    except Exception as error:  # broken binaries raise all kinds, e.g. RuntimeError
        return f'{type(error).__name__}: {error}'.splitlines()[0]
    return ''


def main() -> int:
    """Print the report.

    Returns:
        The exit code: 1 if a fault is left that stops training, else 0.
    """
    warnings.simplefilter('ignore')  # the host's own
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
