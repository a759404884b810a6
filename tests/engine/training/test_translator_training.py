"""Critics, losses, schedule, and a painter's training run from its first step to its files."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from clip_makers import HEIGHT, WIDTH, write
from neuroview.engine.training import descent
from neuroview.engine.training.task import TrainingError
from neuroview.engine.training.trainer import Trainer
from neuroview.engine.training.translator import command
from neuroview.engine.training.translator.aligned_past import AlignedPast
from neuroview.engine.training.translator.clips import Clips
from neuroview.engine.training.translator.discriminator import PictureCritic, VideoCritic, shown
from neuroview.engine.training.translator.export import blended, export, load_checkpoint
from neuroview.engine.training.translator.losses import (
    adversarial_loss,
    critic_loss,
    feature_loss,
    laplacian_loss,
    structure_loss,
    warp_loss,
)
from neuroview.engine.training.translator.preview import previewer, roll_out
from neuroview.engine.training.translator.schedule import Recipe, recipe_from
from neuroview.engine.training.translator.task import TranslatorTask
from neuroview.engine.training.translator_metrics.similarity import ssim
from neuroview.models.painter import Painter, PainterConfig
from neuroview.models.painter_conditions import PARTS, ConditionLayout
from neuroview.models.translators import open_translator

CONFIG = PainterConfig(ConditionLayout(parts=tuple(PARTS)), width=4, maps=8, past=4, refine=4, detail=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "clips", look="photo")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def training(folder: Path, **recipe) -> TranslatorTask:
    settings = {"half_end": 0.0, "singles_end": 0.3, "threes_end": 1.0, "fives_end": 1.0, **recipe}
    return TranslatorTask(Recipe(**settings), CONFIG, Clips(folder), critic_width=4)


def run_of(task: TranslatorTask, steps: int, out: Path | None = None) -> Trainer:
    return Trainer(task, out, steps=steps, preview_every=math.inf, quiet=True)


# Critics


def test_the_picture_critic_scores_patches_at_two_scales_for_every_set_of_pictures():
    critic = PictureCritic(5, 4)
    said = critic(torch.rand(1, 5, 32, 64), torch.ones(1, 1, 32, 64), *torch.rand(2, 2, 3, 32, 64))
    assert [tuple(j.score.shape) for j in said] == [(2, 1, 4, 8), (2, 1, 2, 4)]
    assert [len(j.features) for j in said] == [4, 4]


def test_sets_of_pictures_are_judged_as_if_alone():
    critic = PictureCritic(5, 4).eval()
    maps, valid, warped, pictures = torch.rand(1, 5, 32, 64), torch.ones(1, 1, 32, 64), *torch.rand(2, 2, 3, 32, 64)
    both = critic(maps, valid, warped, pictures)
    for index in (0, 1):
        alone = critic(maps, valid, warped[index : index + 1], pictures[index : index + 1])
        torch.testing.assert_close(both[0].score[index : index + 1], alone[0].score, atol=1e-5, rtol=1e-4)


def test_the_video_critic_has_weights_of_its_own_for_each_distance():
    critic = VideoCritic(5, 4)
    given = torch.rand(1, 5, 16, 32), torch.ones(1, 2, 16, 32), torch.rand(2, 9, 16, 32)
    near, far = (critic(distance, *given)[0].score for distance in (1, 2))
    assert near.shape == (2, 1, 2, 4)
    assert not torch.equal(near, far)


def test_spectral_norm_holds_a_critics_weights():
    critic = PictureCritic(5, 4)
    for _ in range(20):
        critic(torch.rand(1, 5, 32, 64), torch.ones(1, 1, 32, 64), *torch.rand(2, 2, 3, 32, 64))
    weight = critic.scales[0].layers[0].weight.flatten(1)
    torch.testing.assert_close(torch.linalg.matrix_norm(weight, 2), torch.tensor(1.0), rtol=0.1, atol=0)


def test_critics_see_where_things_are_and_not_the_phases_of_the_ground():
    layout = ConditionLayout(parts=("ground", "storey"))
    assert shown(layout) == [*range(layout.plain), layout.first("storey"), layout.first("storey") + 1]


# Losses


def picture(seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return F.interpolate(torch.rand(1, 3, 8, 16, generator=random), scale_factor=4.0, mode="bilinear") * 2 - 1


def test_equal_pictures_lose_nothing_and_others_do():
    a, b = picture(0), picture(1)
    assert float(laplacian_loss(a, a)) == 0
    assert float(structure_loss(a, a)) == pytest.approx(0, abs=1e-5)
    assert float(laplacian_loss(a, b)) > 0.1
    assert 0.1 < float(structure_loss(a, b)) < 2


def test_fine_detail_counts_less_where_the_past_decides_it():
    a = torch.zeros(1, 3, 32, 64)
    noise = torch.rand(a.shape) - 0.5
    assert float(laplacian_loss(a, noise, own_past=True)) < 0.6 * float(laplacian_loss(a, noise))


def test_the_structure_loss_is_one_minus_the_measured_ssim():
    a, b = ((picture(n)[0].permute(1, 2, 0) + 1).mul(127.5).round().to(torch.uint8) for n in (2, 3))
    measured = ssim(a.numpy(), b.numpy())
    ours = 1 - float(structure_loss(*(x.permute(2, 0, 1)[None].float() / 127.5 - 1 for x in (a, b))))
    assert ours == pytest.approx(measured, abs=0.02)


def test_the_warp_loss_counts_only_what_is_valid():
    a, b = torch.zeros(1, 3, 4, 8), torch.ones(1, 3, 4, 8)
    valid = torch.zeros(1, 1, 4, 8)
    valid[..., :4] = 1
    assert float(warp_loss(a, b, valid)) == 0.5


def test_hinge_losses_are_smallest_when_critics_are_right_and_features_do_not_reach_the_real_side():
    critic = PictureCritic(2, 4)
    given = torch.rand(1, 2, 32, 64), torch.ones(1, 1, 32, 64), torch.rand(1, 3, 32, 64)
    pictures = torch.rand(1, 3, 32, 64, requires_grad=True)
    said = critic(*given, pictures)
    sure, unsure = ([j._replace(score=torch.full_like(j.score, value)) for j in said] for value in (1.0, -1.0))
    assert float(critic_loss(sure, unsure)) == 0
    assert float(critic_loss(unsure, sure)) == 4
    assert float(adversarial_loss(unsure)) == 1
    assert float(feature_loss(said, said).detach()) == 0
    feature_loss(said, critic(*given, torch.rand(1, 3, 32, 64))).backward()
    assert pictures.grad is None


def test_the_past_is_brought_to_the_present_step_by_step():
    past = AlignedPast()
    columns = torch.arange(64.0).expand(1, 3, 32, 64)
    motion = torch.zeros(1, 32, 64, 2)
    motion[..., 0] = -2
    for _ in range(5):
        past.move(motion, torch.ones(1, 1, 32, 64))
        past.push(columns, -columns)
    past.move(motion, torch.ones(1, 1, 32, 64))
    assert past.pair(2) is not None
    painted, real, valid = past.pair(1) or pytest.fail("two frames are there")
    half = columns[..., 0, 10:30].reshape(1, 3, 10, 2).mean(-1)[0, 0]
    torch.testing.assert_close(painted[0, 0, 8, 5:15], half - 2, atol=1e-3, rtol=0)
    torch.testing.assert_close(painted[0, 3, 8, 5:15], half - 4, atol=1e-3, rtol=0)
    torch.testing.assert_close(real, -painted)
    assert valid.min() == 1


def test_what_was_hidden_once_stays_invalid_further_back():
    past, motion = AlignedPast(), torch.zeros(1, 32, 64, 2)
    seen, hidden = torch.ones(1, 1, 32, 64), torch.zeros(1, 1, 32, 64)
    for valid in (seen, hidden, seen):
        past.push(torch.zeros(1, 3, 32, 64), torch.zeros(1, 3, 32, 64))
        past.move(motion, valid)
    _, _, valid = past.pair(1) or pytest.fail("two frames are there")
    assert (valid[:, 0].min(), valid[:, 1].max()) == (1, 0)
    assert past.pair(2) is None


# Schedule


def test_a_run_goes_from_half_to_full_size_and_from_single_frames_to_long_sequences():
    recipe = Recipe()
    stages = [recipe.stage(n / 100) for n in range(100)]
    assert [stage.half for stage in stages] == sorted((stage.half for stage in stages), reverse=True)
    assert sorted({stage.length for stage in stages}) == [1, 3, 5, 9]
    assert [stage.length for stage in stages] == sorted(stage.length for stage in stages)
    assert stages[0].critics == 0
    assert stages[99].critics == 1
    assert stages[99].rate < 0.1 < stages[50].rate
    assert not any(recipe.continued().stage(n / 100).half for n in range(100))


def test_a_recipe_survives_being_written_down_and_refuses_nonsense():
    recipe = Recipe(rate=3e-4, features=2.5)
    assert recipe_from(json.loads(json.dumps(recipe, default=vars)) | {"of a later version": 1}) == recipe
    with pytest.raises(TrainingError, match="expected rising fractions"):
        Recipe(half_end=0.9)
    with pytest.raises(TrainingError, match="batch 0"):
        Recipe(batch=0)


# Runs


def test_thirty_steps_lower_the_reconstruction_loss(folder: Path):
    task = training(folder, rate=3e-3, critics_start=0.5, singles_end=1.0, threes_end=1.0)
    before = roll_out(task, task.clips, 0)
    run_of(task, 30).run()
    task.ema.load_state_dict(task.network.state_dict())
    after = roll_out(task, task.clips, 0)
    errors = [
        float((torch.from_numpy(made.painted[-1]).float() - torch.from_numpy(made.photo[-1]).float()).abs().mean())
        for made in (before, after)
    ]
    assert task.frames == 30
    assert errors[1] < 0.6 * errors[0]


def test_a_resumed_run_goes_on_exactly_as_an_unbroken_one(folder: Path, tmp_path: Path):
    whole = training(folder, singles_end=0.2)
    run_of(whole, 4).run()
    run_of(training(folder, singles_end=0.2), 4, tmp_path).run(stop_at=2)
    second = training(folder, singles_end=0.2)
    trainer = run_of(second, 4, tmp_path)
    trainer.resume()
    trainer.run()
    assert second.frames == whole.frames > 4
    for name, weight in whole.network.state_dict().items():
        assert torch.equal(weight, second.network.state_dict()[name]), name
    for name, weight in whole.video_critic.state_dict().items():
        assert torch.equal(weight, second.video_critic.state_dict()[name]), name


def test_every_weight_of_painter_and_critics_is_trained(folder: Path):
    task = training(folder, critics_start=0.0, singles_end=0.0, threes_end=0.0, fives_end=1.0, judged=1.0)
    before = {name: p.clone() for name, p in task.network.named_parameters()}
    critics = [p.clone() for p in [*task.picture_critic.parameters(), *task.video_critic.parameters()]]
    run_of(task, 4).run()
    assert [name for name, p in task.network.named_parameters() if torch.equal(p, before[name])] == []
    now = [*task.picture_critic.named_parameters(), *task.video_critic.named_parameters()]
    still = [name for (name, a), b in zip(now, critics, strict=True) if torch.equal(a, b)]
    # An undecided critic's bias is pulled as much to one side as to the other.
    assert [name for name in still if not name.endswith("score.bias")] == []


def test_a_batch_of_sequences_is_trained_on(folder: Path):
    task = training(folder, batch=2, critics_start=0.0, singles_end=1.0, judged=1.0)
    run_of(task, 2).run()
    assert (task.frames, task.painting.skipped) == (2, 0)


def test_losses_that_are_not_finite_are_skipped_and_in_the_end_refused(folder: Path, monkeypatch):
    monkeypatch.setattr(descent, "MOST_SKIPPED", 4)
    task = training(folder, critics_start=0.9)
    with torch.no_grad():
        task.network.head.bias.fill_(torch.nan)
    with pytest.raises(TrainingError, match=r"painter was not finite for 4 steps in a row .*a lower rate"):
        run_of(task, 200).run()
    assert task.painting.skipped == 4
    assert all(torch.isfinite(p).all() for p in task.ema.parameters())


def test_clips_whose_sides_do_not_fit_are_refused(tmp_path: Path):
    clips = Clips(write(tmp_path / "clips", clips=1, height=48))
    with pytest.raises(TrainingError, match="expected multiples of 32"):
        TranslatorTask(Recipe(), CONFIG, clips)


def test_previews_are_drawn_and_measured(folder: Path, tmp_path: Path):
    task = training(folder)
    task.look = previewer(task.clips, tmp_path, 2)
    assert set(task.preview()) == {"psnr", "ssim", "sharpness", "warping", "warping_ratio"}
    assert (tmp_path / "strip-000000.png").is_file()


# Command


def options(*arguments: str):
    return command.parse([*arguments])


def test_the_command_trains_resumes_and_exports_a_painter_that_opens(folder: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(command, "DEFAULT", CONFIG)
    out = str(tmp_path / "run")
    common = ("--data", str(folder), "--out", out, "--device", "cpu")
    command.main(options(*common, "--steps", "2", "--size", "64", "32", "--look", "photo"))
    with pytest.raises(TrainingError, match="already holds a run: go on with --resume"):
        command.main(options(*common, "--steps", "3"))
    command.main(options(*common, "--steps", "3", "--resume", "--export", str(tmp_path / "town.safetensors")))
    painter = open_translator(tmp_path / "town.safetensors")
    assert isinstance(painter, Painter)
    assert painter.config == CONFIG
    assert painter.resolution == (HEIGHT, WIDTH)
    assert painter.card.training["frames"] >= 3
    labels = Clips(folder).frame(0, 0).labels
    rgb, _ = painter(labels, labels.int())
    assert rgb.shape == (3, HEIGHT, WIDTH)


def test_another_run_starts_from_a_painters_file_or_from_a_runs_folder(folder: Path, tmp_path: Path, monkeypatch):
    task = TranslatorTask(Recipe(half_end=0.0), CONFIG, Clips(folder))
    run_of(task, 2, tmp_path).run()
    export(load_checkpoint(tmp_path), tmp_path / "town")
    for source in (tmp_path, tmp_path / "town.safetensors"):
        given = ("--data", str(folder), "--out", str(tmp_path / "next"), "--init", str(source), "--device", "cpu")
        fresh = command._task(options(*given), {})
        assert fresh.config == CONFIG
        assert fresh.recipe == Recipe().continued()
        for name, weight in task.ema.state_dict().items():
            torch.testing.assert_close(fresh.ema.state_dict()[name], weight, rtol=2e-3, atol=1e-4)


def test_weights_of_another_painter_are_refused(folder: Path, tmp_path: Path):
    task = training(folder)
    run_of(task, 1, tmp_path).run()
    other = TranslatorTask(task.recipe, replace(CONFIG, width=8), task.clips, critic_width=4)
    with pytest.raises(TrainingError, match="of another painter"):
        run_of(other, 1, tmp_path).resume()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--size", "256", "128"), "the clips are 64 x 32, --size says 256 x 128"),
        (("--look", "drawn"), "the clips look photo, --look says drawn"),
        (("--resume", "--init", "x"), "give one of both"),
        (("--resume",), "is no checkpoint of a training run"),
        (("--workers", "2", "--device", "cuda:0"), "asks for several"),
        (("--watch",), "translator trains none"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_words(folder: Path, tmp_path: Path, arguments, reason):
    with pytest.raises(TrainingError, match=reason):
        command.main(options("--data", str(folder), "--out", str(tmp_path), *arguments))


def test_without_data_there_is_only_exporting(tmp_path: Path):
    with pytest.raises(TrainingError, match="nothing to do"):
        command.main(options("--out", str(tmp_path)))
    (tmp_path / "checkpoint.pt").write_bytes(b"no")
    with pytest.raises(TrainingError, match="is no checkpoint"):
        command.main(options("--out", str(tmp_path), "--export", str(tmp_path / "a.safetensors")))


def test_weights_between_two_runs_are_blended_by_share_and_nothing_else_is_accepted():
    one = {"state": {"ema": {"a": torch.zeros(2)}, "frames": 3}, "recipe": {}}
    other = {"state": {"ema": {"a": torch.ones(2)}, "frames": 5}, "recipe": {}}
    assert torch.equal(blended(one, other, 0.25)["state"]["ema"]["a"], torch.full((2,), 0.25))
    with pytest.raises(TrainingError, match="expected 0..1"):
        blended(one, other, 1.5)
    with pytest.raises(TrainingError, match="different layouts"):
        blended(one, {**other, "state": {"ema": {"a": torch.ones(3)}}}, 0.5)
