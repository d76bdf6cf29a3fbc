"""Step 55 · How a CNN works, first part: one channel.

New: convolution with four loops; padding, stride, and the size of what comes out.
Why: a linear layer has a weight from every pixel to every unit and must learn a stroke anew at each place. A convolution looks through
a small window with the *same* weights everywhere: fewer of them, and a stroke is a stroke wherever it is.
(What networks call convolution does not flip the kernel; mathematics calls it cross-correlation.)
In the engine: framework/ops/conv.py. The study of convolution is 03_CNN_LeNet/README.md.
"""

import numpy as np

import dezero.functions as F
from dezero.datasets import Digits
from dezero.utils import get_conv_outsize


def outsize(size, kernel, stride, pad):
    """How many windows fit: (size + 2 pad − kernel) / stride, rounded down, and one."""
    return (size + 2 * pad - kernel) // stride + 1


def conv(image, kernel, stride=1, pad=0):
    padded = np.pad(image, pad)
    (h, w), (kh, kw) = image.shape, kernel.shape
    y = np.zeros((outsize(h, kh, stride, pad), outsize(w, kw, stride, pad)))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            for a in range(kh):
                for b in range(kw):
                    y[i, j] += padded[i * stride + a, j * stride + b] * kernel[a, b]
    return y


def show(image):
    for row in image:
        print("  " + "".join(" ░▒▓█"[min(4, int(v * 5))] * 2 for v in row))


if __name__ == "__main__":
    image = Digits().data[0, 0]
    vertical = np.array([[-1.0, 0.0, 1.0]] * 3)  # bright on the right, dark on the left
    print("a digit, 8 × 8:")
    show(image)
    print("where it gets brighter from left to right:")
    show(conv(image, vertical, pad=1) / 3)
    for stride, pad in ((1, 0), (1, 1), (2, 1), (3, 2)):
        y = conv(image, vertical, stride, pad)
        package = F.conv2d(image[None, None].astype(float), vertical[None, None], None, stride, pad)
        print(f"stride {stride}, padding {pad}: {image.shape} → {y.shape}")
        assert np.allclose(y, package.data[0, 0]) and y.shape[0] == get_conv_outsize(8, 3, stride, pad)
