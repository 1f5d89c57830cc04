"""Edits change the fingerprint, what changes nothing does not, what cannot be seen is refused."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from training_day import fingerprints as module
from training_day.errors import FingerprintError
from training_day.fingerprints import fingerprint, tagged
from training_day_fixtures import HERE

HELPER = '''
"""Helpers of the pipeline."""
FACTOR = 3
TABLE = {"a": 1, "b": [2, 3]}

def scaled(x, by=2):
    return x * by * FACTOR

def unrelated():
    return 17

class Codec:
    quality = 80
    def __init__(self, level):
        self.level = level
    def read(self, x):
        return self.decode(x, self.level)
    def decode(self, x, level):
        return x + level + self.quality
'''

PIPELINE = '''
"""A pipeline under test."""
import functools
import math
import re
from dataclasses import dataclass
from enum import Enum
import numpy as np
import torch
from torch.utils.data import Dataset
import td_helper
from td_helper import scaled, Codec

LIMIT = 10
NAMES = ("x", "y")
WEIGHTS = np.array([1.0, 2.0])
BIAS = torch.tensor([0.5])
PATTERN = re.compile("a+")
OPTIONS = {"mode": "fast", "depth": {"inner": 1}}
ALLOWED = {"jpg", "png"}

class Mode(Enum):
    FAST = 1
    SLOW = 2

@dataclass
class Config:
    size: int = 32
    name: str = "base"

def clip(x, low=0, *, high=255):
    return max(low, min(x, high))

def deep(x):
    def inner(y):
        return y + 7
    return inner(x) - LIMIT

def make_closure(shift):
    offset = shift * 2
    def add(x):
        return x + offset
    return add

def decorated(function):
    @functools.wraps(function)
    def run(x):
        return function(x) + 11
    return run

@decorated
def wrapped(x):
    return x - 13

class Normalize:
    def __init__(self, mean, std):
        self.mean = mean
        self.std = std
    def __call__(self, x):
        return (x - self.mean[0]) / self.std
    def __repr__(self):
        return "Normalize"

class Flip(Normalize):
    axis = 1
    def __call__(self, x):
        return super().__call__(x) * self.axis

class Compose:
    def __init__(self, transforms):
        self.transforms = transforms
    def __call__(self, x):
        for t in self.transforms:
            x = t(x)
        return x

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))
        self.register_buffer("shift", torch.zeros(1))
        self.power = 2
    def forward(self, x):
        return x ** self.power + self.weight.sum() + self.shift

class Files(Dataset):
    def __init__(self, root, n=20):
        self.root = root
        self.samples = [(root + "/%d.jpg" % i, i % 2) for i in range(n)]
        self.transform = Compose([Normalize((0.5, 0.4), 0.25), lambda x: x * 5, Flip((1,), 2)])
        self.target_transform = functools.partial(clip, high=99)
        self.loader = lambda path: len(path) * 3
        self.config = Config()
        self.mode = Mode.FAST
        self.codec = Codec(4)
        self.closure = make_closure(21)
        self.net = Net()
        self.crop = [1, 2, 3]
        self.flags = {"a": True}
        self.label = "cat"
        self.dtype = torch.float32
        self.scale = np.float32(1.5)
        self.order = ["first", "second"]
        self.fill = None
        self.unused = 5
        self._handle = None
        self._cache = {}
    def __len__(self):
        return len(self.samples)
    def _open(self):
        if self._handle is None:
            self._handle = open(__file__)
        return self._handle
    @property
    def size(self):
        return self.config.size // 2
    @staticmethod
    def parse(text):
        return text.strip("/")
    @classmethod
    def kind(cls):
        return "kind"
    def helper(self, x):
        return scaled(x, by=4) + td_helper.TABLE["a"]
    def forgotten(self):
        return "never called"
    def __getitem__(self, index):
        path, target = self.samples[index]
        self._open()
        x = self.loader(path) + self.size
        x = self.helper(x) if x > LIMIT else deep(x)
        x = self.closure(wrapped(x))
        if self.mode is Mode.FAST and self.flags["a"]:
            x = self.codec.read(x)
        x = x + WEIGHTS[0] + BIAS + len(NAMES) + len(OPTIONS) + self.crop[0]
        if PATTERN.match(self.label) or "jpg" in {"jpg", "png"} or path in ALLOWED:
            x = math.floor(x)
        x = self.net(torch.as_tensor(x, dtype=self.dtype) * self.scale)
        from td_helper import FACTOR
        values = [v * 2 for v in (1, 2)]
        y = self.transform(x) if self.order[0] == "first" else self.fill
        return y, self.target_transform(target), self.parse(path), self.kind(), values
'''

PIPELINE_EDITS = [
    ("LIMIT = 10", "LIMIT = 11"),
    ('NAMES = ("x", "y")', 'NAMES = ("x", "z")'),
    ('NAMES = ("x", "y")', 'NAMES = ("y", "x")'),
    ("np.array([1.0, 2.0])", "np.array([1.0, 2.5])"),
    ("np.array([1.0, 2.0])", "np.array([1.0, 2.0], np.float32)"),
    ("np.array([1.0, 2.0])", "np.array([[1.0, 2.0]])"),
    ("torch.tensor([0.5])", "torch.tensor([0.25])"),
    ("torch.tensor([0.5])", "torch.tensor([0.5], dtype=torch.float64)"),
    ('re.compile("a+")', 're.compile("a*")'),
    ('re.compile("a+")', 're.compile("a+", re.I)'),
    ('{"mode": "fast"', '{"mode": "slow"'),
    ('{"inner": 1}', '{"inner": 2}'),
    ('"mode": "fast", ', ""),
    ('ALLOWED = {"jpg", "png"}', 'ALLOWED = {"jpg", "gif"}'),
    ("FAST = 1", "FAST = 3"),
    ("size: int = 32", "size: int = 33"),
    (
        'name: str = "base"',
        'name: str = "base"\n    def __post_init__(self):\n        self.size += 1',
    ),
    ("def clip(x, low=0", "def clip(x, low=1"),
    ("high=255", "high=256"),
    ("max(low, min(x, high))", "min(low, max(x, high))"),
    ("max(low, min(x, high))", "max(low, min(high, x))"),
    ("return y + 7", "return y + 8"),
    ("return y + 7", "return y - 7"),
    ("inner(x) - LIMIT", "inner(x) + LIMIT"),
    ("inner(x) - LIMIT", "inner(x - LIMIT)"),
    ("offset = shift * 2", "offset = shift * 4"),
    ("return x + offset", "return x - offset"),
    ("function(x) + 11", "function(x) + 12"),
    ("return x - 13", "return x - 14"),
    ("@decorated\ndef wrapped", "def wrapped"),
    ("(x - self.mean[0]) / self.std", "(x + self.mean[0]) / self.std"),
    ("(x - self.mean[0]) / self.std", "(x - self.std) / self.mean[0]"),
    ("axis = 1", "axis = -1"),
    ("class Flip(Normalize)", "class Flip(Normalize, Dataset)"),
    ("super().__call__(x) * self.axis", "super().__call__(x) - self.axis"),
    ("super().__call__(x) * self.axis", "self.axis"),
    ("for t in self.transforms:", "for t in self.transforms[1:]:"),
    ("x = t(x)\n        return x", "x = t(x)\n        return t"),
    ("torch.ones(2)", "torch.ones(3)"),
    ("torch.ones(2)", "torch.zeros(2)"),
    ("torch.zeros(1)", "torch.ones(1)"),
    ("self.power = 2", "self.power = 3"),
    ("x ** self.power", "x * self.power"),
    ("Normalize((0.5, 0.4), 0.25)", "Normalize((0.5, 0.3), 0.25)"),
    ("Normalize((0.5, 0.4), 0.25)", "Normalize((0.4, 0.5), 0.25)"),
    ("Normalize((0.5, 0.4), 0.25)", "Normalize([0.5, 0.4], 0.25)"),
    ("Normalize((0.5, 0.4), 0.25)", "Normalize((0.5, 0.4), 0.5)"),
    ("lambda x: x * 5", "lambda x: x * 6"),
    ("lambda x: x * 5", "lambda x: 5 * x"),
    ("lambda x: x * 5, Flip((1,), 2)", "Flip((1,), 2), lambda x: x * 5"),
    (", Flip((1,), 2)", ""),
    ("Flip((1,), 2)", "Flip((2,), 1)"),
    ("Flip((1,), 2)", "Normalize((1,), 2)"),
    ("Flip((1,), 2)", "Flip((1,), 2.0)"),
    ("Flip((1,), 2)", "Flip((True,), 2)"),
    ("partial(clip, high=99)", "partial(clip, high=98)"),
    ("partial(clip, high=99)", "partial(clip, low=99)"),
    ("partial(clip, high=99)", "partial(clip, 5, high=99)"),
    ("partial(clip, high=99)", "partial(deep)"),
    ("len(path) * 3", "len(path) * 4"),
    ("lambda path: len(path) * 3", "len"),
    ("self.config = Config()", "self.config = Config(64)"),
    ("Mode.FAST\n        self.codec", "Mode.SLOW\n        self.codec"),
    ("Codec(4)", "Codec(5)"),
    ("make_closure(21)", "make_closure(22)"),
    ("self.crop = [1, 2, 3]", "self.crop = [1, 2, 4]"),
    ("self.crop = [1, 2, 3]", "self.crop = [1, 2]"),
    ("self.crop = [1, 2, 3]", "self.crop = (1, 2, 3)"),
    ('{"a": True}', '{"a": False}'),
    ('{"a": True}', '{"a": 1}'),
    ('{"a": True}', '{"a": True, "b": True}'),
    ('self.label = "cat"', 'self.label = "dog"'),
    ('self.label = "cat"', 'self.label = b"cat"'),
    ("self.dtype = torch.float32", "self.dtype = torch.float64"),
    ("np.float32(1.5)", "np.float32(1.25)"),
    ("np.float32(1.5)", "np.float64(1.5)"),
    ('["first", "second"]', '["second", "first"]'),
    ("self.fill = None", "self.fill = 0"),
    ("self.config.size // 2", "self.config.size // 4"),
    ("self.config.size // 2", "self.config.size / 2"),
    ('text.strip("/")', 'text.strip(".")'),
    ('text.strip("/")', 'text.lstrip("/")'),
    ('return "kind"', 'return "sort"'),
    ("scaled(x, by=4)", "scaled(x, by=5)"),
    ("scaled(x, by=4)", "scaled(x)"),
    ('TABLE["a"]', 'TABLE["b"]'),
    ("self.loader(path) + self.size", "self.loader(path) - self.size"),
    ("if x > LIMIT else deep(x)", "if x >= LIMIT else deep(x)"),
    ("if x > LIMIT else deep(x)", "if x < LIMIT else deep(x)"),
    ("if x > LIMIT else deep(x)", "if x > LIMIT else x"),
    ("self.closure(wrapped(x))", "wrapped(self.closure(x))"),
    ('self.mode is Mode.FAST and self.flags["a"]', 'self.mode is Mode.FAST or self.flags["a"]'),
    ("self.mode is Mode.FAST", "self.mode is not Mode.FAST"),
    ("x + WEIGHTS[0]", "x + WEIGHTS[1]"),
    ('in {"jpg", "png"}', 'in {"jpg", "gif"}'),
    ("math.floor(x)", "math.ceil(x)"),
    ("* self.scale)", "/ self.scale)"),
    ("v * 2 for v in (1, 2)", "v * 3 for v in (1, 2)"),
    ("v * 2 for v in (1, 2)", "v * 2 for v in (2, 1)"),
    ("return y, self.target_transform(target)", "return self.target_transform(target), y"),
    ("from td_helper import FACTOR", "from td_helper import TABLE as FACTOR"),
    ("path, target = self.samples[index]", "path, target = self.samples[-index]"),
]
HELPER_EDITS = [
    ("FACTOR = 3", "FACTOR = 4"),
    ('"a": 1', '"a": 2'),
    ("[2, 3]", "[3, 2]"),
    ("by=2", "by=3"),
    ("x * by * FACTOR", "x + by * FACTOR"),
    ("quality = 80", "quality = 90"),
    ("self.level = level", "self.level = level + 1"),
    ("self.decode(x, self.level)", "self.decode(self.level, x)"),
    ("x + level + self.quality", "x - level + self.quality"),
]

# fmt: off
NO_OPS = [
    ("LIMIT = 10", "LIMIT = 10  # of ten"),
    ("LIMIT = 10", "\n\n\nLIMIT = 10"),
    ("LIMIT = 10", "LIMIT = 5 + 5"),
    ("LIMIT = 10", "OTHER = 4\nLIMIT = 10"),
    ('"""A pipeline under test."""', '"""Documented anew."""'),
    ("    return max(low", '    """Clips."""\n    return max(low'),
    ("    def __call__(self, x):\n        return (x - self",
     '    def __call__(self, x):\n        "N"\n        return (x - self'),
    ("def clip(x, low=0, *, high=255):",
     "def clip(\n    x,\n    low=0,\n    *,\n    high=255,\n):"),
    ("def clip(x, low=0, *, high=255):",
     "def clip(x: int, low: int = 0, *, high: int = 255) -> int:"),
    ('return "Normalize"', 'return "Normalise"'),
    ('return "never called"', 'return "still not called"'),
    ("    def forgotten(self):\n        return \"never called\"\n", ""),
    ("self.unused = 5", "self.unused = 6"),
    ("return len(self.samples)", "return 20"),
    ('        return "kind"', '        # Of its kind.\n        return "kind"'),
    ("(0.5, 0.4)", "( 0.5,0.4 )"),
    ('self.label = "cat"', "self.label = 'cat'"),
    ("self.scale = np.float32(1.5)", "self.scale = np.float32(3) / np.float32(2)"),
    ('ALLOWED = {"jpg", "png"}', 'ALLOWED = {"png", "jpg"}'),
    ('in {"jpg", "png"}', 'in {"png", "jpg"}'),
    ("y = self.transform(x) if", "y = (self.transform(x)) if"),
    ("values = [v * 2 for v in (1, 2)]", "values = [w * 2 for w in (1, 2)]"),
    ("path, target = self.samples[index]", "path, target = self.samples[index];"),
    ("class Mode(Enum):", "class Unused:\n    pass\n\nclass Mode(Enum):"),
    ("import math\n", "import math\nimport json\n"),
    ("root, n=20", "root, n=10 * 2"),
    ("offset = shift * 2", "offset = shift * 2  # twice"),
    ("        return y + 7", "        return y + 7\n"),
    ("self._cache = {}", "self._unread = {}"),
]  # fmt: skip
HELPER_NO_OPS = [
    ("return 17", "return 18"),
    ('"""Helpers of the pipeline."""', ""),
    ("FACTOR = 3", "FACTOR = 3\nFRACTION = 4"),
]


class Loaded:
    """The two modules, from files in a directory of their own."""

    def __init__(self, directory: Path, pipeline: str = PIPELINE, helper: str = HELPER) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._load("td_helper", helper)
        self.pipeline = self._load("td_pipeline", pipeline)

    def _load(self, name: str, source: str) -> ModuleType:
        file = self.directory / f"{name}.py"
        file.write_text(source)
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None and spec.loader is not None
        made = importlib.util.module_from_spec(spec)
        sys.modules[name] = made
        spec.loader.exec_module(made)
        return made

    def dataset(self) -> Any:
        return self.pipeline.Files(str(self.directory))

    def digest(self) -> str:
        return fingerprint(self.dataset()).digest


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return Loaded(tmp_path_factory.mktemp("base")).digest()


def _ids(edit: tuple[str, str]) -> str:
    return edit[1].strip().replace("\n", " ")[:40]


def test_there_are_enough_of_them() -> None:
    assert len(PIPELINE_EDITS) + len(HELPER_EDITS) >= 100
    assert len(NO_OPS) + len(HELPER_NO_OPS) + len(OTHER_NO_OPS) + len(HASH_SEEDS) >= 40


@pytest.mark.parametrize("edit", PIPELINE_EDITS, ids=_ids)
def test_edit_of_the_pipeline_changes_it(base: str, tmp_path: Path, edit: Any) -> None:
    assert PIPELINE.count(edit[0]) >= 1
    assert Loaded(tmp_path, PIPELINE.replace(*edit, 1)).digest() != base


@pytest.mark.parametrize("edit", HELPER_EDITS, ids=_ids)
def test_edit_of_the_helper_changes_it(base: str, tmp_path: Path, edit: Any) -> None:
    assert HELPER.count(edit[0]) == 1
    assert Loaded(tmp_path, helper=HELPER.replace(*edit)).digest() != base


@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_another_library_version_changes_it(
    base: str, tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[library], "__version__", "9.9")
    assert Loaded(tmp_path).digest() != base


def test_another_python_changes_it(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.sys, "version_info", (3, 99, 0))
    assert Loaded(tmp_path).digest() != base


@pytest.mark.parametrize("edit", NO_OPS, ids=_ids)
def test_edit_that_changes_nothing_does_not(base: str, tmp_path: Path, edit: Any) -> None:
    assert PIPELINE.count(edit[0]) >= 1
    found = fingerprint(Loaded(tmp_path, PIPELINE.replace(*edit, 1)).dataset())
    differs = found.explain(fingerprint(Loaded(tmp_path).dataset()))
    assert found.digest == base, differs


@pytest.mark.parametrize("edit", HELPER_NO_OPS, ids=_ids)
def test_edit_of_the_helper_that_changes_nothing_does_not(
    base: str, tmp_path: Path, edit: Any
) -> None:
    assert Loaded(tmp_path, helper=HELPER.replace(*edit)).digest() == base


def _used(loaded: Loaded) -> Any:
    dataset = loaded.dataset()
    for index in range(3):
        dataset[index]
    return dataset


def _pickled(loaded: Loaded) -> Any:
    dataset = loaded.dataset()
    dataset.transform = dataset.transform.transforms[0]
    dataset.loader = len
    return dataset


def _more_samples(loaded: Loaded) -> Any:
    return loaded.pipeline.Files(str(loaded.directory), n=40)


def _other_root(loaded: Loaded) -> Any:
    return loaded.pipeline.Files("/somewhere/else")


def _with_path(loaded: Loaded) -> Any:
    dataset = loaded.dataset()
    dataset.root = Path("/another")
    return dataset


def _renamed_files(loaded: Loaded) -> Any:
    dataset = loaded.dataset()
    dataset.samples = [(path + "x", target) for path, target in dataset.samples]
    return dataset


def _reordered_attributes(loaded: Loaded) -> Any:
    dataset = loaded.dataset()
    dataset.__dict__ = dict(reversed(list(vars(dataset).items())))
    return dataset


def _evaluated(loaded: Loaded) -> Any:
    dataset = loaded.dataset()
    repr(dataset), len(dataset), dataset.size, dataset.parse("a"), hash(dataset)
    return dataset


def _reloaded(loaded: Loaded) -> Any:
    loaded.dataset()[0]
    return Loaded(loaded.directory).dataset()


OTHER_NO_OPS = [
    _used, _reloaded, _more_samples, _other_root, _with_path, _renamed_files, _reordered_attributes,
    _evaluated,
]  # fmt: skip


@pytest.mark.parametrize("change", OTHER_NO_OPS, ids=lambda f: f.__name__)
def test_state_that_is_no_configuration_does_not_change_it(
    base: str, tmp_path: Path, change: Any
) -> None:
    found = fingerprint(change(Loaded(tmp_path)))
    differs = found.explain(fingerprint(Loaded(tmp_path).dataset()))
    assert found.digest == base, differs


def test_it_is_the_same_again_in_one_process(base: str, tmp_path: Path) -> None:
    loaded = Loaded(tmp_path)
    dataset = loaded.dataset()
    assert {fingerprint(dataset).digest for _ in range(3)} == {base}


HASH_SEEDS = ["0", "random"]


@pytest.mark.parametrize("seed", HASH_SEEDS)
def test_restart_with_another_hash_seed_does_not_change_it(
    base: str, tmp_path: Path, seed: str
) -> None:
    Loaded(tmp_path)
    code = """
        import sys
        sys.path[:0] = sys.argv[1:]
        import td_pipeline
        from training_day.fingerprints import fingerprint
        print(fingerprint(td_pipeline.Files(sys.argv[1])).digest)
    """
    source = Path(module.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path), str(source)],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == base


def test_pickled_and_restored_it_is_the_same(tmp_path: Path) -> None:
    dataset = _pickled(Loaded(tmp_path))
    dataset.net = dataset.closure = None
    assert fingerprint(pickle.loads(pickle.dumps(dataset))) == fingerprint(dataset)


def test_explain_names_what_differs(tmp_path: Path) -> None:
    here = fingerprint(Loaded(tmp_path / "a").dataset())
    there = fingerprint(
        Loaded(tmp_path / "b", PIPELINE.replace("self.crop = [1", "self.crop = [7")).dataset()
    )
    assert here.explain(there) == "raw.crop[0]: int 1 | other: int 7", here.explain(there)
    assert "raw.label = 'cat'" in here.explain()
    assert here.explain(here) == "no difference"
    assert here.text.startswith(f"python {here.digest}\n") and len(here.text) < 32768


def test_tag_stands_for_the_pipeline() -> None:
    assert tagged("v3") == tagged("v3") != tagged("v4")
    with pytest.raises(ValueError, match="allowed: 1 to 1000 bytes"):
        tagged("")


class _Blind:
    def __init__(self, held: Any) -> None:
        self.held = held

    def __getitem__(self, index: int) -> Any:
        return self.held, index

    def __len__(self) -> int:
        return 3


def _generator() -> Any:
    yield 1


@pytest.mark.parametrize(
    "held",
    [open(HERE), _generator(), iter(memoryview(b"ab"))],
    ids=["file", "generator", "iterator"],
)
def test_what_cannot_be_seen_through_is_refused(held: Any) -> None:
    with pytest.raises(FingerprintError) as refusal:
        fingerprint(_Blind(held))
    assert "cannot see through raw.held, a " in str(refusal.value)
    assert 'Give pipeline_tag="…"' in str(refusal.value)


class _Environment:
    def __getitem__(self, index: int) -> Any:
        return os.environ["HOME"], index


def test_what_the_environment_says_is_refused() -> None:
    with pytest.raises(FingerprintError, match="its value is the environment's"):
        fingerprint(_Environment())


def test_library_classes_count_by_version_and_arguments() -> None:
    def digest(*layers: Any) -> str:
        return fingerprint(_Blind(torch.nn.Sequential(*layers))).digest

    assert digest(torch.nn.ReLU(), torch.nn.AvgPool2d(2)) == digest(
        torch.nn.ReLU(), torch.nn.AvgPool2d(2)
    )
    assert digest(torch.nn.AvgPool2d(2)) != digest(torch.nn.AvgPool2d(3))
    assert digest(torch.nn.AvgPool2d(2)) != digest(torch.nn.MaxPool2d(2))


def test_large_arrays_count_whole() -> None:
    values = np.zeros(10_000)
    before = fingerprint(_Blind(values)).digest
    values[9_999] = 1
    assert fingerprint(_Blind(values)).digest != before


def _installed(
    site: Path, monkeypatch: pytest.MonkeyPatch, code: str, note: str, installer: str = "pip"
) -> Any:
    """A data set of a distribution whose version never changes."""
    info = site / "td_installed-0.1.0.dist-info"
    info.mkdir(parents=True)
    (site / "td_installed.py").write_text(
        'import uuid\n__version__ = "0.1.0"\n'
        "class Numbers:\n"
        "    def __len__(self):\n        return 3\n"
        f"    def __getitem__(self, index):\n        return {code}\n"
    )
    digest = hashlib.sha256((site / "td_installed.py").read_bytes()).hexdigest()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: td-installed\nVersion: 0.1.0\n")
    (info / "INSTALLER").write_text(f"{installer}\n")
    (info / "RECORD").write_text(
        f"td_installed.py,sha256={digest},9\n"
        "__pycache__/td_installed.cpython-39.pyc,,\n"
        f"{info.name}/direct_url.json,sha256={abs(hash(str(site)))},9\n"
    )
    if note:
        (info / "direct_url.json").write_text(note)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "td_installed", raising=False)
    module.library_of.cache_clear()
    return importlib.import_module("td_installed").Numbers()


_DIRECTORY = '{"url": "file:///src/td", "dir_info": {}}'
_WHEEL = '{"url": "file:///dist/td_installed.whl", "archive_info": {}}'


@pytest.mark.parametrize(
    "note, installer, changes",
    [(_DIRECTORY, "pip", True), (_DIRECTORY, "uv", True), (_WHEEL, "pip", True),
     ("", "pip", False), (_DIRECTORY, "conda", False)],
    ids=["directory", "uv", "wheel", "index", "conda"],
)  # fmt: skip
def test_code_of_a_project_installed_at_an_unchanged_version_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, note: str, installer: str, changes: bool
) -> None:
    def found(place: str, code: str) -> Any:
        site = tmp_path / place / "site-packages"
        return fingerprint(_installed(site, monkeypatch, code, note, installer))

    one, again, edited = found("a", "index + 2"), found("b", "index + 2"), found("c", "index + 50")
    assert one == again, one.explain(again)
    assert (one != edited) == changes, edited.explain()
    module.library_of.cache_clear()


def test_of_a_shared_package_only_the_files_of_the_project_are_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    for project, file in (("td_space", "theirs.py"), ("td_mine", "mine.py")):
        info = site / f"{project}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\n")
        (info / "RECORD").write_text(f"td_space/{file},sha256=1,9\n")
        (site / "td_space").mkdir(exist_ok=True)
        (site / "td_space" / file).write_text("")
    (site / "td_mine-1.0.dist-info" / "direct_url.json").write_text(_DIRECTORY)
    monkeypatch.syspath_prepend(str(site))
    for one, library in (("td_space.mine", ""), ("td_space.theirs", "td_space")):
        importlib.import_module(one)
        assert module.library_of(one) == library
    module.library_of.cache_clear()


def test_random_code_of_an_installed_project_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = _installed(tmp_path / "site-packages", monkeypatch, "uuid.uuid4().int", _DIRECTORY)
    assert {why for _, why in module.walked(raw).random} == {"uuid.uuid4"}
    module.library_of.cache_clear()
