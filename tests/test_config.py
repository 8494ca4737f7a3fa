"""Configuration: strict, lossless in YAML and JSON, changed by dotted path."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from limner import registry
from limner.config import (
    AugmentConfig,
    CallbacksConfig,
    DataConfig,
    EmaConfig,
    OptimizerConfig,
    RunConfig,
    ScheduleConfig,
    check_limits,
    difference,
    flatten,
    from_dict,
    read_yaml,
    run_config_from_dict,
    to_dict,
    to_yaml,
    with_changes,
)
from limner.errors import ConfigError
from limner.papers.base import PresetRequest


@dataclass(frozen=True, kw_only=True)
class Inner:
    ratio: float = 0.5
    sizes: tuple[int, int] = (4, 4)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One field of every type a configuration uses."""

    count: int
    rate: float = 1.0
    on: bool = False
    name: str = ""
    limit: int | None = None
    kind: Literal["none", "some", "all"] = "none"
    tags: tuple[str, ...] = ()
    inner: Inner = field(default_factory=Inner)


def make_config(**changes: Any) -> RunConfig:
    room = registry.get("papers", "stylegan2")
    config = RunConfig(
        preset="stylegan2-tiny",
        room="stylegan2",
        generator=room.GeneratorConfig(img_resolution=(64, 64)),
        discriminator=room.DiscriminatorConfig(img_resolution=(64, 64)),
        objective=room.ObjectiveConfig(),
    )
    return dataclasses.replace(config, **changes)


