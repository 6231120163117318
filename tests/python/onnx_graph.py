#!/usr/bin/env python3
"""What convert_weights --to onnx writes: onnx's checker takes it, and onnxruntime computes the
embeddings that dmleval computes. Ends with 77 (skipped) where there is no onnx or onnxruntime.
    onnx_graph.py FOLDER_WITH_TOOLS"""
import json
import pathlib
import sys
import tempfile

try:
    import numpy
    import onnx
    import onnxruntime
    import PIL  # noqa: F401 (read by common.tools)
    from common import tools
except ImportError as error:
    print(f"skipped: {error} (another Python: cmake -DDML_PYTHON=FILE)")
    sys.exit(77)

TOOLS = pathlib.Path(sys.argv[1])


def prepared(pixels, said):
    """Pixels as the file's own metadata want them, channels first."""
    assert said["input.size"] == "224"
    numbers = {key: numpy.array([float(x) for x in said["input." + key].split(",")], "float32")
               for key in ("scale", "mean", "std")}
    assert json.loads(said["preprocessing"])["order"] == said["input.order"]
    x = pixels if said["input.order"] == "rgb" else pixels[..., ::-1]
    x = (numbers["scale"] * x - numbers["mean"]) / numbers["std"]
    return numpy.ascontiguousarray(x.transpose(0, 3, 1, 2), dtype="float32")


def check(folder, net, *more):
    checkpoint = tools.train(TOOLS, folder, net, "--epochs", 1, *more)
    file = folder / f"{net}.onnx"
    told = json.loads(tools.run(TOOLS / "convert_weights", checkpoint, "--to", "onnx", "-o", file,
                                "--json"))
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    assert [entry.version for entry in model.opset_import] == [17]
    assert len(model.graph.node) == told["graph"]["nodes"]
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said["net"] == net == model.graph.name
    ours = tools.embeddings(TOOLS, folder, checkpoint)
    images = prepared(tools.pixels(folder, len(ours)), said)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", 3, 224, 224]
    features, embedding = session.run(["features", "embedding"], {"images": images})
    assert features.shape == (len(ours), told["graph"]["features"])
    assert embedding.shape == ours.shape == (len(ours), told["graph"]["embedding"])
    one = session.run(["embedding"], {"images": images[:1]})[0]  # any size of a batch will do
    assert numpy.allclose(one, embedding[:1], atol=1e-5 * numpy.abs(embedding).max())
    apart = numpy.linalg.norm(ours - embedding) / numpy.linalg.norm(ours)
    print(f"{net}: {len(model.graph.node)} nodes, embeddings of {len(ours)} pictures in onnxruntime "
          f"{onnxruntime.__version__}: relative distance {apart:.2e}")
    assert apart < 1e-4, "onnxruntime sees other embeddings"


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check(folder, "resnet18")
        check(folder, "bn_inception", "--embedding-dim", 64, "--set", "head.pooling=both", "--set",
              "head.normalize=added")
        check(folder, "densenet121", "--embedding-dim", 32, "--set", "head.normalize=maximum")


if __name__ == "__main__":
    main()
