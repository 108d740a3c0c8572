"""mailmill grinds mountains of raw HTML email into a documented, portable classifier.

Start reading at `mailmill.pipeline`: one function a stage, the engine as an argument.
"""

__version__ = "0.1.0"
