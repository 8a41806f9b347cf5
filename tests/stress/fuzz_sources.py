"""Random captions and photographs in every form that an extraction reads."""

import csv
import gzip
import io
import shutil
import tarfile
from functools import cache, partial
from pathlib import Path

from fuzz_changes import TEXTS, Make, Random, Read, as_json, change_bytes, change_files, maybe_strange, pick
from PIL import Image

from ccalign_jax.encoders.images import open_image
from ccalign_jax.errors import InputError
from ccalign_jax.extraction.sources import open_source


@cache
def picture(form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.effect_noise((16, 12), 50).convert("RGB").save(out, form)
    return out.getvalue()


def read_source(*paths: str | None) -> None:
    source = open_source(*paths[:2], source=paths[2])
    for item in source.items():
        assert item.key and all(isinstance(one, str) for several in item.captions.values() for one in several)
        if callable(item.image):
            try:
                open_image(item.image)
            except ValueError as error:
                assert len(str(error).splitlines()) == 1
        elif isinstance(item.image, Path):
            assert item.image.resolve().is_relative_to(Path.cwd().resolve()), "outside of the folder"


RECORDS = [
    {"image": f"{number}.png", "split": "test", "de": "ein Hund", "en": ["a dog", "dogs"], "width": 3, "group": number}
    for number in range(3)
]


def make_jsonl(folder: Path, random: Random) -> Read:
    lines = [as_json(maybe_strange(record, random) if random.random() < 0.4 else record) for record in RECORDS]
    (folder / "captions.jsonl").write_bytes(b"\n".join(lines))
    return _table(folder, "captions.jsonl", random)


def make_csv(folder: Path, random: Random) -> Read:
    suffix = pick(random, ("csv", "tsv"))
    out = io.StringIO()
    writer = csv.writer(out, delimiter="," if suffix == "csv" else "\t")
    rows = [["image", "split", "de", "caption_en"], *([f"{n}.png", "test", "ein, Hund", 'a "dog"'] for n in range(3))]
    for _ in range(random.integers(3)):
        row = pick(random, rows)
        row[int(random.integers(len(row)))] = pick(random, TEXTS)
    writer.writerows(rows)
    (folder / f"captions.{suffix}").write_bytes(out.getvalue().encode("utf-8", "surrogatepass"))
    return _table(folder, f"captions.{suffix}", random)


def _table(folder: Path, name: str, random: Random) -> Read:
    change_files(folder, random)
    (folder / "photos").mkdir()
    (folder / "photos" / "0.png").write_bytes(picture())
    return partial(read_source, str(folder / "photos"), str(folder / name), None)


def make_tar(folder: Path, random: Random) -> Read:
    with tarfile.open(folder / "0.tar", "w") as archive:
        for number in range(3):
            for suffix, content in (("png", picture()), ("txt", b"a dog\ndogs"), ("json", as_json(RECORDS[number]))):
                member = tarfile.TarInfo(f"s{number}.{suffix}")
                if random.random() < 0.1:
                    member.name = pick(random, ("../MARK.png", "/tmp/MARK.png", "a/../../MARK.txt", "a/b.txt", "__x"))
                if random.random() < 0.05:
                    member.type, member.linkname = (
                        pick(random, (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE)),
                        "/etc/passwd",
                    )
                if suffix == "json":
                    content = as_json(maybe_strange(RECORDS[number], random))
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    if random.random() < 0.2:
        (folder / "nshards.txt").write_bytes(pick(random, (b"1", b"2", b"\xff", b"9" * 5000, b"-1", "\u0663".encode())))
    change_files(folder, random)
    if random.random() < 0.1:
        content = (folder / "0.tar").read_bytes()
        (folder / "0.tar").write_bytes(gzip.compress(content))
    return partial(read_source, None, "all", str(folder))


def make_image_parquet(folder: Path, random: Random) -> Read:
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = [
        {"bytes": picture(), "path": "0.png"},
        {"bytes": None, "path": "/etc/passwd"},
        {"bytes": b"x", "path": ""},
    ]
    pq.write_table(
        pa.table({"image": images, "image_id": ["0", "1", "2"], "en": ["a", "b", None]}), folder / "0.parquet"
    )
    change_files(folder, random)
    return partial(read_source, None, "all", str(folder))


def make_imagefolder(folder: Path, random: Random) -> Read:
    lines = [as_json(maybe_strange({"file_name": f"{n}.png", "en": "a dog"}, random)) for n in range(3)]
    (folder / "metadata.jsonl").write_bytes(b"\n".join(lines))
    change_files(folder, random)
    for number in range(2):
        (folder / f"{number}.png").write_bytes(picture())
    return partial(read_source, None, "all", str(folder))


def make_image(folder: Path, random: Random) -> Read:
    """A picture; its errors are ValueErrors, which an extraction counts by image."""
    content = picture(pick(random, ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")))
    if random.random() < 0.2:  # 30000 x 30000 points of one colour, or so it says
        side = pick(random, (30000, 2**31 - 1)).to_bytes(4, "big")
        content = picture("PNG")[:16] + side + side + picture("PNG")[24:]
    content = change_bytes(content, random)

    def read() -> None:
        try:
            assert open_image(content).mode == "RGB"
        except ValueError as error:
            raise InputError(f"{folder}: {error}") from None

    return read


def make_wit(folder: Path, random: Random) -> Read:
    from commands import write_wit

    from ccalign_jax.wit import WitConfig, WitFolder

    write_wit(folder, images=3)
    for file in folder.glob("*"):
        if random.random() < 0.3:
            lines = file.read_bytes().split(b"\n")
            at = int(random.integers(len(lines)))
            cells = lines[at].split(b"\t")
            cells[int(random.integers(len(cells)))] = pick(random, TEXTS).encode("utf-8", "surrogatepass")
            file.write_bytes(b"\n".join([*lines[:at], b"\t".join(cells), *lines[at + 1 :]]))
        if random.random() < 0.2:
            file.write_bytes(gzip.compress(file.read_bytes()))
    change_files(folder, random)

    def read() -> None:
        try:
            with WitFolder(folder / "out", WitConfig(tsv=(f"{folder}/*.tsv*",), languages=("de", "en"))) as made:
                made.make_captions()
        finally:
            shutil.rmtree(folder / "out", ignore_errors=True)

    return read


READERS: dict[str, Make] = {
    "jsonl": make_jsonl,
    "csv_tsv": make_csv,
    "webdataset": make_tar,
    "image_parquet": make_image_parquet,
    "imagefolder": make_imagefolder,
    "image": make_image,
    "wit": make_wit,
}
