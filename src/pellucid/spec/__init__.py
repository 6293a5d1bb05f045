"""What a study is: its sections and arms, read from TOML and validated."""
