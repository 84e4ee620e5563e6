"""The page: `python app.py` shows it. It calls the library and holds no science of its own."""
