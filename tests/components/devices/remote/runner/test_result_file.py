"""Result file: what the library of protocol buffers writes is what is read."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from components.devices.remote.runner.result_file import numbers_in
from tests.data.benchmark_programs import result_file

FLOATS = ("avg_ms", "min_ms", "max_ms", "stddev_ms", "median_ms", "p5_ms", "p95_ms", "init_ms",
          "first_inference_ms", "average_warm_up_ms")  # fmt: skip
MESSAGES = {
    "LatencyMetrics": [(name, "FLOAT") for name in FLOATS],
    "MemoryMetrics": [("init_footprint_kb", "INT64"), ("overall_footprint_kb", "INT64"),
                      ("peak_mem_mb", "FLOAT")],
    "MiscMetrics": [("model_size_mb", "FLOAT"), ("num_runs", "INT32"), ("num_warmup_runs", "INT32"),
                    ("model_throughput_in_mb_per_sec", "FLOAT")],
    "BenchmarkResult": [("name", "STRING"), ("latency_metrics", "LatencyMetrics"),
                        ("memory_metrics", "MemoryMetrics"), ("misc_metrics", "MiscMetrics")],
}  # fmt: skip
"""Fields in the order of their numbers, after benchmark_result.proto of LiteRT at f67457790."""


@pytest.fixture(scope="module")
def result_of():
    """The message, as the library knows it."""
    file = descriptor_pb2.FileDescriptorProto(name="result.proto", syntax="proto2")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields, 1):
            added = message.field.add(name=field, number=number, label=1)
            if kind in MESSAGES:
                added.type, added.type_name = 11, f".{kind}"
            else:
                added.type = getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{kind}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("BenchmarkResult"))


def test_what_the_library_writes_is_read(result_of):
    written = result_of(name="a name")
    for number, name in enumerate(FLOATS, 1):
        setattr(written.latency_metrics, name, number / 8)
    written.memory_metrics.overall_footprint_kb = 123_456
    written.memory_metrics.peak_mem_mb = 3.5
    written.misc_metrics.num_runs, written.misc_metrics.num_warmup_runs = 300, 9
    found = numbers_in(written.SerializeToString())
    for number, name in enumerate(FLOATS[:9], 1):
        assert found[name] == number / 8
    assert found["overall_footprint_kb"] == 123_456
    assert (found["num_runs"], found["num_warmup_runs"]) == (300, 9)


def test_the_tests_own_file_is_such_a_message(result_of):
    read = result_of.FromString(result_file(4200))
    assert read.latency_metrics.median_ms == pytest.approx(4.2)
    assert read.misc_metrics.num_runs == 52
    assert numbers_in(result_file(4200))["median_ms"] == pytest.approx(4.2)


@pytest.mark.parametrize("content", [result_file(4200)[:20], b"\x0b", b"\x12\xff", b"\x80"])
def test_a_damaged_file_is_refused(content):
    with pytest.raises(ValueError):
        numbers_in(content)
