"""Are the answers right? Compared with an oracle and with what the generator knows."""
