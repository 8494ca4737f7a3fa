"""The papers' comparison of ways to invert, in one command."""

from __future__ import annotations

from limner.api.study.request import PARTS, StudyRequest
from limner.api.study.running import Studied, study

__all__ = ["PARTS", "Studied", "StudyRequest", "study"]
