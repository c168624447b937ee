"""Write the tables of measured results into a README, from the committed results.

    python tools/readme_tables.py configs/*/README.md

Between `<!-- table N of studies/STUDY.py -->` and `<!-- end of table -->` stands the N-th table of
that study, of studies/STUDY_results.csv: its report/results.csv, with all runs.
"""

import argparse
import re
from pathlib import Path

import pandas as pd

from mmaction_kd.study.plan import Study
from mmaction_kd.study.report import tables
from mmaction_kd.utils.atomic_file import write_atomically

TABLE = re.compile(
    r'(?P<head><!-- table (?P<number>\d+) of (?P<study>\S+)\.py -->\n).*?(?=<!-- end of table -->)',
    re.DOTALL,
)


def filled(text: str, folder: Path) -> str:
    """A README with its tables as the results have them.

    Args:
        text: of the README.
        folder: where it lies.

    Returns:
        The text.

    Raises:
        ValueError: the study has no such table.
        FileNotFoundError: no study or no results of that name.
    """

    def table(match: re.Match) -> str:
        path, number = folder / match['study'], int(match['number'])
        results = pd.read_csv(f'{path}_results.csv', dtype=dict(fold=str), keep_default_na=False)
        found = tables(Study(f'{path}.py', Path('work_dirs')), results)
        if not 1 <= number <= len(found):
            raise ValueError(
                f'readme_tables: the number of a table of {path}.py must be in 1..{len(found)}, '
                f'got {number}.'
            )
        return f'{match["head"]}\n{found[number - 1]}\n\n'

    return TABLE.sub(table, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('readme', type=Path, nargs='+')
    for path in parser.parse_args().readme:
        write_atomically(path, filled(path.read_text(), path.parent))


if __name__ == '__main__':
    main()
