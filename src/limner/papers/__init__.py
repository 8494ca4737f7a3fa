"""One room per paper; a room never imports another."""
