"""Snapshots: what is written is what is read, whole or not at all, and every damage has its sentence."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from limner import __version__, registry
from limner.checkpoints import io
from limner.checkpoints.networks import load_generator
from limner.config import DataConfig, RunConfig, to_dict
from limner.errors import CheckpointError

TINY = {"img_resolution": (16, 16), "channel_max": 16, "mapping_layers": 2}


def tiny_config(**settings: object) -> RunConfig:
    room = registry.get("papers", "stylegan2")
    return RunConfig(
        preset="stylegan2-tiny",
        room="stylegan2",
        data=DataConfig(resolution=(16, 16)),
        generator=room.GeneratorConfig(**{**TINY, "z_dim": 16, "w_dim": 16, **settings}),
        discriminator=room.DiscriminatorConfig(**TINY),
        objective=room.ObjectiveConfig(),
    )


def tiny_networks(config: RunConfig, seed: int = 0) -> dict[str, nn.Module]:
    room = registry.get("papers", "stylegan2")
    torch.manual_seed(seed)
    return {
        "generator_ema": room.Generator(config.generator),
        "generator": room.Generator(config.generator),
        "discriminator": room.Discriminator(config.discriminator),
    }


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run with two snapshots; the newer one holds other weights."""
    config = tiny_config()
    for seed, name in enumerate(["000200", "001000"]):
        io.write_snapshot(tmp_path / "run/snapshots" / name, config, tiny_networks(config, seed), {"kimg": int(name)})
    io.write_document(tmp_path / "run", "run", config, {})
    return tmp_path / "run"


def newest(run_dir: Path) -> Path:
    return run_dir / "snapshots" / "001000"


def rewrite(path: Path, change) -> None:
    """Save a safetensors file again with its tensors and metadata changed by `change(tensors, metadata)`."""
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata())
    tensors = safetensors.torch.load_file(path)
    change(tensors, metadata)
    path.write_bytes(safetensors.torch.save(tensors, metadata))


def edit_document(folder: Path, **entries: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def same(a: nn.Module, b: nn.Module) -> bool:
    first, second = a.state_dict(), b.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_a_generator_comes_back_as_it_was_written(tmp_path: Path) -> None:
    config = tiny_config()
    networks = tiny_networks(config)
    networks["generator_ema"].w_avg.normal_()
    io.write_snapshot(tmp_path / "000100", config, networks, {"kimg": 100})
    for name in io.GENERATORS:
        loaded = load_generator(tmp_path / "000100", name)
        assert same(loaded, networks[name])
        assert not loaded.training
        assert not any(p.requires_grad for p in loaded.parameters())
    z = torch.randn(2, 16)
    with torch.no_grad():
        expected = networks["generator_ema"].eval()(z)
    assert torch.equal(load_generator(tmp_path / "000100")(z), expected)


def test_a_snapshot_holds_plain_tensors_and_a_readable_configuration(run_dir: Path) -> None:
    folder = newest(run_dir)
    assert sorted(os.listdir(folder)) == [
        "config.json",
        "discriminator.safetensors",
        "generator.safetensors",
        "generator_ema.safetensors",
    ]
    document = json.loads((folder / "config.json").read_text())
    assert document["limner"] == __version__
    assert (document["format"], document["kind"], document["kimg"]) == (1, "snapshot", 1000)
    assert len(document["fingerprint"]) == 16
    assert document["config"] == to_dict(tiny_config())
    with safetensors.safe_open(folder / "generator.safetensors", framework="pt") as file:
        assert file.metadata() == {"limner": __version__, "format": "1", "name": "generator", "room": "stylegan2"}
    assert io.network_names(folder) == ("discriminator", "generator", "generator_ema")
    assert sorted(os.listdir(run_dir / "snapshots")) == ["000200", "001000"]


def test_layout_precision_and_shared_memory_do_not_matter(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)).to(memory_format=torch.channels_last)
    module[1].weight = module[0].weight
    module.double()
    module.register_buffer("steps", torch.tensor(7))
    path = io.save_network(tmp_path, "generator", module, "stylegan2")
    tensors = safetensors.torch.load_file(path)
    assert tensors["0.weight"].dtype == torch.float32
    assert tensors["0.weight"].is_contiguous()
    assert torch.equal(tensors["0.weight"], module[0].weight.detach().float())
    assert torch.equal(tensors["1.weight"], tensors["0.weight"])
    assert tensors["steps"].dtype == torch.int64


