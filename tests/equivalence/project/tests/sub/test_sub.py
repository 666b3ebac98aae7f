import unittest


def test_overridden(letter):
    assert letter == "only here"


class Case(unittest.TestCase):
    def test_method(self):
        self.assertEqual(1, 2)
