"""Records against the contract's golden files, both ways, and against broken bytes."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training_day import record
from training_day.errors import MalformedRecordError
from training_day.record import DTYPES, Field, Record

GOLDEN = Path(__file__).resolve().parents[2] / "contract" / "golden"
NEWEST = GOLDEN / "format-2"


def _cases(folder: Path) -> dict:
    """What is described in a folder, each file by its path below GOLDEN."""
    described = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    for case in (*described["records"], *described["malformed"]):
        case["file"] = str((folder / case["file"]).relative_to(GOLDEN))
    return described


CASES = _cases(NEWEST)
OLDEST = _cases(GOLDEN)
# What format 1 refused for its version is a record of format 2.
OLDEST["malformed"] = [c for c in OLDEST["malformed"] if c["file"] != "malformed/version.tdr"]


def _described(case: dict) -> Record:
    kinds = {"i64": int, "f64": float, "bool": bool, "utf8": str}
    return Record(
        tuple(
            Field(f["name"], DTYPES[f["dtype"]], tuple(f["shape"]), bytes.fromhex(f["hex"]))
            for f in case["fields"]
        ),
        {a["name"]: kinds[a["type"]](a["value"]) for a in case["attributes"]},
        int(case["sourceStamp"], 16),
        case["createdMillis"],
    )


@pytest.mark.parametrize("case", CASES["records"], ids=lambda c: c["file"])
def test_golden_is_written_byte_for_byte(case: dict) -> None:
    assert bytes(record.encode(_described(case))) == (GOLDEN / case["file"]).read_bytes()


@pytest.mark.parametrize("case", OLDEST["records"], ids=lambda c: c["file"])
def test_golden_of_the_format_before_is_made_byte_for_byte(case: dict) -> None:
    made = record.encode(_described(case))
    struct.pack_into("<I", made, 48, 0xDEADBEEF)
    record.to_oldest(made)
    assert bytes(made) == (GOLDEN / case["file"]).read_bytes()
    record.to_oldest(made)
    assert bytes(made) == (GOLDEN / case["file"]).read_bytes()


def test_what_a_reader_may_pass_over_is_passed_over() -> None:
    content = (NEWEST / "extras.tdr").read_bytes()
    assert content[6:8] != b"\0\0" and any(content[52:64]) and record.verify(content)
    assert bytes(record.encode(record.decode(content))) == (NEWEST / "tiny.tdr").read_bytes()


def test_version_two_as_format_one_refused_it_is_a_record() -> None:
    refused = (GOLDEN / "malformed" / "version.tdr").read_bytes()
    assert refused == (NEWEST / "tiny.tdr").read_bytes()
    assert record.decode(refused).fields[0].name == "x"


@pytest.mark.parametrize(
    "case", CASES["records"] + OLDEST["records"], ids=lambda c: c["file"]
)
def test_golden_is_read_as_described(case: dict) -> None:
    content = (GOLDEN / case["file"]).read_bytes()
    read, expected = record.decode(content), _described(case)
    assert [(f.name, f.dtype, f.shape, bytes(f.data)) for f in read.fields] == [
        (f.name, f.dtype, f.shape, f.data) for f in expected.fields
    ]
    assert dict(read.attributes) == dict(expected.attributes)
    assert [type(v) for v in read.attributes.values()] == [
        type(v) for v in expected.attributes.values()
    ]
    assert (read.source_stamp, read.created_millis) == (
        expected.source_stamp,
        expected.created_millis,
    )
    layout = record.parse(content, len(content))
    assert list(layout.offsets) == [f["offset"] for f in case["fields"]]
    assert (layout.body_start, layout.length) == (case["bodyStart"], case["length"])
    assert f"{layout.schema_hash:016x}" == case["schemaHash"]
    assert f"{layout.family_hash:016x}" == case["familyHash"]
    assert f"{record.checksum(content):08x}" == case["crc32"]
    assert record.verify(content)


@pytest.mark.parametrize(
    "case", CASES["malformed"] + OLDEST["malformed"], ids=lambda c: c["file"]
)
def test_malformed_is_refused_as_java_refuses_it(case: dict) -> None:
    with pytest.raises(MalformedRecordError) as refusal:
        record.decode((GOLDEN / case["file"]).read_bytes())
    assert (refusal.value.offset, refusal.value.reason) == (case["offset"], case["reason"])


def test_seal_of_the_node_is_accepted_and_left_out_of_the_checksum() -> None:
    content = bytearray((GOLDEN / "tiny.tdr").read_bytes())
    struct.pack_into("<I", content, 48, 0xDEADBEEF)
    assert record.verify(content)
    assert record.decode(content).fields[0].name == "x"


def test_changed_bit_fails_the_checksum() -> None:
    content = bytearray((GOLDEN / "tiny.tdr").read_bytes())
    content[-1] ^= 1
    assert not record.verify(content)


FILES = [(GOLDEN / c["file"]).read_bytes() for c in CASES["records"]]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_broken_bytes_give_a_typed_error_or_a_record(content: bytes, data: st.DataObject) -> None:
    broken = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(broken)))
    for some in (broken, broken[:cut]):
        try:
            decoded = record.decode(some)
        except MalformedRecordError as e:
            assert 0 <= e.offset <= len(content)
        else:
            assert sum(len(f.data) for f in decoded.fields) <= len(some)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_give_a_typed_error_or_a_record(content: bytes) -> None:
    head = bytearray(FILES[0][:64])
    for some in (content, bytes(head) + content):
        try:
            record.decode(some)
        except MalformedRecordError:
            pass


TENSOR_DTYPES = [d for d in DTYPES.values() if d.is_tensor]


@st.composite
def _records(draw: st.DrawFn) -> Record:
    names = draw(
        st.lists(
            st.text(min_size=1, max_size=20).filter(
                lambda s: not any(0xD800 <= ord(c) <= 0xDFFF for c in s)
            ),
            max_size=5,
            unique=True,
        )
    )
    fields = []
    for name in names:
        dtype = draw(st.sampled_from(list(DTYPES.values())))
        rank = draw(st.integers(0, 4)) if dtype.is_tensor else 1
        shape = tuple(draw(st.integers(0, 4)) for _ in range(rank))
        length = record.FieldSpec(name, dtype, shape).length
        fields.append(Field(name, dtype, shape, draw(st.binary(min_size=length, max_size=length))))
    stamp = draw(st.integers(0, 2**64 - 1))
    return Record(tuple(fields), {}, stamp, draw(st.integers(-(2**63), 2**63 - 1)))


@settings(max_examples=150, deadline=None)
@given(_records())
def test_what_is_encoded_is_decoded(one: Record) -> None:
    content = record.encode(one)
    read = record.decode(content)
    assert [(f.name, f.dtype, f.shape, bytes(f.data)) for f in read.fields] == [
        (f.name, f.dtype, f.shape, f.data) for f in one.fields
    ]
    assert (read.source_stamp, read.created_millis) == (one.source_stamp, one.created_millis)
    assert record.verify(content)


@pytest.mark.parametrize(
    "fields, attributes, message",
    [
        ([("x", "u8", (1,))] * 2, {}, "field name 'x' stands twice, allowed: once a record"),
        ([("", "u8", (1,))], {}, "field name '' takes 0 bytes, allowed: 1 to 255"),
        ([("x", "u8", (-1,))], {}, "no negative dimension"),
        ([("x", "utf8", ())], {}, "rank=0, allowed: 1 for utf8"),
        ([("x", "u8", (2**31,))], {}, "is over 2 GiB"),
        ([], {"n": 2**63}, "allowed: numbers of 64 bits"),
    ],
)
def test_what_no_record_may_hold_is_refused(fields: list, attributes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=None) as refusal:
        record.lay_out([record.FieldSpec(n, DTYPES[d], s) for n, d, s in fields], attributes)
    assert message in str(refusal.value)
