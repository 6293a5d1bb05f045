"""The paper's figures, as printed and revised."""
