#!/usr/bin/env python3
"""What convert_weights --to pth writes: torch.load(weights_only=True) reads it, and a net that was
trained here gives the same features in torchvision. Ends with 77 (skipped) where there is no torch.
    torch_checkpoint.py FOLDER_WITH_TOOLS"""
import json
import pathlib
import sys
import tempfile

try:
    import numpy
    import torch
    from common import tools
except ImportError as error:
    print(f"skipped: {error} (another Python: cmake -DDML_PYTHON=FILE)")
    sys.exit(77)

TOOLS = pathlib.Path(sys.argv[1])


def run(tool, *words):
    return tools.run(TOOLS / tool, *words)


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


def pixels_of(folder, count):
    """The last pictures, normalised as torchvision's nets want them."""
    x = torch.from_numpy(tools.pixels(folder, count)) / 255
    x = (x - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    return x.permute(0, 3, 1, 2).contiguous()


def check_features(folder, name, checkpoint):
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
    ours = tools.embeddings(TOOLS, folder, checkpoint)
    with torch.no_grad():
        theirs = net(pixels_of(folder, len(ours))).numpy()
    apart = numpy.linalg.norm(ours - theirs) / numpy.linalg.norm(theirs)
    print(f"{name}: features of {len(ours)} pictures in torchvision: relative distance {apart:.2e}")
    assert apart < 2e-5, "torchvision sees other features"


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for net, epochs in (("resnet18", 3), ("resnet50", 1), ("densenet121", 1)):
            checkpoint = tools.train(TOOLS, folder, net, "--epochs", epochs)
            if net == "resnet18":
                check_bits(folder, checkpoint)
            check_features(folder, net, checkpoint)


if __name__ == "__main__":
    main()
