#!/usr/bin/env python3
"""The event files of a run, read by TensorBoard's own reader. Ends with 77 (skipped) where there is
no tensorboard.
    tensorboard_events.py FOLDER_WITH_TOOLS"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    from tensorboard.backend.event_processing import event_file_loader
except ImportError as error:
    print(f"skipped: {error} (another Python: cmake -DDML_PYTHON=FILE)")
    sys.exit(77)

TOOLS = pathlib.Path(sys.argv[1])


def scalars(folder):
    """(tag, step) to value of all event files, and how many files there are."""
    found, files = {}, sorted(folder.glob("events.out.tfevents.*"))
    for file in files:
        events = list(event_file_loader.LegacyEventFileLoader(str(file)).Load())
        assert events[0].file_version == "brain.Event:2", "the first event is the version"
        for event in events[1:]:
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    found[value.tag, event.step] = value.simple_value
        # The current loader brings scalars into their newer form and drops nothing.
        newer = [e for e in event_file_loader.EventFileLoader(str(file)).Load() if e.HasField("summary")]
        assert sum(len(e.summary.value) for e in newer) == sum(
            len(e.summary.value) for e in events if e.HasField("summary"))
    return found, len(files)


def check_histograms(folder):
    """Distances of pairs of a class and of others, as TensorBoard's accumulator hands them out."""
    from tensorboard.backend.event_processing import event_accumulator
    sizes = {event_accumulator.HISTOGRAMS: 0, event_accumulator.TENSORS: 0}
    told = event_accumulator.EventAccumulator(str(folder), size_guidance=sizes).Reload()
    pairs = {"positive": 4 * 8 * 7 // 2, "negative": 32 * 24 // 2}  # 4 test classes of 8 images
    for kind, count in pairs.items():
        steps = told.Histograms(f"test/distance_{kind}")
        assert [step.step for step in steps] == [0, 4, 8], [step.step for step in steps]
        for step in steps:
            value = step.histogram_value
            assert value.num == sum(value.bucket) == count, (kind, value.num)
            assert 0 <= value.min <= value.sum / value.num <= value.max <= 2, value
            assert value.bucket_limit == sorted(value.bucket_limit) and value.bucket_limit[-1] == 2
    print(f"histograms of {sum(pairs.values())} distances at 3 steps")


def main():
    with tempfile.TemporaryDirectory() as name:
        run = pathlib.Path(name) / "run"
        words = ["--net", "resnet18", "--set", "net.last_layer=layer2", "--loss", "group", "--set",
                 "loss.anchors=1", "--dataset", "shapes", "--set", "dataset.classes=8", "--set",
                 "dataset.images=8", "--data-dir", name, "--image-size", "32", "--sampler",
                 "classes_times_images", "--images-per-class", "4", "--batch-size", "8", "--lr",
                 "1e-3", "--log-every", "1", "--device", "cpu", "--metrics", "recall@1", "--eval-before",
                 "--eval-every", "1"]
        for more in (["--epochs", "1"], ["--epochs", "2", "--resume"]):
            done = subprocess.run([TOOLS / "dmltrain", *words, *more, "-o", run], capture_output=True,
                                  text=True)
            assert done.returncode == 0, done.stderr
        found, files = scalars(run)
        assert files == 2, files
        told = 0
        for line in (run / "metrics.jsonl").read_text().splitlines():
            event = json.loads(line)
            if event["event"] != "step":
                continue
            told += 1
            seen = found["train/loss", event["step"]]
            assert abs(seen - event["loss"]) <= 1e-6 * abs(event["loss"]), event
        assert told == 8, told
        assert ("test/recall@1", 8) in found, sorted(found)
        check_histograms(run)
        print(f"{len(found)} scalars in {files} files agree with metrics.jsonl")


if __name__ == "__main__":
    main()
