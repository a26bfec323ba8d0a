"""What a folder of records holds: its files, their index, JSON with a digest."""