def test_plain_values_become_a_dataclass_and_back() -> None:
    values = {
        "count": 3,
        "rate": 2,
        "on": True,
        "name": "a",
        "limit": 7,
        "kind": "all",
        "tags": ["x", "y"],
        "inner": {"sizes": [8, 6]},
    }
    sample = from_dict(Sample, values)
    inner = Inner(ratio=0.5, sizes=(8, 6))
    assert sample == Sample(count=3, rate=2.0, on=True, name="a", limit=7, kind="all", tags=("x", "y"), inner=inner)
    assert type(sample.rate) is float
    assert from_dict(Sample, to_dict(sample)) == sample
    assert json.loads(json.dumps(to_dict(sample))) == to_dict(sample)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("count", 32.0, 32),
        ("count", "1e3", 1000),
        ("rate", "1e-3", 0.001),  # YAML 1.1 takes 1e-3 for text
        ("rate", 3, 3.0),
        ("rate", -0.5, -0.5),
        ("on", 1, True),
        ("on", 0, False),
        ("limit", None, None),
        ("limit", 5, 5),
        ("tags", [], ()),
        ("tags", "one, two", ("one", "two")),
    ],
)
def test_values_that_mean_the_type_are_taken(key: str, value: Any, expected: Any) -> None:
    got = getattr(from_dict(Sample, {"count": 1, key: value}), key)
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("count", 1.5, r"count: got 1\.5 \(float\), expected int"),
        ("count", True, r"count: got True \(bool\), expected int"),
        ("count", None, r"count: got None \(NoneType\), expected int"),
        ("count", "many", r"count: got 'many' \(str\), expected int"),
        ("rate", False, r"rate: got False \(bool\), expected float"),
        ("rate", math.nan, r"rate: got nan \(float\), expected float"),
        ("rate", math.inf, r"rate: got inf \(float\), expected float"),
        ("rate", 10**400, r"rate: got 10+ \(int\), expected float"),
        ("rate", "1e400", r"rate: got '1e400' \(str\), expected float"),
        ("on", 2, r"on: got 2 \(int\), expected bool"),
        ("on", "true", r"on: got 'true' \(str\), expected bool"),
        ("name", 10, r"name: got 10 \(int\), expected str; put it in quotes"),
        ("name", ["a"], r"name: got \['a'\] \(list\), expected str"),
        ("limit", "none", r"limit: got 'none' \(str\), expected int"),
        ("kind", "al", r"kind: got 'al', expected one of \['none', 'some', 'all'\]\. Did you mean 'all'\?"),
        ("kind", ["all"], r"kind: got \['all'\], expected one of"),
        ("kind", None, r"kind: got None, expected one of"),
        ("tags", 3, r"tags: got 3, expected a list of any number of str values"),
        ("tags", [1], r"tags: got 1 \(int\), expected str"),
        ("inner", 3, r"inner: got 3, expected a mapping of settings"),
        ("inner", {"sizes": [1]}, r"inner\.sizes: got \[1\], expected a list of 2 int values"),
        ("inner", {"sizes": [1, 2, 3]}, r"inner\.sizes: got \[1, 2, 3\], expected a list of 2"),
        ("inner", {"sizes": [1, "x"]}, r"inner\.sizes: got 'x' \(str\), expected int"),
        ("inner", {"ratoi": 1}, r"unknown setting 'inner\.ratoi'\. Did you mean 'ratio'\?"),
        ("cuont", 1, r"unknown setting 'cuont'\. Did you mean 'count'\?"),
    ],
)
def test_wrong_keys_and_types_are_errors_that_name_the_place(key: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        from_dict(Sample, {"count": 1, key: value})


def test_a_setting_without_a_default_must_be_given() -> None:
    with pytest.raises(ConfigError, match="missing setting 'count'; add it"):
        from_dict(Sample, {})
    with pytest.raises(ConfigError, match=r"outer: got \[\], expected a mapping"):
        from_dict(Sample, [], path="outer")  # type: ignore[arg-type]


def test_one_number_stands_for_both_sides() -> None:
    assert from_dict(Inner, {"sizes": 16}).sizes == (16, 16)


def test_a_run_configuration_survives_yaml_and_json() -> None:
    config = make_config(
        data=DataConfig(path="a: b # [c]", subset=10),
        optimizer=OptimizerConfig(eps=1e-8, g_lr=1e-3),
        ema=EmaConfig(rampup=0.05),
        callbacks=CallbacksConfig(names=(), metrics=("swd",)),
        seed=2**32 - 1,
    )
    assert run_config_from_dict(yaml.safe_load(to_yaml(config))) == config
    assert run_config_from_dict(json.loads(json.dumps(to_dict(config)))) == config


@settings(deadline=None, max_examples=60)
@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12),
    st.floats(0, 1e6, allow_subnormal=False),
    st.integers(0, 2**32 - 1),
    st.lists(st.text("abc_0123", min_size=1, max_size=5), max_size=3),
    st.none() | st.integers(1, 99),
)
def test_any_values_survive_a_dry_run(
    path: str, kimg: float, seed: int, metrics: list[str], subset: int | None
) -> None:
    config = make_config(
        data=DataConfig(path=path, subset=subset),
        total_kimg=kimg,
        seed=seed,
        callbacks=CallbacksConfig(metrics=tuple(metrics)),
    )
    assert run_config_from_dict(yaml.safe_load(to_yaml(config))) == config


@settings(deadline=None, max_examples=100)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12))
def test_a_flag_that_holds_text_takes_it_as_it_is(text: str) -> None:
    assert with_changes(make_config(), {"data.path": text}).data.path == text


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("objective.r1_gamma", "20", 20.0),
        ("objective.r1_gamma", 20, 20.0),
        ("optimizer.g_lr", "1e-3", 0.001),
        ("batch", "1e1", 10),
        ("data.mirror", "true", True),
        ("data.mirror", "1", True),
        ("data.mirror", "no", False),
        ("data.subset", "100", 100),
        ("data.subset", "null", None),
        ("data.subset", "None", None),
        ("ema.rampup", None, None),
        ("data.path", "010", "010"),
        ("data.path", "yes", "yes"),
        ("augment.mode", "none", "none"),
        ("callbacks.metrics", "swd,fid50k", ("swd", "fid50k")),
        ("callbacks.metrics", "[swd, fid50k]", ("swd", "fid50k")),
        ("callbacks.metrics", "", ()),
        ("callbacks.metrics", ("swd",), ("swd",)),
    ],
)
def test_a_change_reaches_its_field_and_no_other(path: str, value: Any, expected: Any) -> None:
    config = with_changes(make_config(), {"data.subset": 7, "ema.rampup": 0.5, "callbacks.metrics": ["kid"]})
    changed = with_changes(config, {path: value})
    node: Any = changed
    for name in path.split("."):
        node = getattr(node, name)
    assert node == expected
    assert type(node) is type(expected)
    assert {row[0] for row in difference(config, changed)} <= {path}


