"""Does every file import only what its room may use, and does ``import matfun`` stay light?"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

STANDARD = sys.stdlib_module_names

HEAVY = ("torch", "triton", "cupy", "jax", "dask", "matplotlib")

PUBLISHED = ("matfun.rules.schedule", "matfun.rules.published")
"""Schedules are no registered rules, but names of published ones are methods."""

DRAWS = {"matfun/rules/schedule.py": "matfun.lab.schedule_plot"}
"""A public object that can draw itself imports how when it does, and nothing else of the lab."""

CORE = {
    "matfun/polynomials": ("matfun.polynomials", "matfun.host"),
    "matfun/rules": ("matfun.polynomials", "matfun.rules.rule", "matfun.host", "matfun.sketching.ends", *PUBLISHED),
    "matfun/problems": ("matfun.ops", "matfun.polynomials", "matfun.problems", "matfun.sketching"),
    "matfun/sketching": ("matfun.ops", "matfun.host", "matfun.polynomials", "matfun.sketching"),
    "matfun/ops.py": ("matfun.polynomials", "matfun.sketching.samples"),
    "matfun/spread.py": ("matfun.ops",),
    "matfun/host.py": (),
    "matfun/result.py": ("matfun.polynomials",),
    "matfun/providers.py": ("matfun.ops", "matfun.host"),
    "matfun/scaling.py": ("matfun.ops", "matfun.problems", "matfun.polynomials"),
    "matfun/drive.py": ("matfun.problems", "matfun.rules", "matfun.ops", "matfun.result", "matfun.polynomials"),
    "matfun/traced.py": (
        *("matfun.drive", "matfun.problems", "matfun.rules.rule", "matfun.rules.unseen", "matfun.ops"),
        *("matfun.polynomials", "matfun.sketching.no_draws"),
    ),
}
"""What each room may import of the package itself."""

PROVIDER = ("matfun.ops", "matfun.spread", "matfun.host", "matfun.polynomials", "matfun.sketching.samples")
"""What a provider may import of the package: the verbs, and the values that they take."""

KERNELS, PRODUCTS = "matfun_backends.kernels", "matfun_backends.products"
"""Triton kernels, and products on CPUs that a library's own product knows nothing of; each file is of one library."""

BUILT_ON = {
    "torch_plain": ("matfun_backends.torch",),
    "torch": (PRODUCTS,),
    "numpy": (PRODUCTS, "matfun_backends.factorisations"),
    "dtensor": ("matfun_backends.torch",),
}
"""Of a provider, what else it imports.  Kernels are loaded by name, when a tensor may need them."""

EXTENDS = {"dtensor": "torch"}
"""Providers whose arrays are made of another library's, and whose verbs are that one's."""

REGISTER = "matfun.rules.rule"
"""Holds the register of rules, which the lab walks; everything else it takes from ``matfun`` itself."""

LIBRARIES = {"numpy", "scipy", "array_api_compat", "mpmath"}
"""What the core may import from outside."""

LAB_LIBRARIES = LIBRARIES | {"rich", "typer", "matplotlib", "threadpoolctl", "yaml"}


def files(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path):
    """(module, whether it happens when the file is imported) of every import statement, relative ones resolved."""
    tree = ast.parse(path.read_text())
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    lazy = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) not in lazy) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(p for p in (base, node.module) if p)
            # "from matfun.lab import truth" names a module, "from matfun import polar" a public name
            folder = ROOT / base.replace(".", "/")
            named = [f"{base}.{a.name}" for a in node.names if (folder / f"{a.name}.py").exists()]
            found += [(name, id(node) not in lazy) for name in (named or [base])]
    return found


def name_of(path):
    return str(path.relative_to(ROOT))


def belongs(module, rooms):
    return any(module == room or module.startswith(room + ".") for room in rooms)


def of(module, *packages):
    return module.split(".")[0] in packages


core_files = pytest.mark.parametrize(
    "path", [p for p in files("matfun") if "lab" not in p.relative_to(ROOT).parts], ids=name_of
)


