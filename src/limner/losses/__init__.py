"""Losses: functions from logits and tensors to tensors; they neither log nor step."""