def test_a_run_a_snapshot_and_a_file_lead_to_the_same_place(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = newest(run_dir)
    assert io.find_snapshot(run_dir) == folder  # 001000 is newer than 000200
    assert io.find_snapshot(str(folder)) == folder
    assert io.find_snapshot(folder / "generator.safetensors") == folder
    monkeypatch.setenv("HOME", str(run_dir.parent))
    assert io.find_snapshot("~/run") == folder


def test_a_file_chooses_the_network_that_is_loaded(run_dir: Path) -> None:
    ema = load_generator(newest(run_dir) / "generator_ema.safetensors")
    raw = load_generator(newest(run_dir) / "generator.safetensors")
    assert same(ema, load_generator(run_dir))
    assert same(raw, load_generator(run_dir, "generator"))
    assert not same(ema, raw)


def test_an_unfinished_snapshot_is_never_found(run_dir: Path) -> None:
    (run_dir / "snapshots" / ".002000.tmp").mkdir()
    (run_dir / "snapshots" / "best").mkdir()
    assert io.find_snapshot(run_dir) == newest(run_dir)


def test_the_configuration_of_a_run_is_read_before_its_first_snapshot(tmp_path: Path) -> None:
    config = dataclasses.replace(tiny_config(), seed=5)
    io.write_document(tmp_path, "run", config, {"command": "limner train"})
    assert io.load_config(tmp_path) == config
    assert io.read_document(tmp_path)["command"] == "limner train"
    with pytest.raises(CheckpointError, match="is a run without a snapshot yet"):
        load_generator(tmp_path)


def test_networks_are_read_by_name(run_dir: Path) -> None:
    networks = io.read_networks(run_dir, ["generator", "discriminator"])
    assert list(networks) == ["generator", "discriminator"]
    room = registry.get("papers", "stylegan2")
    target = room.Discriminator(tiny_config().discriminator)
    io.load_tensors(target, networks["discriminator"], "there")
    assert all(torch.equal(value, networks["discriminator"][key]) for key, value in target.state_dict().items())
    with pytest.raises(CheckpointError, match=r"has no encoder\.safetensors, it holds discriminator, generator, gen"):
        io.read_networks(run_dir, ["encoder"])


def test_the_fingerprint_identifies_the_generator_and_nothing_else(tmp_path: Path) -> None:
    config = tiny_config()
    networks = tiny_networks(config)
    original = io.write_snapshot(tmp_path / "1", config, networks, {})
    elsewhere = dataclasses.replace(config, seed=9, total_kimg=1.0)
    assert io.write_snapshot(tmp_path / "2", elsewhere, {**networks, "generator": nn.Linear(1, 1)}, {}) == original
    assert io.read_document(tmp_path / "1")["fingerprint"] == original
    other = dataclasses.replace(config, generator=dataclasses.replace(config.generator, w_avg_beta=0.9))
    assert io.write_snapshot(tmp_path / "3", other, networks, {}) != original
    networks["generator_ema"].w_avg[3] += 1e-6
    assert io.write_snapshot(tmp_path / "4", config, networks, {}) != original


def test_a_snapshot_replaces_one_of_the_same_name(run_dir: Path) -> None:
    config = tiny_config()
    networks = tiny_networks(config, seed=7)
    (run_dir / "snapshots" / ".001000.tmp").mkdir()  # left by a killed process
    io.write_snapshot(newest(run_dir), config, networks, {"kimg": 1000})
    assert same(load_generator(run_dir), networks["generator_ema"])
    assert sorted(os.listdir(run_dir / "snapshots")) == ["000200", "001000"]


@pytest.mark.parametrize("broken", ["os.replace", "os.fsync", "safetensors.torch.save", "limner.runtime.open"])
def test_a_failed_write_leaves_the_older_snapshot(run_dir: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    before = {file.name: file.read_bytes() for file in newest(run_dir).iterdir()}

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    config = tiny_config()
    with monkeypatch.context() as patch:
        patch.setattr(broken, full, raising=False)
        message = r"cannot write '.*001000': No space left on device; what was there before is kept: free space"
        with pytest.raises(CheckpointError, match=message):
            io.write_snapshot(newest(run_dir), config, tiny_networks(config, 5), {})
        with pytest.raises(CheckpointError, match=r"cannot write '.*generator\.safetensors': No space left on device"):
            io.save_network(newest(run_dir), "generator", nn.Linear(2, 2), "stylegan2")
        if broken != "safetensors.torch.save":
            with pytest.raises(CheckpointError, match=r"cannot write '.*config\.json': No space left on device"):
                io.write_document(newest(run_dir), "snapshot", config, {})
    assert {file.name: file.read_bytes() for file in newest(run_dir).iterdir()} == before
    assert sorted(os.listdir(run_dir / "snapshots")) == ["000200", "001000"]


def test_the_older_snapshot_returns_when_the_last_rename_fails(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = io.read_document(newest(run_dir))["fingerprint"]
    rename = os.replace

    def fail_for_the_new_folder(source: Path, target: Path) -> None:
        if Path(source).name == ".001000.tmp":
            raise OSError(errno.EIO, "Input/output error")
        rename(source, target)

    config = tiny_config()
    monkeypatch.setattr("os.replace", fail_for_the_new_folder)
    with pytest.raises(CheckpointError, match="Input/output error"):
        io.write_snapshot(newest(run_dir), config, tiny_networks(config, 5), {})
    assert io.read_document(newest(run_dir))["fingerprint"] == before
    assert sorted(os.listdir(run_dir / "snapshots")) == ["000200", "001000"]


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a POSIX feature")
def test_a_disk_that_refuses_more_bytes_leaves_nothing_behind(tmp_path: Path) -> None:
    code = f"""
import resource
from pathlib import Path
from torch import nn
from limner.checkpoints import io
from limner.checkpoints.networks import load_generator
from limner.errors import CheckpointError
resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
try:
    io.save_network(Path({str(tmp_path)!r}), "generator", nn.Linear(200, 200), "stylegan2")
except CheckpointError as error:
    print(error)
"""
    answer = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("cannot write ")
    assert "File too large" in answer.stdout
    assert list(tmp_path.iterdir()) == []


def test_paths_that_hold_no_snapshot_say_what_is_expected(run_dir: Path, tmp_path: Path) -> None:
    wanted = "expected a run folder, a snapshot folder or a .safetensors file in one"
    with pytest.raises(CheckpointError, match=f"nowhere' does not exist, {wanted}"):
        load_generator(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=f"empty' holds no snapshot, {wanted}"):
        load_generator(tmp_path / "empty")
    state = run_dir / "state" / "00000001.pt"
    state.parent.mkdir()
    state.write_bytes(b"state")
    with pytest.raises(CheckpointError, match=f"{wanted}; this is a training state: give its run folder '{run_dir}'"):
        load_generator(state)
    (tmp_path / "network.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(CheckpointError, match=rf"{wanted}; a file of another program is read by its ending: \.pkl"):
        load_generator(tmp_path / "network.bin")
    with pytest.raises(CheckpointError, match=f"{wanted}; give its folder '{run_dir}'"):
        load_generator(run_dir / "config.json")
    lonely = tmp_path / "alone" / "generator.safetensors"
    lonely.parent.mkdir()
    lonely.write_bytes((newest(run_dir) / "generator.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match=r"alone' has no config\.json, expected one beside the weights"):
        load_generator(lonely)


def test_a_training_state_is_told_from_a_file_of_another_program(run_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "00000001.pt").write_bytes(b"no state: there is no run around it")
    with pytest.raises(CheckpointError, match="is no checkpoint of another program"):
        io.find_snapshot(tmp_path / "state" / "00000001.pt")


def test_a_discriminator_is_not_taken_for_a_generator(run_dir: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"discriminator\.safetensors' is not a generator, expected generator_ema"
    ):
        load_generator(newest(run_dir) / "discriminator.safetensors")
    disguised = newest(run_dir) / "generator.safetensors"
    disguised.write_bytes((newest(run_dir) / "discriminator.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="holds name 'discriminator', expected 'generator'; was the file renamed"):
        load_generator(disguised)


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_truncated_file_is_called_damaged(run_dir: Path, keep: int) -> None:
    path = newest(run_dir) / "generator_ema.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(
        CheckpointError, match=r"generator_ema\.safetensors' is damaged or no safetensors file \(.*copy"
    ):
        load_generator(run_dir)


def test_a_safetensors_file_of_another_program_is_refused(run_dir: Path) -> None:
    path = newest(run_dir) / "generator_ema.safetensors"
    path.write_bytes(safetensors.torch.save({"a": torch.zeros(1)}, {"format": "pt"}))
    with pytest.raises(CheckpointError, match="was not written by limner"):
        load_generator(run_dir)


def test_missing_unknown_and_misshapen_tensors_are_named(run_dir: Path) -> None:
    path = newest(run_dir) / "generator_ema.safetensors"
    whole = path.read_bytes()
    rewrite(path, lambda tensors, _: tensors.pop("w_avg"))
    with pytest.raises(CheckpointError, match=r"tensor 'w_avg' is missing \(1 in all\), expected shape \[16\]; config"):
        load_generator(run_dir)
    path.write_bytes(whole)
    rewrite(path, lambda tensors, _: tensors.update(surplus=torch.zeros(2)))
    with pytest.raises(CheckpointError, match=r"got tensor 'surplus' \(1 in all\), which the network does not have"):
        load_generator(run_dir)
    path.write_bytes(whole)
    rewrite(path, lambda tensors, _: tensors.update(w_avg=torch.zeros(8)))
    with pytest.raises(CheckpointError, match=r"tensor 'w_avg' has shape \[8\], expected \[16\] \(1 such in all\)"):
        load_generator(run_dir)


def test_a_network_that_does_not_fit_is_left_untouched() -> None:
    module = nn.Linear(2, 2)
    before = module.weight.clone()
    with pytest.raises(CheckpointError, match="'there': tensor 'bias' is missing"):
        io.load_tensors(module, {"weight": torch.zeros(2, 2)}, "there")
    assert torch.equal(module.weight, before)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"resolution": 4}', "\x00\xff"])
def test_a_damaged_configuration_is_named(run_dir: Path, text: str) -> None:
    (newest(run_dir) / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=r"001000/config\.json' (cannot be read|is not a configuration written)"):
        load_generator(run_dir)


def test_a_configuration_that_describes_no_run_is_named(run_dir: Path) -> None:
    config = json.loads((newest(run_dir) / "config.json").read_text())["config"]
    edit_document(newest(run_dir), config={**config, "bach": 4})
    with pytest.raises(
        CheckpointError, match=r"config\.json' does not describe a run: unknown setting 'bach'.*'batch'"
    ):
        load_generator(run_dir)
    edit_document(newest(run_dir), config={**config, "room": "stylegan9"})
    with pytest.raises(CheckpointError, match="does not describe a run: there is no 'stylegan9' among the papers"):
        load_generator(run_dir)


def test_a_newer_format_asks_for_a_newer_limner(run_dir: Path) -> None:
    edit_document(newest(run_dir), format=2, limner="9.9")
    with pytest.raises(
        CheckpointError, match=r"config\.json' has format 2, written by limner 9\.9, expected at most 1"
    ):
        load_generator(run_dir)
    edit_document(newest(run_dir), format=1)
    rewrite(newest(run_dir) / "generator_ema.safetensors", lambda _, metadata: metadata.update(format="3"))
    with pytest.raises(CheckpointError, match=r"generator_ema\.safetensors' has format 3"):
        load_generator(run_dir)


def test_older_formats_are_read_through_every_step_between(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = load_generator(run_dir)
    config = json.loads((newest(run_dir) / "config.json").read_text())["config"]
    config["bach"] = config.pop("batch")
    edit_document(newest(run_dir), config=config)
    rewrite(
        newest(run_dir) / "generator_ema.safetensors",
        lambda tensors, _: tensors.update(average=tensors.pop("w_avg")),
    )

    def rename_setting(document: dict) -> dict:
        settings = dict(document["config"])
        settings["batch"] = settings.pop("bach")
        return {**document, "config": settings}

    def rename_tensor(name: str, tensors: dict) -> dict:
        assert name == "generator_ema"
        return {("w_avg" if key == "average" else key): value for key, value in tensors.items()}

    steps = {
        1: io.Migration(document=rename_setting, tensors=lambda _, tensors: tensors),
        2: io.Migration(document=lambda document: document, tensors=rename_tensor),
    }
    monkeypatch.setattr(io, "FORMAT", 3)
    monkeypatch.setattr(io, "MIGRATIONS", steps)
    assert same(load_generator(run_dir), original)
