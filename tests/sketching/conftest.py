"""The array libraries of the providers' tests."""

from tests.backends.conftest import library as library
