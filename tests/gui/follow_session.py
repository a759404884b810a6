"""The window on a model that trains: its file is written anew under it, and what the hand has set stays.

Run as `python follow_session.py FOLDER`; exits with 0 when every assertion held and no thread was left behind.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from app_session import PATIENCE, Hand, until
from neuroview.engine.training.live import LIVE, write_model
from neuroview.models.catalog import open_generator
from neuroview.models.eg3d_generator import EG3DGenerator
from neuroview.viewer import app


def trained(folder: Path, steps: int, brightness: float) -> None:
    """As a run writes it: the shipped heads, their colours changed."""
    generator = open_generator("heads")
    assert isinstance(generator, EG3DGenerator)
    with torch.no_grad():
        generator.network.get_parameter("decoder.net.2.bias")[1:4] += brightness
    write_model(generator, folder / LIVE, {"steps": steps, "progress": steps / 100})


def watch(hand: Hand) -> None:
    hand.wait_until_running()
    hand.wait_until_still()
    overlay = hand.window.overlay
    assert [text for text, _ in overlay.chips()] == ["Training: step 10 · 10 %"]
    hand.drag(hand.centre_of_view(), (120, 0))
    hand.store.update(lambda s: replace(s, latents=replace(s.latents, mix_appearance=0.5)), label="Mix")
    hand.wait_until_still()
    state, before = hand.store.state, hand.loop.frame
    for steps, brightness in ((20, -2.0), (100, 2.0)):
        trained(hand.folder, steps, brightness)
        until(lambda n=steps: hand.loop.status.model.card.training["steps"] == n, f"step {steps}")
        until(lambda old=before: hand.loop.frame is not old, f"a picture of step {steps}")
        hand.wait_until_still()
        hand.repainted()
        after = hand.loop.frame
        assert hand.store.state == after.state == state
        assert overlay.start is None
        assert not overlay.notices.cards
        change = np.abs(np.asarray(after.pixels, dtype=int) - np.asarray(before.pixels, dtype=int)).mean()
        assert change > 3, change
        before = after
    assert [text for text, _ in overlay.chips()] == ["Trained: 100 steps"]


def main(folder: Path) -> int:
    os.environ["NEUROVIEW_CONFIG_DIR"] = str(folder / "config")
    os.environ["NEUROVIEW_SCREENSHOTS"] = str(folder)
    trained(folder, 10, 0.0)
    hand = Hand(folder)
    failed: list[str] = []

    def play() -> None:
        try:
            watch(hand)
        except BaseException:
            failed.append(traceback.format_exc())
        finally:
            if "Actions" in hand.parts:
                hand.parts["Actions"].quit()

    before = set(threading.enumerate())
    options = argparse.Namespace(
        model=str(folder),
        follow=True,
        state=None,
        option=[],
        device="cpu",
        threads=None,
        present="auto",
        no_panel=False,
    )
    player = threading.Thread(target=play, name="hand", daemon=True)
    player.start()
    assert app.run(options) == 0
    player.join(PATIENCE)
    left = [t.name for t in set(threading.enumerate()) - before]
    for text in [*failed, *([f"threads left behind: {left}"] if left else [])]:
        print(text, file=sys.stderr)
    return 1 if failed or left else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
