"""Augmentation of what a discriminator sees: the ADA pipeline and DiffAugment, as differentiable tensor code.

Both are functions of pictures, a probability and explicit random numbers, so the same numbers give the same pictures
however a batch is split over processes, and gradients (also second derivatives) reach the pictures.
"""

from limner.data.augment.diffaugment import POLICIES, DiffAugment
from limner.data.augment.pipe import PIPES, AugmentPipe

__all__ = ["PIPES", "POLICIES", "AugmentPipe", "DiffAugment"]
