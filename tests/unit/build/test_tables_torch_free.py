"""The tables and rooms say what there is without torch."""

import subprocess
import sys

SCRIPT = """
import sys
from cggm_pipeline.build.rooms import UNIONS, specs
import cggm_pipeline.build, cggm_pipeline.build.tables
print(sum(len(specs(room)) for room in UNIONS))
heavy = {"torch", "timm", "transformers", "dvc", "numpy", "sklearn"} & set(sys.modules)
assert not heavy, heavy
"""


def test_tables_and_rooms_import_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30