@pytest.mark.parametrize("value", ["32,48", "[32, 48]", "(32, 48)", (32, 48), [32, 48]])
def test_a_resolution_is_written_in_any_usual_way(value: Any) -> None:
    names = ("data.resolution", "generator.img_resolution", "discriminator.img_resolution")
    assert with_changes(make_config(), dict.fromkeys(names, value)).data.resolution == (32, 48)


def test_every_setting_can_be_changed_to_what_it_is() -> None:
    config = make_config()
    leaves = dict(flatten(to_dict(config)))
    assert len(leaves) > 50
    assert with_changes(config, leaves) == config


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("objective.r1_gama", r"unknown setting 'objective\.r1_gama'\. Did you mean 'objective\.r1_gamma'\?"),
        ("r1_gamma", r"unknown setting 'r1_gamma'\. Did you mean 'objective\.r1_gamma'\?"),
        ("gamma", r"unknown setting 'gamma'\. Did you mean 'objective\.r1_gamma'\?"),
        ("optimiser.g_lr", r"unknown setting 'optimiser\.g_lr'\. Did you mean 'optimizer\.g_lr'\?"),
        ("batch.size", r"unknown setting 'batch\.size'\."),
        ("zzz", r"unknown setting 'zzz'\. Expected a dotted path such as optimizer\.g_lr"),
        ("", r"unknown setting ''\."),
        ("optimizer", r"'optimizer' is a group of settings, expected one of them, such as optimizer\.g_lr"),
    ],
)
def test_an_unknown_path_gets_a_suggestion(path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        with_changes(make_config(), {path: "1"})


def test_a_change_of_the_wrong_type_names_the_path() -> None:
    with pytest.raises(ConfigError, match=r"objective\.r1_gamma: got 'ten' \(str\), expected float"):
        with_changes(make_config(), {"objective.r1_gamma": "ten"})


def test_the_difference_lists_what_changed_in_order() -> None:
    config = make_config()
    changed = with_changes(config, {"seed": 3, "objective.r1_gamma": 2.0, "data.mirror": True})
    assert difference(config, changed) == [
        ("data.mirror", False, True),
        ("objective.r1_gamma", 10.0, 2.0),
        ("seed", 0, 3),
    ]
    assert difference(config, config) == []


def test_a_configuration_without_a_known_room_says_which_there_are() -> None:
    values = to_dict(make_config())
    with pytest.raises(ConfigError, match=r"names no 'room'; expected one of: .*stylegan2"):
        run_config_from_dict({key: value for key, value in values.items() if key != "room"})
    with pytest.raises(ConfigError, match=r"no 'stylegan22' among the papers.* Did you mean 'stylegan2'\?"):
        run_config_from_dict({**values, "room": "stylegan22"})
    with pytest.raises(ConfigError, match="names no 'room'"):
        run_config_from_dict([])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "value", "conditions"),
    [
        ("data.resolution", [64, 0], ">= 1"),
        ("data.channels", 5, ">= 1, <= 4"),
        ("data.subset", 0, ">= 1"),
        ("data.workers", 0, ">= 1"),
        ("optimizer.g_lr", -0.1, ">= 0"),
        ("optimizer.beta1", 1.0, ">= 0, < 1"),
        ("optimizer.eps", 0.0, "> 0"),
        ("schedule.lr_rampup_kimg", -1.0, ">= 0"),
        ("augment.p", 1.5, ">= 0, <= 1"),
        ("augment.interval", 0, ">= 1"),
        ("ema.kimg", -1.0, ">= 0"),
        ("ema.rampup", 0.0, "> 0"),
        ("total_kimg", -5.0, ">= 0"),
        ("batch", 0, ">= 1"),
        ("batch_gpu", 0, ">= 1"),
        ("seed", -1, ">= 0, < 4294967296"),
        ("callbacks.tick_kimg", 0.0, "> 0"),
        ("callbacks.snap", 0, ">= 1"),
        ("callbacks.keep", 0, ">= 1"),
    ],
)
def test_numbers_outside_their_limits_are_refused(path: str, value: Any, conditions: str) -> None:
    with pytest.raises(ConfigError) as caught:
        with_changes(make_config(), {path: value})
    assert str(caught.value) == f"{path}: got {value}, expected {conditions}"