@pytest.mark.parametrize(
    ("path", "rooms"),
    [(p, rooms) for room, rooms in CORE.items() for p in (files(room) or [ROOT / room])],
    ids=lambda v: name_of(v) if isinstance(v, Path) else "",
)
def test_every_room_imports_what_it_may(path, rooms):
    assert path.exists()
    own = [
        module
        for module, now in imports(path)
        if of(module, "matfun", "matfun_backends") and not drawn(path, module, now)
    ]
    assert [m for m in own if not belongs(m, rooms)] == []


def drawn(path, module, now):
    return not now and module == DRAWS.get(name_of(path))


@core_files
def test_the_core_imports_no_theory_no_tests_no_lab_and_no_array_library(path):
    public = name_of(path) in ("matfun/__init__.py", "matfun/__main__.py")
    for module, now in imports(path):
        assert not of(module, "theory", "tests", *HEAVY), module
        assert public or drawn(path, module, now) or not belongs(module, ("matfun.lab",)), module
        assert of(module, "matfun", "matfun_backends") or module.split(".")[0] in STANDARD | LIBRARIES, module


@pytest.mark.parametrize("path", files("matfun/lab"), ids=name_of)
def test_the_lab_imports_public_names_and_the_lab(path):
    for module, now in imports(path):
        assert not of(module, "theory", "tests", "matfun_backends"), module
        assert not of(module, "matfun") or module in ("matfun", REGISTER) or belongs(module, ("matfun.lab",)), module
        outside = module.split(".")[0]
        assert outside in STANDARD | LAB_LIBRARIES | {"matfun", *HEAVY}, module
        assert not (now and outside in HEAVY), f"{module} must be imported where it is used"


@pytest.mark.parametrize("path", files("backends/matfun_backends"), ids=name_of)
def test_a_provider_imports_the_verbs_and_its_own_library(path):
    own = {path.stem, *({"cupyx"} if path.stem == "cupy" else set()), "numpy", "scipy", "array_api_compat"}
    own |= {"torch", "triton"} if path.parent.name == "kernels" else set()
    own |= {"torch"} if path.parent.name == "products" else set()
    own |= {EXTENDS.get(path.stem, path.stem)}
    for module, now in imports(path):
        if of(module, "matfun"):
            assert belongs(module, PROVIDER), module
        elif of(module, "matfun_backends"):
            rooms = (KERNELS,) if path.parent.name == "kernels" else BUILT_ON.get(path.stem, ())
            assert now, module
            assert belongs(module, rooms), module
        else:
            assert module.split(".")[0] in STANDARD | own, module


def test_kernels_never_import_the_core_and_tiles_import_nothing():
    for path in files("backends/matfun_backends/kernels"):
        assert not any(of(module, "matfun") for module, _ in imports(path)), path
        allowed = STANDARD if path.stem in ("__init__", "tiles") else STANDARD | {"numpy", "torch", "triton"}
        outside = {module.split(".")[0] for module, _ in imports(path)} - {"matfun_backends"}
        assert outside <= allowed, path


@pytest.mark.parametrize("path", files("theory"), ids=name_of)
def test_the_theory_never_imports_the_package(path):
    for module, _ in imports(path):
        assert module.split(".")[0] in STANDARD | {"numpy", "scipy", "mpmath", "theory"}, module


def test_the_rules_of_this_file_see_every_file():
    assert len(files("matfun")) > 30
    rooms = {name_of(p).split("/")[1] for p in files("matfun")}
    assert rooms >= {"rules", "problems", "polynomials", "functions", "sketching", "lab"}
    seen = {m for p in files("matfun", "theory") for m, _ in imports(p)}
    assert {"matfun.rules.rule", "matfun.polynomials.update", "theory.scalar"} <= seen


@pytest.mark.parametrize("action", ["import matfun", "import matfun; matfun.polar([[2.0, 0.0], [0.0, 1.0]])"])
def test_import_is_light(action):
    """Nothing that a user of NumPy does loads another array library or the plotting one."""
    code = f"import sys; {action}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_every_public_name_exists():
    import matfun

    for name in matfun.__all__:
        assert getattr(matfun, name) is not None
    assert set(matfun.__all__) <= set(dir(matfun))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        matfun.nonsense  # noqa: B018
