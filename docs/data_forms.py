"""Forms of data: each is written into a folder as people have it, and read by ingest."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.artifacts.data_use import DataUse
from components.artifacts.dataset import Dataset
from components.contract.interface import function_of, interface_of
from docs.forms import Form
from pipelines.sources.snapshot import snapshot, stage

_CLASSES = ("ant", "bee", "cat")
_EACH = 20  # images of a class

Pixels = NDArray[np.uint8]
Writer = Callable[[Path], None]


def _pixels(seed: int, channels: int = 3, side: int = 16) -> Pixels:
    shape = (side, side) if channels == 1 else (side, side, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _encoded(seed: int, form: str = "PNG", channels: int = 3, side: int = 16) -> bytes:
    file = io.BytesIO()
    Image.fromarray(_pixels(seed, channels, side)).save(file, form)
    return file.getvalue()


def _put(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _folders(
    pattern: str = "{label}/{number}.png",
    labels: Sequence[str] = _CLASSES,
    each: int = _EACH,
    make: Callable[[int], bytes] = _encoded,
    first: int = 0,
) -> dict[str, bytes]:
    """Return images by name; their pixels follow from ``first`` and their place."""
    names = [(label, number) for label in labels for number in range(each)]
    return {
        pattern.format(label=label, number=number): make(first + place)
        for place, (label, number) in enumerate(names)
    }


def _written(*parts: dict[str, bytes]) -> Writer:
    def write(data: Path) -> None:
        for part in parts:
            _put(data, part)

    return write


def _read(folder: Path, given: str = "data", **settings: Any) -> str:
    """Ingest what lies in a folder and say how many images are used, and of the splits."""
    interface = interface_of("ingest")
    stage(snapshot(str(folder / given)), folder / "source")
    defaults = {item.name: item.default for item in interface.parameters if not item.required}
    size = {"height": 16, "width": 16, "channels": 3}
    kind = {"task": "classification", "split_by": "image"}
    out = [folder / "out" / name for name in ("dataset", "sealed", "report")]
    arguments = interface.arguments({**defaults, **size, **kind, **settings})
    with contextlib.redirect_stdout(io.StringIO()):
        function_of("ingest")(folder / "source", *out, **arguments)
    use = DataUse.read(out[2])
    assert use
    info = Dataset.open(out[0]).info
    sealed = Dataset.open(out[1]).info
    lost = [f"{examples.split(', such as ')[1]}" for _, examples in use.examples]
    told = f" ({'; '.join(lost[:1])})" if lost else ""
    warned = "".join(f" WARNING: {one}." for one in use.warnings
                     if "folder" in one or "column" in one)  # fmt: skip
    own = " The split is the data's own." if "own split" in sealed.description else ""
    of = f" in {len(info.groups)} groups" if info.groups else ""
    return f"{use.summary}{told}; {len(info.classes)} labels{of}.{own}{warned}"


def _form(given: str, write: Writer, name: str = "data", **settings: Any) -> Form:
    def outcome(folder: Path) -> str:
        write(folder / "data")
        return _read(folder, name, **settings)

    return Form(given, outcome)


def _beside(form: str) -> dict[str, bytes]:
    """Return a sound folder of classes with one image of another form."""
    file = io.BytesIO()
    if form == "RGBA":
        Image.fromarray(_pixels(900, 4)).save(file, "PNG")
    elif form == "16 bit":
        Image.fromarray(_pixels(900, 1).astype(np.uint16) * 257).save(file, "PNG")
    elif form == "TIFF":
        Image.fromarray(_pixels(900)).save(file, "TIFF")
    elif form == "HEIC":
        file.write(b"\x00\x00\x00\x18ftypheic" + bytes(40))
    return _folders() | {"ant/odd.png" if form != "HEIC" else "ant/odd.heic": file.getvalue()}


def _table(header: Sequence[str], groups: Sequence[str] = ()) -> dict[str, bytes]:
    """Return a csv file of 4 x 4 grey pixels with the label last, or behind it a group."""
    rows = [
        [
            *_pixels(seed, 1, 4).ravel().tolist(),
            _CLASSES[seed % 3],
            *groups[seed % 2 : seed % 2 + 1],
        ]
        for seed in range(3 * _EACH)
    ]
    lines = [",".join(map(str, row)) for row in ([header, *rows] if header else rows)]
    return {"pixels.csv": "\n".join(lines).encode()}


def _list(folder: str, titles: str = "file,label", count: int = 3 * _EACH) -> bytes:
    rows = [f"{folder}{number}.png,{_CLASSES[number % 3]}" for number in range(count)]
    return "\n".join([titles, *rows]).encode()


def _kaggle(titles: str = "file,label", count: int = 3 * _EACH) -> dict[str, bytes]:
    images = {f"images/{number}.png": _encoded(number) for number in range(3 * _EACH)}
    return images | {"labels.csv": _list("images/", titles, count)}


def _npz(groups: int = 0, splits: Sequence[str] = ()) -> dict[str, bytes]:
    file = io.BytesIO()
    numbers = range(3 * _EACH)
    labels = [f"Alphabet{n % groups}/character{n // groups % 2}" for n in numbers if groups]
    images = np.stack([_pixels(seed) for seed in numbers])
    arrays: dict[str, Any] = {"images": images, "labels": labels or np.arange(3 * _EACH) % 3}
    if splits:
        arrays["splits"] = splits
    np.savez(file, **arrays)
    return {"data.npz": file.getvalue()}


def _arrays() -> dict[str, bytes]:
    file = io.BytesIO()
    images = np.stack([_pixels(seed) for seed in range(3 * _EACH)])
    labels = np.arange(3 * _EACH) % 3
    np.savez(file, x_train=images[:40], y_train=labels[:40],
             x_test=images[40:], y_test=labels[40:])  # fmt: skip
    return {"data.npz": file.getvalue()}


def _idx(groups: bytes = b"") -> dict[str, bytes]:
    count = 3 * _EACH
    images = b"".join(_pixels(seed, 1, 8).tobytes() for seed in range(count))
    labels = bytes(number % 3 for number in range(count))
    third = {"train-groups-idx1-ubyte.gz": gzip.compress(struct.pack(">II", 0x801, count) + groups)}
    return (third if groups else {}) | {
        "train-images-idx3-ubyte.gz": gzip.compress(
            struct.pack(">IIII", 0x803, count, 8, 8) + images
        ),
        "train-labels-idx1-ubyte.gz": gzip.compress(struct.pack(">II", 0x801, count) + labels),
    }


def _empty(data: Path) -> None:
    _put(data, _folders(labels=("ant", "bee")))
    (data / "cat").mkdir()


def _zip(data: Path) -> None:
    data.mkdir()
    with zipfile.ZipFile(data / "data.zip", "w") as archive:
        for name, content in _folders().items():
            archive.writestr(name, content)


def _links(data: Path) -> None:
    _put(data.parent / "elsewhere", _folders("{number}.png", ("bee",)))
    _put(data, _folders(labels=("ant", "cat"), first=500))
    (data / "bee").symlink_to(data.parent / "elsewhere")
    (data / "ant" / "gone.png").symlink_to(data / "nowhere.png")


def _divided(top: Sequence[str] = ("train", "val", "test")) -> Writer:
    parts = [_folders(f"{name}/{{label}}/{{number}}.png", first=place * 1000)
             for place, name in enumerate(top)]  # fmt: skip
    return _written(*parts)


def _near() -> dict[str, bytes]:
    """Return smooth images, each a second time as JPEG."""
    found: dict[str, bytes] = {}
    for number in range(3 * _EACH):
        small = Image.fromarray(_pixels(number, 3, 8))
        image = small.resize((64, 64), Image.Resampling.BICUBIC)
        for form in ("PNG", "JPEG"):
            file = io.BytesIO()
            image.save(file, form)
            found[f"{_CLASSES[number % 3]}/{number}.{form.lower()}"] = file.getvalue()
    return found


_PEOPLE = [f"Person_{number:02d}" for number in range(10)]
_LFW = _folders("{label}/{label}_{number:04d}.jpg", _PEOPLE, 4,
                lambda seed: _encoded(seed, "JPEG", 3, 250))  # fmt: skip
_TRASH = _folders("resized/{label}/{label}{number}.jpg", make=lambda seed: _encoded(seed, "JPEG"))
_OMNIGLOT = _folders("images_background/{label}/{number:04d}_01.png",
                     [f"{alphabet}/character{n:02d}" for alphabet in ("Greek", "Latin", "Thai",
                      "Tifinagh") for n in (1, 2, 3)], 6,
                     lambda seed: _encoded(seed, "PNG", 1))  # fmt: skip
_TFDS = {"1.0.0/dataset_info.json": b"{}", "1.0.0/x-train.tfrecord-00000-of-00001": b"x"}
_VERIFY = {"task": "verification", "split_by": "identity"}

FORMS: tuple[Form, ...] = (
    _form("a folder of images for each class", _written(_folders())),
    _form("the same, one folder deeper", _written(_folders("{label}/more/{number}.png"))),
    _form("the same with `split: {labels: path}`",
          _written(_folders("{label}/more/{number}.png")), labels="path"),
    _form("`train`, `val` and `test` around the classes", _divided()),
    _form("`train` and `test` around the classes (CIFAR-10)", _divided(("train", "test"))),
    _form("a folder for each class, and one without images", _empty),
    _form("`train` and `test` without folders of labels (Dogs vs. Cats)",
          _written(_folders("{label}/{number}.png", ("train", "test")))),
    _form("`train` and `dev` around the classes", _divided(("train", "dev"))),
    _form("`images` and `masks` (segmentation)",
          _written(_folders("{label}/{number}.png", ("images", "masks")))),
    _form("images without folders", _written(_folders("{label}{number}.png"))),
    _form("a csv file that lists images", _written(_kaggle()), "data/labels.csv"),
    _form("a folder `images` and one list beside it (Kaggle)", _written(_kaggle())),
    _form("the same, a list that names half of the images",
          _written(_kaggle(count=30)), "data"),
    _form("the same with a column `subset` of train and test",
          _written(_kaggle(), {"labels.csv": b"file,label,subset\n" + b"".join(
              b"images/%d.png,%s,%s\n" % (n, _CLASSES[n % 3].encode(), (b"train", b"test")[n % 2])
              for n in range(3 * _EACH))})),
    _form("the same with two csv files", _written(_kaggle(), {"test.csv": b"file\nx.png\n"})),
    _form("the same, a list without titles that are known", _written(_kaggle("id,breed"))),
    _form("images with boxes beside them (YOLO)",
          _written(_folders("images/{label}{number}.png"),
                   {f"labels/{label}{number}.txt": b"0 .5 .5 .2 .2" for label in _CLASSES
                    for number in range(_EACH)})),
    _form("a list with a key that is for folders, `labels: path`", _written(_kaggle()),
          labels="path"),
    _form("pixels in a csv file with a header",
          _written(_table([*map(str, range(16)), "label"])), "data/pixels.csv"),
    _form("pixels in a csv file without one", _written(_table([])), "data/pixels.csv"),
    _form("the same with `split: {label_column: last}`", _written(_table([])), "data/pixels.csv",
          label_column="last"),
    _form("the same with titles, of which one is `group`",
          _written(_table([*map(str, range(16)), "label", "group"], ("Oslo", "Rome"))),
          "data/pixels.csv"),
    _form("the same with a column of numbers of its own",
          _written(_table([*map(str, range(16)), "label", "id"], ("1", "2"))),
          "data/pixels.csv"),
    _form("all pixels of an image in one cell (FER2013), `split: {label_column: first}`",
          _written({"pixels.csv": b"emotion,pixels\n0,1 2 3 4\n1,5 6 7 8\n"}),
          "data/pixels.csv", label_column="first"),
    _form("arrays in an `.npz` file", _written(_npz()), "data/data.npz"),
    _form("the same, labels as in Omniglot, by `split: {labels: path, by: group}`",
          _written(_npz(groups=5)), "data/data.npz", labels="path", split_by="group",
          task="verification"),
    _form("the same with an array `splits`",
          _written(_npz(splits=sorted(["train", "val", "test"] * _EACH))), "data/data.npz"),
    _form("arrays `x_train` to `y_test`", _written(_arrays()), "data/data.npz"),
    _form("a folder with such a file", _written(_npz())),
    _form("idx files, packed by gzip (MNIST)", _written(_idx())),
    _form("the same with a third file, of groups", _written(_idx(bytes(range(2)) * 30))),
    _form("TFRecord files", _written({"x.tfrecord": b"x"})),
    _form("a data set of TensorFlow Datasets", _written(_TFDS)),
    _form("Parquet files", _written({"x.parquet": b"PAR1"})),
    _form("a zip or tar archive", _zip, "data/data.zip"),
    _form("links to folders, and one to nothing", _links),
    _form("an image with transparency among others", _written(_beside("RGBA"))),
    _form("an image of 16 bits among others", _written(_beside("16 bit"))),
    _form("a TIFF among others", _written(_beside("TIFF"))),
    _form("a HEIC among others, without the package `pillow-heif`", _written(_beside("HEIC"))),
    _form("a metadata file beside the classes",
          _written(_folders(), {"info.json": json.dumps({"a": 1}).encode()})),
    _form("near-duplicates with `split: {near_duplicates: together}`", _written(_near()),
          near_duplicates="together"),
    _form("one person in two spellings", _written(_folders(labels=("Kim", "kim", "Lee")))),
    _form("LFW: people with 250 x 250 JPEG files, `image: {crop: [60, 60, 130, 130]}`",
          _written(_LFW), crop=(60, 60, 130, 130), **_VERIFY),
    _form("TrashNet: the classes in a folder `resized`", _written(_TRASH)),
    _form("the same, the folder `resized` given", _written(_TRASH), "data/resized"),
    _form("Omniglot: `Alphabet/character01`, by `split: {labels: path, by: group}`",
          _written(_OMNIGLOT), "data/images_background", labels="path", split_by="group",
          task="verification"),
)  # fmt: skip
"""What people give as data."""
