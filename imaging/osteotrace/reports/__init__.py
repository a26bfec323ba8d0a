"""Results for people and tables: text, CSV, figures."""
