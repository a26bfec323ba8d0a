"""The content of a structured report, written and read side by side (PS3.16 TID 1500)."""