def test_limits_pass_none_and_refuse_nan() -> None:
    check_limits(EmaConfig(rampup=None), "ema", rampup="> 0")
    with pytest.raises(ConfigError, match=r"^ema\.kimg: got nan, expected >= 0"):
        EmaConfig(kimg=math.nan)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.resolution": 32}, r"generator\.img_resolution: got \[64, 64\], expected \[32, 32\], the value of data"),
        ({"discriminator.img_channels": 1}, r"discriminator\.img_channels: got 1, expected 3, the value of data\.ch"),
        ({"generator.c_dim": 4}, r"generator\.c_dim: got 4, expected 0, the value of data\.c_dim"),
    ],
)
def test_networks_for_other_pictures_than_the_data_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        with_changes(make_config(), changes)


def test_yaml_files_are_read_strictly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(to_yaml(make_config()), encoding="utf-8")
    assert run_config_from_dict(read_yaml(file)) == make_config()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_yaml("~/run.yaml") == read_yaml(file)
    file.write_text("optimizer:\n  g_lr: 1e-3\n")
    assert from_dict(OptimizerConfig, read_yaml(file)["optimizer"]).g_lr == 0.001
    with pytest.raises(ConfigError, match=r"cannot read configuration file .*missing\.yaml': No such file"):
        read_yaml(tmp_path / "missing.yaml")
    file.write_text("a: [1\nb: }")
    with pytest.raises(ConfigError, match=r"run\.yaml' is not YAML: "):
        read_yaml(file)
    file.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(ConfigError, match=r"run\.yaml' is not YAML: "):
        read_yaml(file)
    for text, kind in [("- 1\n", "list"), ("", "NoneType"), ("text", "str")]:
        file.write_text(text)
        with pytest.raises(ConfigError, match=f"got {kind}, expected a mapping of settings"):
            read_yaml(file)


def test_yaml_cannot_build_objects(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("!!python/object/apply:os.getcwd []")
    with pytest.raises(ConfigError, match="is not YAML: could not determine a constructor"):
        read_yaml(file)


@pytest.mark.parametrize(
    "part", [AugmentConfig, CallbacksConfig, DataConfig, EmaConfig, OptimizerConfig, RunConfig, ScheduleConfig]
)
def test_settings_cannot_be_changed_in_place(part: type) -> None:
    assert part.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert all(f.kw_only for f in dataclasses.fields(part))


def test_parts_that_a_room_does_not_have_are_left_out_and_refused() -> None:
    values = to_dict(registry.get("papers", "stylegan2").PRESETS["stylegan2-tiny"].build(PresetRequest()))
    assert not {"encoder", "generator_from"} & set(values)
    for name in ("encoder", "generator_from"):
        with pytest.raises(ConfigError, match=f"'{name}' is for rooms that train an encoder, room 'stylegan2'"):
            run_config_from_dict({**values, name: {}})


def test_a_generator_s_room_decides_the_types_of_its_settings() -> None:
    values = to_dict(registry.get("papers", "idinvert").PRESETS["idinvert-tiny"].build(PresetRequest()))
    assert run_config_from_dict(values).generator is None, "before one is named"
    gan = registry.get("papers", "stylegan").PRESETS["stylegan-tiny"].build(PresetRequest(resolution=(64, 64)))
    named = {**values, **{part: to_dict(getattr(gan, part)) for part in ("generator", "discriminator")}}
    config = run_config_from_dict({**named, "generator_from": {"room": "stylegan"}})
    assert (config.generator, config.discriminator) == (gan.generator, gan.discriminator)
    assert config.generator_room == "stylegan"
    with pytest.raises(ConfigError, match=r"generator_from.room: got 'idinvert', which has no generator"):
        run_config_from_dict({**named, "generator_from": {"room": "idinvert"}})
    with pytest.raises(ConfigError, match=r"encoder.img_resolution: got \[32, 32\], expected \[64, 64\]"):
        run_config_from_dict({**values, "encoder": {**values["encoder"], "img_resolution": [32, 32]}})
