"""What the checks of this folder share: running a tool, and pictures as a net's test view sees them."""
import pathlib
import subprocess
import sys

import numpy


def run(tool, *words):
    """What a tool (a path) prints; the check ends where it fails."""
    done = subprocess.run([tool, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{pathlib.Path(tool).name} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def train(tools, folder, net, *more):
    """Trains a net for a step or two on four figures drawn below folder; the last checkpoint."""
    run(tools / "dmltrain", "--net", net, "--loss", "group", "--set", "loss.anchors=1", "--dataset",
        "shapes", "--set", "dataset.classes=4", "--set", "dataset.images=4", "--data-dir", folder,
        "--image-size", 224, "--augment", "none", "--sampler", "classes_times_images",
        "--images-per-class", 4, "--batch-size", 8, "--lr", 1e-3, "--metrics", "recall@1", "--device",
        "cpu", "-o", folder / net, *more)
    return folder / net / "checkpoints/last.safetensors"


def embeddings(tools, folder, checkpoint):
    """Those that dmleval computes of the figures that were not trained on."""
    run(tools / "dmleval", checkpoint, "--dataset", "shapes", "--data-dir", folder, "--set",
        "dataset.classes=4", "--set", "dataset.images=4", "--save-embeddings", folder / "e.npy",
        "--metrics", "recall@1")
    return numpy.load(folder / "e.npy")


def pixels(folder, count):
    """The last pictures of the list, resized and cropped: [n, 224, 224, 3] of 0 to 255."""
    from PIL import Image
    pictures = next(folder.glob("**/images.txt")).parent
    images = []
    for line in (pictures / "images.txt").read_text().splitlines()[-count:]:
        picture = Image.open(pictures / "images" / line.split()[1]).convert("RGB")
        width, height = picture.size
        short = min(width, height)
        picture = picture.resize((width * 256 // short, height * 256 // short), Image.BILINEAR)
        left, top = (picture.width - 224) // 2, (picture.height - 224) // 2
        images.append(numpy.asarray(picture.crop((left, top, left + 224, top + 224)), "float32"))
    return numpy.stack(images)
