"""Where the real data is, when it is; and one profile for property tests: no deadlines, the same examples every
time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("sparsereg", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
settings.load_profile("sparsereg")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets, from SPARSEREG_DATA or beside the project; tests that want it are skipped
    without."""
    folder = Path(os.environ.get("SPARSEREG_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real data here: set SPARSEREG_DATA")
    return folder
