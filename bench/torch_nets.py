"""ResNet-50 and BN-Inception in PyTorch, written from the papers' tables with the parameter names of the
published weights. They are what bench/compare_torch.py measures the engine against."""
import torch
from torch import nn
import torch.nn.functional as F


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = None
        if stride != 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        y += shortcut
        return F.relu(y, inplace=True)


class ResNet50(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for i, blocks in enumerate((3, 4, 6, 3)):
            layer = []
            for b in range(blocks):
                layer.append(Bottleneck(inputs, 64 << i, 2 if b == 0 and i > 0 else 1))
                inputs = 256 << i
            self.add_module(f"layer{i + 1}", nn.Sequential(*layer))
        self.fc = nn.Linear(inputs, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


# block: inputs, 1x1, 3x3 reduce, 3x3, double reduce, first, second, projection (0: none)
BLOCKS = {
    "3a": (192, 64, 64, 64, 64, 96, 96, 32), "3b": (256, 64, 64, 96, 64, 96, 96, 64),
    "3c": (320, 0, 128, 160, 64, 96, 96, 0), "4a": (576, 224, 64, 96, 96, 128, 128, 128),
    "4b": (576, 192, 96, 128, 96, 128, 128, 128), "4c": (576, 160, 128, 160, 128, 160, 160, 128),
    "4d": (608, 96, 128, 192, 160, 192, 192, 128), "4e": (608, 0, 128, 192, 192, 256, 256, 0),
    "5a": (1056, 352, 192, 320, 160, 224, 224, 128), "5b": (1024, 352, 192, 320, 192, 224, 224, 128),
}


class BnInception(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.layer("conv1_7x7_s2", 3, 64, 7, 2, 3)
        self.layer("conv2_3x3_reduce", 64, 64, 1)
        self.layer("conv2_3x3", 64, 192, 3, 1, 1)
        for name, (inputs, single, r3, c3, rd, d1, d2, project) in BLOCKS.items():
            block, stride = f"inception_{name}_", 1 if single else 2
            if single:
                self.layer(block + "1x1", inputs, single, 1)
            self.layer(block + "3x3_reduce", inputs, r3, 1)
            self.layer(block + "3x3", r3, c3, 3, stride, 1)
            self.layer(block + "double_3x3_reduce", inputs, rd, 1)
            self.layer(block + "double_3x3_1", rd, d1, 3, 1, 1)
            self.layer(block + "double_3x3_2", d1, d2, 3, stride, 1)
            if project:
                self.layer(block + "pool_proj", inputs, project, 1)
        self.last_linear = nn.Linear(1024, classes)

    def layer(self, name, inputs, outputs, kernel, stride=1, pad=0):
        self.add_module(name, nn.Conv2d(inputs, outputs, kernel, stride, pad))
        self.add_module(name + "_bn", nn.BatchNorm2d(outputs, momentum=0.9))

    def run(self, name, x):
        return F.relu(getattr(self, name + "_bn")(getattr(self, name)(x)), inplace=True)

    def block(self, name, x):
        b, single, project = f"inception_{name}_", BLOCKS[name][1], BLOCKS[name][7]
        parts = [self.run(b + "1x1", x)] if single else []
        parts.append(self.run(b + "3x3", self.run(b + "3x3_reduce", x)))
        y = self.run(b + "double_3x3_1", self.run(b + "double_3x3_reduce", x))
        parts.append(self.run(b + "double_3x3_2", y))
        if not project:
            parts.append(F.max_pool2d(x, 3, 2, ceil_mode=True))
        elif name == "5b":
            parts.append(self.run(b + "pool_proj", F.max_pool2d(x, 3, 1, 1, ceil_mode=True)))
        else:
            parts.append(self.run(b + "pool_proj", F.avg_pool2d(x, 3, 1, 1, ceil_mode=True)))
        return torch.cat(parts, 1)

    def forward(self, x):
        x = F.max_pool2d(self.run("conv1_7x7_s2", x), 3, 2, ceil_mode=True)
        x = self.run("conv2_3x3", self.run("conv2_3x3_reduce", x))
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        for name in BLOCKS:
            x = self.block(name, x)
        return self.last_linear(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


NETS = {"resnet50": ResNet50, "bn_inception": BnInception}
