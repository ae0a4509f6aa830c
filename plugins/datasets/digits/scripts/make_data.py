"""Writes lamina_digits/digits.npz from the copy of the images that scikit-learn ships.

pip install scikit-learn && python scripts/make_data.py
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).parent.parent / "lamina_digits" / "digits.npz"

if __name__ == "__main__":
    digits = load_digits()
    np.savez_compressed(TARGET, x=digits.images.astype("uint8"), y=digits.target.astype("uint8"))
    print(f"{TARGET}: {len(digits.images)} images, {TARGET.stat().st_size} bytes")
