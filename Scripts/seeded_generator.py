"""The random numbers of the package's `SeededGenerator`, for scripts that make what its tests compare with."""

import math

import numpy as np

MASK = (1 << 64) - 1


class Generator:
    """xoshiro256** seeded by SplitMix64, normal numbers by the ratio of uniforms."""

    def __init__(self, seed):
        self.state = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & MASK
            z = seed
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
            self.state.append(z ^ (z >> 31))

    def next(self):
        s = self.state
        product = (s[1] * 5) & MASK
        result = (((product << 7) | (product >> 57)) * 9) & MASK
        shifted = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = ((s[3] << 45) | (s[3] >> 19)) & MASK
        return result

    def uniform(self):
        return (self.next() >> 11) * 2.0**-53

    def normal(self):
        while True:
            u = 1 - self.uniform()
            x = 1.7155277699214135 * (self.uniform() - 0.5) / u
            if x * x <= -4 * math.log(u):
                return x

    def below(self, bound):
        while True:
            product = self.next() * bound
            if (product & MASK) >= (-bound & MASK) % bound:
                return product >> 64

    def shuffled(self, count):
        order = list(range(count))
        for at in range(count - 1):
            other = at + self.below(count - at)
            order[at], order[other] = order[other], order[at]
        return order

    def signs(self, count):
        signs, bits = [], 0
        for index in range(count):
            if index % 64 == 0:
                bits = self.next()
            signs.append(1.0 if bits & 1 == 0 else -1.0)
            bits >>= 1
        return np.array(signs)
