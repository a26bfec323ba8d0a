"""The napari plugin of osteotrace: it shows and asks, the library knows."""
