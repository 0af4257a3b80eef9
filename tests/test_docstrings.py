"""Does every example in a docstring run, and give what it says?"""

import doctest
import pkgutil
from importlib import import_module

import pytest

import matfun
import theory


def modules():
    for package in (matfun, theory):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name != "matfun.__main__":  # which runs the command line
                yield found.name


@pytest.mark.parametrize("name", list(modules()))
def test_examples(name):
    assert doctest.testmod(import_module(name)).failed == 0
