"""Small EditNeRF checkpoints, as the official training writes them, from a network written down again for the tests."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn


def waves(x: torch.Tensor, octaves: int) -> torch.Tensor:
    """(x, sin x, cos x, sin 2 x, ...)."""
    return torch.cat([x, *(f(2**k * x) for k in range(octaves) for f in (torch.sin, torch.cos))], -1)


class Independent:
    """The paper's network by the official names, without modules, folding or options that are not asked for."""

    def __init__(self, *, code=6, embedding=10, depth=1, shared=4, density=1, colour=2, octaves=3, width=16):
        self.octaves, self.shared, self.colour = octaves, shared, colour
        self.depth, self.density = depth, density
        self.state: dict[str, torch.Tensor] = {}
        point, views, bottleneck = 3 + 6 * octaves, 27, 5
        for branch in range(3):
            for i in range(depth):
                self.add(f"style_linears.{branch}.mlp.{i}", embedding if i else code, embedding)
        if shared:
            self.add("mean_network.0", point, width)
            for i in range(1, shared - 1):
                self.add(f"mean_network.{i}.1", width, width)
            self.add("mean_output.1", width, width)
        for i in range(3):
            self.add(f"instance_network.{i}.0", width if i else point + embedding, width)
        self.add("instance_to_fusion", point + embedding + width, width)
        for i in range(2):
            self.add(f"fusion_network.{i}.0", width, width)
        if density == 1:
            self.add("sigma_linear", width, 1)
        for i in range(density - 1):
            self.add(f"sigma_linear.{i}.0", 7 if i else width, 7)
        if density > 1:
            self.add(f"sigma_linear.{density - 1}", 7, 1)
        self.add("bottleneck_linear", width, bottleneck)
        for i in range(colour - 1):
            self.add(f"rgb_network.{i}.0", 12 if i else bottleneck + views + embedding, 12)
        self.add("rgb_linear", 12, 3)

    def add(self, name: str, inputs: int, outputs: int) -> None:
        layer = nn.Linear(inputs, outputs)
        self.state[f"{name}.weight"], self.state[f"{name}.bias"] = layer.weight.data, layer.bias.data

    def layer(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return x @ self.state[f"{name}.weight"].T + self.state[f"{name}.bias"]

    def embedded(self, branch: int, code: torch.Tensor) -> torch.Tensor:
        for i in range(self.depth):
            code = self.layer(f"style_linears.{branch}.mlp.{i}", code).relu()
        return code

    def __call__(self, points, views, shape, colour):
        """Raw density [N] and RGB [N, 3]."""
        count, encoded = len(points), waves(points, self.octaves)
        h = torch.cat([encoded, self.embedded(0, shape).expand(count, -1)], -1)
        for i in range(3):
            h = self.layer(f"instance_network.{i}.0", h).relu()
        h = self.layer("instance_to_fusion", torch.cat([encoded, self.embedded(1, shape).expand(count, -1), h], -1))
        if self.shared:
            mean = self.layer("mean_network.0", encoded)
            for i in range(1, self.shared - 1):
                mean = self.layer(f"mean_network.{i}.1", mean.relu())
            h = h + self.layer("mean_output.1", mean.relu())
        h = h.relu()
        for i in range(2):
            h = self.layer(f"fusion_network.{i}.0", h).relu()
        told, sigma = self.layer("bottleneck_linear", h), h
        for i in range(self.density - 1):
            sigma = self.layer(f"sigma_linear.{i}.0", sigma).relu()
        sigma = self.layer("sigma_linear" if self.density == 1 else f"sigma_linear.{self.density - 1}", sigma)
        h = torch.cat([told, waves(views, 4), self.embedded(2, colour).expand(count, -1)], -1)
        for i in range(self.colour - 1):
            h = self.layer(f"rgb_network.{i}.0", h).relu()
        return sigma[:, 0], self.layer("rgb_linear", h).sigmoid()


def write(path: Path, theirs: Independent, *, instances: int = 3, width: int = 12, legacy=False, **more) -> Path:
    """A checkpoint whose codes [instances, width] are normal numbers."""
    styles = nn.Parameter(torch.randn(instances, width))
    content = {
        "global_step": 7,
        "network_fn_state_dict": theirs.state,
        "optimizer_state_dict": {"state": {}, "param_groups": [{"lr": 0.1}]},
        "styles": styles,
        "style_optimizer": {"state": {}},
        "network_fine_state_dict": theirs.state,
        **more,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({k: v for k, v in content.items() if v is not None}, path, _use_new_zipfile_serialization=not legacy)
    return path
