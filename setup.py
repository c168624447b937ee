"""Packaging: the package, and configs, tools and model index as its ``.mim`` folder.

``mim`` and ``_base_ = 'mmaction_kd::mbd/...'`` look for them there, also after a plain install. An
editable install links the folder to the checkout, a wheel holds copies.
"""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
MIM = ('configs', 'tools', 'model-index.yml')


def requirements(name: str) -> list:
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith(('#', '-'))]


class BuildWithMim(build_py):
    """Put the ``.mim`` folder where the package is imported from."""

    def run(self) -> None:
        super().run()
        base = ROOT if self.editable_mode else Path(self.build_lib)
        mim = base / 'mmaction_kd' / '.mim'
        shutil.rmtree(mim, ignore_errors=True)
        mim.mkdir(parents=True)
        for name in MIM:
            source = ROOT / name
            if self.editable_mode:
                (mim / name).symlink_to(Path('..', '..', name))
            elif source.is_dir():
                ignore = shutil.ignore_patterns('__pycache__', 'benchmark*')
                shutil.copytree(source, mim / name, ignore=ignore)
            else:
                shutil.copy(source, mim / name)


version: dict = {}
exec((ROOT / 'mmaction_kd' / 'version.py').read_text(), version)

setup(
    name='mmaction_kd',
    version=version['__version__'],
    description='Knowledge distillation for video recognition: MBD and DTKD on MMAction2',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmaction_kd', 'mmaction_kd.*']),
    package_data={'mmaction_kd': ['README.md', 'datasets/class_lists/*.json', 'report/page.html']},
    python_requires='>=3.10',
    install_requires=requirements('runtime'),
    extras_require={
        name: requirements(name)
        for name in ('lite', 'study', 'deploy', 'tests', 'lint', 'pretrained')
    },
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
