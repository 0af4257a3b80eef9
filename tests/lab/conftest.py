"""The command line, in an empty folder."""

import pytest
from typer.testing import CliRunner

from matfun.lab.cli import app


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run in an empty folder, in a terminal of 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def invoke(*arguments):
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke
