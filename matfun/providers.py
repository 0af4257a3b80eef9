"""Which provider serves an array: its own library's, unless ``backend=`` names another.

A provider is a module ``matfun_backends.<library>`` (or an entry point of the group ``matfun.backends``) with
``API_VERSION`` and ``provide(xp) -> Ops``.  Libraries without one use the array-API defaults.
No provider is chosen because it is installed: the array's own namespace decides.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from array_api_compat import array_namespace

from matfun.host import host_constant
from matfun.ops import API_VERSION, Array, Ops

_by_type: dict[type, Ops] = {}
_by_name: dict[tuple[str, int], Ops] = {}
_for_torch: dict[str, Ops] = {}


def ops_for(A: Array, backend: str | Ops | None = None) -> Ops:
    """Return the verbs for the library of A.

    Parameters
    ----------
    A : array
    backend : str or Ops, optional
        ``"array-api"`` for the defaults alone, the name of a provider, or an instance of one.

    Raises
    ------
    TypeError
        If A belongs to no array library, or ``backend`` is of another type.
    ValueError
        If no provider has that name.
    """
    if backend is None:
        found = _by_type.get(type(A))
        if found is not None and not _is_object_array(A):
            return found
    elif isinstance(backend, Ops):
        return backend
    elif not isinstance(backend, str):
        raise TypeError(f"backend: expected a name or an Ops instance, got {type(backend).__name__}")
    if type(A).__module__.split(".")[0] == "torch":
        # by its name: torch.distributed is loaded for nobody who has not loaded it
        library = "dtensor" if type(A).__name__ == "DTensor" else "torch"
        name = library if backend is None else backend
        _load_for_torch(name)
        return _serving(library, _for_torch[name])
    if _is_object_array(A):
        return _serving("mpmath", _provider(backend or "mpmath", None))
    try:
        xp = array_namespace(A)
    except TypeError:
        raise TypeError(f"A: expected an array of one library, got {type(A).__name__}") from None
    library = library_of(xp)
    if backend is not None:
        return _serving(library, _provider(backend, xp))
    found = _provider(library, xp)
    _by_type[type(A)] = found
    return found


def _serving(library: str, ops: Ops) -> Ops:
    if ops.library not in (None, library):
        raise ValueError(f"backend: expected a provider for arrays of {library}, got {ops.name!r}")
    return ops


@host_constant
def _load_for_torch(name: str) -> bool:
    if name not in _for_torch:
        _for_torch[name] = _provider(name, import_module("array_api_compat.torch"))
    return True


def library_of(xp: Any) -> str:
    """Short name of the library behind a namespace: numpy, torch, jax, cupy, array_api_strict, ..."""
    parts: list[str] = xp.__name__.split(".")
    return parts[1] if parts[0] == "array_api_compat" else parts[0]


def _is_object_array(A: Array) -> bool:
    return type(A).__name__ == "ndarray" and getattr(A.dtype, "hasobject", False)


def _provider(name: str, xp: Any) -> Ops:
    key = (name, id(xp))
    if key not in _by_name:
        _by_name[key] = _load(name, xp)
    return _by_name[key]


def _load(name: str, xp: Any) -> Ops:
    if name == "array-api":
        return Ops(xp)
    _find_checkout()
    module: Any
    if find_spec(f"matfun_backends.{name}") is not None:
        module = import_module(f"matfun_backends.{name}")
    else:
        points = entry_points(group="matfun.backends", name=name)
        if not points:
            if xp is not None and name == library_of(xp):
                return Ops(xp)
            raise ValueError(f"backend: no provider is called {name!r}; known are {', '.join(provider_names())}")
        module = next(iter(points)).load()
    if module.API_VERSION != API_VERSION:
        raise ImportError(
            f"provider {name!r} speaks version {module.API_VERSION} of the verbs and matfun version "
            f"{API_VERSION}: a checkout is mixed with an installed copy"
        )
    ops: Ops = module.provide(xp)
    return ops


def provider_names() -> list[str]:
    """Names that ``backend=`` accepts, sorted."""
    _find_checkout()
    folder = Path(str(import_module("matfun_backends").__file__)).parent
    own = {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}
    return sorted({"array-api", *own, *(point.name for point in entry_points(group="matfun.backends"))})


def _find_checkout() -> None:
    """In a never-installed checkout, load ``matfun_backends`` from ``backends/`` by path."""
    if "matfun_backends" in sys.modules or find_spec("matfun_backends") is not None:
        return
    folder = Path(__file__).parents[1] / "backends" / "matfun_backends"
    spec = spec_from_file_location("matfun_backends", folder / "__init__.py", submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None:  # pragma: no cover - a broken installation
        raise ImportError("matfun_backends is neither installed nor in backends/")
    module = module_from_spec(spec)
    sys.modules["matfun_backends"] = module
    spec.loader.exec_module(module)
