#!/usr/bin/env python3
"""What convert_weights --to pth writes: torch.load(weights_only=True) reads it, and a net that was
trained here gives the same features in torchvision. Ends with 77 (skipped) where there is no torch.
    torch_checkpoint.py FOLDER_WITH_TOOLS"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy
    import torch
except ImportError as error:
    print(f"skipped: {error} (another Python: cmake -DDML_PYTHON=FILE)")
    sys.exit(77)

TOOLS = pathlib.Path(sys.argv[1])


def run(tool, *words):
    done = subprocess.run([TOOLS / tool, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{tool} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def read_safetensors(file):
    """Names to (dtype, shape, bytes), without any library."""
    raw = pathlib.Path(file).read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + size])
    return {name: (entry["dtype"], entry["shape"],
                   raw[8 + size + entry["data_offsets"][0]:8 + size + entry["data_offsets"][1]])
            for name, entry in header.items() if name != "__metadata__"}


TYPES = {"F32": torch.float32, "I64": torch.int64}


def check_bits(folder, checkpoint):
    run("convert_weights", checkpoint, "--to", "pth", "-o", folder / "same.pth")
    state = torch.load(folder / "same.pth", weights_only=True)
    want = read_safetensors(checkpoint)
    assert list(state) == list(want), "names or their order differ"
    for name, (dtype, shape, raw) in want.items():
        tensor = state[name]
        assert tensor.dtype == TYPES[dtype] and list(tensor.shape) == shape, name
        assert tensor.contiguous().numpy().tobytes() == raw, name
        assert tensor.is_contiguous(), name
    # The round trip: what torch saves of it, our reader takes back bit for bit.
    torch.save(state, folder / "again.pth")
    run("convert_weights", folder / "again.pth", "-o", folder / "again.safetensors")
    assert read_safetensors(folder / "again.safetensors") == want
    print(f"{len(want)} tensors: the same bits in torch {torch.__version__} and back")


def pixels_of(pictures, count):
    """The last pictures of the list, resized, cropped and normalised as torchvision's nets want."""
    from PIL import Image
    images = []
    for line in (pictures / "images.txt").read_text().splitlines()[-count:]:
        picture = Image.open(pictures / "images" / line.split()[1]).convert("RGB")
        width, height = picture.size
        short = min(width, height)
        picture = picture.resize((width * 256 // short, height * 256 // short), Image.BILINEAR)
        left, top = (picture.width - 224) // 2, (picture.height - 224) // 2
        images.append(numpy.asarray(picture.crop((left, top, left + 224, top + 224)), "float32"))
    x = torch.from_numpy(numpy.stack(images)) / 255
    x = (x - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    return x.permute(0, 3, 1, 2).contiguous()


def check_features(folder, name, checkpoint, pictures):
    try:
        from torchvision import models
    except ImportError as error:
        print(f"not compared with torchvision: {error}")
        return
    run("convert_weights", checkpoint, "--net", name, "--to", "pth", "-o", folder / "net.pth")
    state = torch.load(folder / "net.pth", weights_only=True)
    last = "fc" if "fc.weight" in state else "classifier"
    net = getattr(models, name)(num_classes=state[last + ".weight"].shape[0])
    net.load_state_dict(state, strict=True)
    setattr(net, last, torch.nn.Identity())
    net.eval()
    run("dmleval", checkpoint, "--dataset", "shapes", "--data-dir", folder, "--set",
        "dataset.classes=4", "--set", "dataset.images=4", "--save-embeddings", folder / "e.npy",
        "--metrics", "recall@1")
    ours = numpy.load(folder / "e.npy")
    with torch.no_grad():
        theirs = net(pixels_of(pictures, len(ours))).numpy()
    apart = numpy.linalg.norm(ours - theirs) / numpy.linalg.norm(theirs)
    print(f"{name}: features of {len(ours)} pictures in torchvision: relative distance {apart:.2e}")
    assert apart < 2e-5, "torchvision sees other features"


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for net, epochs in (("resnet18", 3), ("resnet50", 1), ("densenet121", 1)):
            run("dmltrain", "--net", net, "--loss", "group", "--set", "loss.anchors=1", "--dataset",
                "shapes", "--set", "dataset.classes=4", "--set", "dataset.images=4", "--data-dir",
                folder, "--image-size", 224, "--augment", "none", "--sampler",
                "classes_times_images", "--images-per-class", 4, "--batch-size", 8, "--lr", 1e-3,
                "--epochs", epochs, "--metrics", "recall@1", "--device", "cpu", "-o", folder / net)
            checkpoint = folder / net / "checkpoints/last.safetensors"
            if net == "resnet18":
                check_bits(folder, checkpoint)
            check_features(folder, net, checkpoint, next(folder.glob("**/images.txt")).parent)


if __name__ == "__main__":
    main()
