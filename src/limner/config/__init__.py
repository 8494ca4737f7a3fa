"""Configuration: frozen dataclasses, strict reading, overrides by dotted path, and differences."""

from limner.config.grid import Resolution, base_grid, nominal_side
from limner.config.limits import check_limits
from limner.config.reading import (
    difference,
    flatten,
    from_dict,
    read_yaml,
    room_parts,
    run_config_from_dict,
    to_dict,
    to_yaml,
    with_changes,
)
from limner.config.run import (
    AugmentConfig,
    CallbacksConfig,
    DataConfig,
    EmaConfig,
    OptimizerConfig,
    RunConfig,
    ScheduleConfig,
    SourceConfig,
)

__all__ = [
    "AugmentConfig",
    "CallbacksConfig",
    "DataConfig",
    "EmaConfig",
    "OptimizerConfig",
    "Resolution",
    "RunConfig",
    "ScheduleConfig",
    "SourceConfig",
    "base_grid",
    "check_limits",
    "difference",
    "flatten",
    "from_dict",
    "nominal_side",
    "read_yaml",
    "room_parts",
    "run_config_from_dict",
    "to_dict",
    "to_yaml",
    "with_changes",
]
