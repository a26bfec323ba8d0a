"""What is on the canvases: volumes in their planes, and everything painted over them."""
